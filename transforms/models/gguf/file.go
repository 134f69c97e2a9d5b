package gguf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	magic            = 0x46554747 // "GGUF", little endian
	defaultAlignment = 32
	maxAlignment     = 1 << 20
	maxRank          = 4
	maxDirectory     = 512 << 20 // bytes of metadata and tensor descriptions
)

// File is the checked directory of one GGUF file. It is immutable and safe for
// concurrent use when its reader is.
type File struct {
	meta    map[string]any
	tensors map[string]*Tensor
	closer  io.Closer
}

// Open opens a GGUF file by path; the caller closes it.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, err
	}
	f, err := New(file, info.Size())
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.closer = file
	return f, nil
}

// New reads and checks the directory of a GGUF file of the given size in bytes.
// The reader must stay open as long as tensors are read.
func New(r io.ReaderAt, size int64) (*File, error) {
	d := newDecoder(io.NewSectionReader(r, 0, min(size, maxDirectory)))
	f := &File{meta: map[string]any{}, tensors: map[string]*Tensor{}}

	if got := d.uint32(); d.err == nil && got != magic {
		return nil, errors.New("not a GGUF file (wrong magic number)")
	}
	if version := d.uint32(); d.err == nil && version != 2 && version != 3 {
		return nil, fmt.Errorf("GGUF version %d is not supported (2 or 3, little endian)", version)
	}
	tensorCount, metaCount := d.uint64(), d.uint64()
	f.readMetadata(d, metaCount)
	descriptions := readDescriptions(d, tensorCount)
	if d.err != nil {
		return nil, fmt.Errorf("directory: %w", d.err)
	}

	alignment, err := f.alignment()
	if err != nil {
		return nil, err
	}
	start := (d.offset + alignment - 1) / alignment * alignment
	if err := f.place(r, descriptions, start, size, alignment); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file when [Open] opened it.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Metadata maps each key to bool, uint8, int8, uint16, int16, uint32, int32, uint64,
// int64, float32, float64 or string, or to a slice of one of those ([]string,
// []int32, []float32, ...), or to []any for an array of arrays. It must not be
// modified.
func (f *File) Metadata() map[string]any { return f.meta }

// Names lists the tensors in alphabetical order.
func (f *File) Names() []string {
	names := make([]string, 0, len(f.tensors))
	for name := range f.tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Tensor returns the named tensor; false when the file has none of that name.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

func (f *File) readMetadata(d *decoder, count uint64) {
	// The smallest entry is an empty key, a type and one byte.
	if !d.fits(count, 8+4+1) {
		return
	}
	for range count {
		key := d.string()
		value := d.value(d.uint32(), 0)
		if d.err != nil {
			if key != "" {
				d.err = fmt.Errorf("key %q: %w", key, d.err)
			}
			return
		}
		if _, twice := f.meta[key]; twice {
			d.err = fmt.Errorf("key %q is there twice", key)
			return
		}
		f.meta[key] = value
	}
}

func (f *File) alignment() (int64, error) {
	value, ok := f.meta["general.alignment"]
	if !ok {
		return defaultAlignment, nil
	}
	n, ok := value.(uint32)
	if !ok || n == 0 || n > maxAlignment || n%8 != 0 {
		return 0, fmt.Errorf("general.alignment is %v, want a multiple of 8", value)
	}
	return int64(n), nil
}

// description is a tensor as the directory declares it.
type description struct {
	name   string
	dims   []uint64 // fastest axis first
	kind   uint32
	offset uint64 // from the start of the data area
}

func readDescriptions(d *decoder, count uint64) []description {
	// The smallest description is an empty name, no axes, a type and an offset.
	if !d.fits(count, 8+4+4+8) {
		return nil
	}
	out := make([]description, 0, count)
	for range count {
		t := description{name: d.string()}
		rank := d.uint32()
		if d.err == nil && rank > maxRank {
			d.err = fmt.Errorf("tensor %q: %d axes, more than %d", t.name, rank, maxRank)
		}
		for range rank {
			if d.err != nil {
				return nil
			}
			t.dims = append(t.dims, d.uint64())
		}
		t.kind, t.offset = d.uint32(), d.uint64()
		if d.err != nil {
			return nil
		}
		out = append(out, t)
	}
	return out
}

// place turns descriptions into tensors after checking ranges against the file.
func (f *File) place(r io.ReaderAt, descriptions []description, start, size, alignment int64) error {
	slices.SortFunc(descriptions, func(a, b description) int {
		if a.offset != b.offset {
			if a.offset < b.offset {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	var end uint64
	for i, desc := range descriptions {
		t, err := newTensor(desc)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", desc.name, err)
		}
		if _, twice := f.tensors[desc.name]; twice {
			return fmt.Errorf("tensor %q is there twice", desc.name)
		}
		if desc.offset%uint64(alignment) != 0 {
			return fmt.Errorf("tensor %q: offset %d is not a multiple of %d", desc.name, desc.offset, alignment)
		}
		if i > 0 && desc.offset < end {
			return fmt.Errorf("tensors %q and %q overlap", descriptions[i-1].name, desc.name)
		}
		room := uint64(max(0, size-start))
		if desc.offset > room || uint64(t.bytes) > room-desc.offset {
			return fmt.Errorf("tensor %q: %d bytes at %d run past the end of the file (truncated download?)", desc.name, t.bytes, desc.offset)
		}
		end = desc.offset + uint64(t.bytes)
		t.section = io.NewSectionReader(r, start+int64(desc.offset), t.bytes)
		f.tensors[desc.name] = t
	}
	return nil
}
