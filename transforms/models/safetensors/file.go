package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
)

// maxHeader is the largest header accepted, in bytes; the limit the format's own
// readers use.
const maxHeader = 100 << 20

// maxRank bounds the number of axes of one tensor.
const maxRank = 16

// File is the checked directory of one safetensors file. It is immutable and safe
// for concurrent use when its reader is.
type File struct {
	metadata map[string]string
	tensors  map[string]*Tensor
}

// New reads and checks the header of a safetensors file of the given size in bytes.
// The reader must stay open as long as tensors are read.
func New(r io.ReaderAt, size int64) (*File, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	entries, metadata, err := decodeHeader(header)
	if err != nil {
		return nil, err
	}
	start := 8 + int64(len(header))
	f := &File{metadata: metadata, tensors: make(map[string]*Tensor, len(entries))}
	for name, e := range entries {
		t, err := e.tensor(name, size-start)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		t.section = io.NewSectionReader(r, start+e.Offsets[0], e.Offsets[1]-e.Offsets[0])
		f.tensors[name] = t
	}
	if err := checkOverlap(entries); err != nil {
		return nil, err
	}
	return f, nil
}

// Metadata is the free text stored under the header's __metadata__ key; often empty.
func (f *File) Metadata() map[string]string { return f.metadata }

// Names lists the tensors in alphabetical order.
func (f *File) Names() []string { return sortedNames(f.tensors) }

// Tensor returns the named tensor; false when the file has none of that name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

func sortedNames(tensors map[string]*Tensor) []string {
	names := make([]string, 0, len(tensors))
	for name := range tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func readHeader(r io.ReaderAt, size int64) ([]byte, error) {
	var prefix [8]byte
	if size < 8 {
		return nil, fmt.Errorf("file has %d bytes, too short for a safetensors header", size)
	}
	if _, err := r.ReadAt(prefix[:], 0); err != nil {
		return nil, fmt.Errorf("header length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return nil, fmt.Errorf("header of %d bytes is over the limit of %d: not a safetensors file?", length, maxHeader)
	}
	if int64(length) > size-8 {
		return nil, fmt.Errorf("header of %d bytes runs past the end of a file of %d", length, size)
	}
	header := make([]byte, length)
	if _, err := r.ReadAt(header, 8); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("header: %w", err)
	}
	return header, nil
}

// entry is one tensor as the header declares it.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

func decodeHeader(header []byte) (map[string]entry, map[string]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	var metadata map[string]string
	entries := make(map[string]entry, len(raw))
	for name, message := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(message, &metadata); err != nil {
				return nil, nil, fmt.Errorf("header: __metadata__: %w", err)
			}
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(message))
		decoder.DisallowUnknownFields()
		var e entry
		if err := decoder.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("header: tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	return entries, metadata, nil
}

// tensor checks the entry against the size of the data area, in bytes.
func (e entry) tensor(name string, dataSize int64) (*Tensor, error) {
	width, ok := dtypeSize[e.DType]
	if !ok {
		return nil, fmt.Errorf("unknown dtype %q", e.DType)
	}
	if len(e.Shape) > maxRank {
		return nil, fmt.Errorf("%d axes, more than %d", len(e.Shape), maxRank)
	}
	begin, end := e.Offsets[0], e.Offsets[1]
	if begin < 0 || end < begin || end > dataSize {
		return nil, fmt.Errorf("bytes %d to %d are outside the data area of %d bytes", begin, end, dataSize)
	}
	shape := make([]int, len(e.Shape))
	bytes := uint64(width)
	for i, n := range e.Shape {
		if n < 0 {
			return nil, fmt.Errorf("axis %d has length %d", i, n)
		}
		shape[i] = int(n)
		high, low := bits.Mul64(bytes, uint64(n))
		if high != 0 {
			return nil, fmt.Errorf("shape %v overflows", e.Shape)
		}
		bytes = low
	}
	if bytes != uint64(end-begin) {
		return nil, fmt.Errorf("shape %v of %s needs %d bytes, the range holds %d", e.Shape, e.DType, bytes, end-begin)
	}
	return &Tensor{Name: name, DType: e.DType, shape: shape}, nil
}

func checkOverlap(entries map[string]entry) error {
	names := make([]string, 0, len(entries))
	for name, e := range entries {
		if e.Offsets[0] < e.Offsets[1] {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if c := entries[a].Offsets[0] - entries[b].Offsets[0]; c != 0 {
			return int(min(max(c, -1), 1))
		}
		return strings.Compare(a, b)
	})
	for i := 1; i < len(names); i++ {
		if entries[names[i]].Offsets[0] < entries[names[i-1]].Offsets[1] {
			return fmt.Errorf("tensors %q and %q overlap", names[i-1], names[i])
		}
	}
	return nil
}
