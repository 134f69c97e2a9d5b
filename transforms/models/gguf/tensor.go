package gguf

import (
	"fmt"
	"io"
	"math/bits"
)

// Tensor is one tensor of a file; its data stays in the file until it is read.
type Tensor struct {
	Name string
	Type string // F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K, or the type's number

	shape   []int
	format  *format
	bytes   int64
	section *io.SectionReader
}

// newTensor checks the shape. A type that is not known gets no format and no bytes,
// so that a file is refused only when such a tensor is read.
func newTensor(desc description) (*Tensor, error) {
	t := &Tensor{Name: desc.name, Type: fmt.Sprintf("type %d", desc.kind), shape: make([]int, len(desc.dims))}
	elements := uint64(1)
	for i, n := range desc.dims {
		high, low := bits.Mul64(elements, n)
		if n == 0 || high != 0 || low > 1<<40 {
			return nil, fmt.Errorf("shape %v is empty or too large", desc.dims)
		}
		elements = low
		t.shape[len(desc.dims)-1-i] = int(n)
	}
	known, ok := formats[desc.kind]
	if !ok {
		return t, nil
	}
	t.Type, t.format = known.name, &known
	if rowLength := desc.firstDim(); rowLength%uint64(known.block) != 0 {
		return nil, fmt.Errorf("rows of %d values are not whole blocks of %d (%s)", rowLength, known.block, known.name)
	}
	t.bytes = int64(elements) / int64(known.block) * int64(known.size)
	return t, nil
}

func (d description) firstDim() uint64 {
	if len(d.dims) == 0 {
		return 1
	}
	return d.dims[0]
}

// Shape gives the axis lengths, slowest axis first (the reverse of the file's order),
// so a linear layer is [out, in]. It must not be modified.
func (t *Tensor) Shape() []int { return t.shape }

// Bytes is the tensor's size in the file; 0 when its type is not known.
func (t *Tensor) Bytes() int64 { return t.bytes }

// Float32s reads the tensor in row-major order, dequantised.
func (t *Tensor) Float32s() ([]float32, error) {
	if t.format == nil {
		return nil, fmt.Errorf("tensor %q: %s is not a weight type that can be read (%s)", t.Name, t.Type, knownTypes)
	}
	blocks := int(t.bytes) / t.format.size
	out := make([]float32, blocks*t.format.block)
	// Blocks are read a few hundred at a time so that the file's bytes are never
	// in memory beside the floats.
	const batch = 256
	buffer := make([]byte, batch*t.format.size)
	for done := 0; done < blocks; {
		n := min(batch, blocks-done)
		chunk := buffer[:n*t.format.size]
		if _, err := t.section.ReadAt(chunk, int64(done)*int64(t.format.size)); err != nil && err != io.EOF {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		for i := range n {
			at := (done + i) * t.format.block
			t.format.decode(out[at:at+t.format.block], chunk[i*t.format.size:(i+1)*t.format.size])
		}
		done += n
	}
	return out, nil
}
