package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// Floats is a tensor to be written, as F32.
type Floats struct {
	Name   string
	Shape  []int
	Values []float32 // row-major
}

// Write writes a file of float tensors, in their order, with free text of its own.
func Write(w io.Writer, metadata map[string]string, tensors ...Floats) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	at := int64(0)
	for _, t := range tensors {
		e := entry{DType: "F32", Shape: make([]int64, len(t.Shape)), Offsets: [2]int64{at, at + 4*int64(len(t.Values))}}
		product := int64(1)
		for i, extent := range t.Shape {
			e.Shape[i] = int64(extent)
			product *= int64(extent)
		}
		if product != int64(len(t.Values)) {
			return fmt.Errorf("tensor %q: %d values for a shape of %v", t.Name, len(t.Values), t.Shape)
		}
		header[t.Name], at = e, e.Offsets[1]
	}
	encoded, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(encoded)%8 != 0 { // the format aligns what follows
		encoded = append(encoded, ' ')
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	buffered.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded))))
	buffered.Write(encoded)
	var word []byte
	for _, t := range tensors {
		for part := range slices.Chunk(t.Values, 1024) {
			word = word[:0]
			for _, v := range part {
				word = binary.LittleEndian.AppendUint32(word, math.Float32bits(v))
			}
			buffered.Write(word)
		}
	}
	return buffered.Flush()
}
