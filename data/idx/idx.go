// Package idx reads IDX files, the format of MNIST and its relatives: a header of
// big-endian extents and then bytes, plain or compressed with gzip
// (http://yann.lecun.com/exdb/mnist).
package idx

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is read.
const (
	maxExtents = 8
	maxItem    = 1 << 26 // bytes of an item
)

// Reader reads the items of an IDX file of unsigned bytes, one after the other.
type Reader struct {
	// Items is how many there are, Shape the extents of each; none for labels.
	Items int64
	Shape []int

	from io.Reader
	size int
	read int64
}

// NewReader reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	from, err := decompressed(r)
	if err != nil {
		return nil, err
	}
	var magic [4]byte
	if _, err := io.ReadFull(from, magic[:]); err != nil {
		return nil, fmt.Errorf("no IDX file: it ends within its header")
	}
	switch {
	case magic[0] != 0 || magic[1] != 0:
		return nil, fmt.Errorf("no IDX file: it begins with % x", magic)
	case magic[2] != 8:
		return nil, fmt.Errorf("elements of type %#02x, want unsigned bytes (0x08)", magic[2])
	case magic[3] == 0 || magic[3] > maxExtents:
		return nil, fmt.Errorf("%d extents, want 1 to %d", magic[3], maxExtents)
	}
	extents := make([]uint32, magic[3])
	if err := binary.Read(from, binary.BigEndian, extents); err != nil {
		return nil, fmt.Errorf("no IDX file: it ends within its header")
	}
	d := &Reader{Items: int64(extents[0]), from: from, size: 1}
	for _, e := range extents[1:] {
		if e == 0 || int64(e) > maxItem/int64(d.size) {
			return nil, fmt.Errorf("items of extents %v, want at least 1 and at most %d bytes", extents[1:], maxItem)
		}
		d.size *= int(e)
		d.Shape = append(d.Shape, int(e))
	}
	return d, nil
}

// decompressed looks for the mark of gzip.
func decompressed(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if mark, err := buffered.Peek(2); err != nil || mark[0] != 0x1f || mark[1] != 0x8b {
		return buffered, nil
	}
	return gzip.NewReader(buffered)
}

// Next is the next item, row-major; io.EOF follows the last. A file that is shorter or
// longer than its header says is an error.
func (d *Reader) Next() ([]byte, error) {
	if d.read == d.Items {
		if n, err := d.from.Read(make([]byte, 1)); n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the file goes on after its %d items", d.Items)
		}
		return nil, io.EOF
	}
	item := make([]byte, d.size)
	if _, err := io.ReadFull(d.from, item); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("the file ends after %d of %d items", d.read, d.Items)
		}
		return nil, fmt.Errorf("item %d: %w", d.read, err)
	}
	d.read++
	return item, nil
}
