package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/gomlx/compute/dtypes/float16"
)

// dtypeSize is the width in bytes of every dtype of the format. Only the three
// float types of [Tensor.Float32s] can be read as weights.
var dtypeSize = map[string]int{
	"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1,
	"I16": 2, "U16": 2, "F16": 2, "BF16": 2,
	"I32": 4, "U32": 4, "F32": 4,
	"I64": 8, "U64": 8, "F64": 8,
}

// Tensor is one tensor of a file; its data stays in the file until it is read.
type Tensor struct {
	Name  string
	DType string // as in the header: F32, F16, BF16, ...

	shape   []int
	section *io.SectionReader
}

// Shape gives the axis lengths, slowest axis first. It must not be modified.
func (t *Tensor) Shape() []int { return t.shape }

// Bytes is the tensor's size in the file.
func (t *Tensor) Bytes() int64 { return t.section.Size() }

// Float32s reads the tensor in row-major order, widening F16 and BF16.
func (t *Tensor) Float32s() ([]float32, error) {
	widen, ok := wideners[t.DType]
	if !ok {
		return nil, fmt.Errorf("tensor %q: dtype %s is not a weight type that can be read (F32, F16, BF16)", t.Name, t.DType)
	}
	out := make([]float32, t.section.Size()/int64(dtypeSize[t.DType]))
	// A short buffer keeps the file's bytes and the floats from being in memory together.
	var buffer [64 << 10]byte
	width := dtypeSize[t.DType]
	for done := 0; done < len(out); {
		chunk := buffer[:min(len(buffer), (len(out)-done)*width)]
		if _, err := io.ReadFull(io.NewSectionReader(t.section, int64(done*width), int64(len(chunk))), chunk); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		widen(out[done:done+len(chunk)/width], chunk)
		done += len(chunk) / width
	}
	return out, nil
}

var wideners = map[string]func(dst []float32, src []byte){
	"F32": func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	},
	"F16": func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = float16.FromBits(binary.LittleEndian.Uint16(src[2*i:])).Float32()
		}
	},
	"BF16": func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
		}
	},
}
