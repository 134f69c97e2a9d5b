package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Types of metadata values.
const (
	typeUint8 = iota
	typeInt8
	typeUint16
	typeInt16
	typeUint32
	typeInt32
	typeFloat32
	typeBool
	typeString
	typeArray
	typeUint64
	typeInt64
	typeFloat64
)

const maxNesting = 4

// decoder reads the directory in order. The first error sticks; every read after it
// gives zero values, so callers may check once at the end of a group of reads.
type decoder struct {
	r         *bufio.Reader
	offset    int64 // bytes read so far
	remaining int64 // bytes left in the section
	err       error
}

func newDecoder(section *io.SectionReader) *decoder {
	return &decoder{r: bufio.NewReaderSize(section, 1<<16), remaining: section.Size()}
}

// fits reports whether count items of at least size bytes each can still follow;
// otherwise it sets the error. It guards every allocation made from a count.
func (d *decoder) fits(count uint64, size int64) bool {
	if d.err == nil && count > uint64(d.remaining/size) {
		d.err = fmt.Errorf("%d items at byte %d do not fit in the %d bytes that follow", count, d.offset, d.remaining)
	}
	return d.err == nil
}

func (d *decoder) read(p []byte) {
	if d.err != nil {
		return
	}
	if int64(len(p)) > d.remaining {
		d.err = io.ErrUnexpectedEOF
		return
	}
	if _, err := io.ReadFull(d.r, p); err != nil {
		d.err = err
		return
	}
	d.offset += int64(len(p))
	d.remaining -= int64(len(p))
}

func (d *decoder) uint8() uint8 {
	var b [1]byte
	d.read(b[:])
	return b[0]
}

func (d *decoder) uint16() uint16 {
	var b [2]byte
	d.read(b[:])
	return binary.LittleEndian.Uint16(b[:])
}

func (d *decoder) uint32() uint32 {
	var b [4]byte
	d.read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}

func (d *decoder) uint64() uint64 {
	var b [8]byte
	d.read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

func (d *decoder) int8() int8       { return int8(d.uint8()) }
func (d *decoder) int16() int16     { return int16(d.uint16()) }
func (d *decoder) int32() int32     { return int32(d.uint32()) }
func (d *decoder) int64() int64     { return int64(d.uint64()) }
func (d *decoder) float32() float32 { return math.Float32frombits(d.uint32()) }
func (d *decoder) float64() float64 { return math.Float64frombits(d.uint64()) }

func (d *decoder) bool() bool {
	b := d.uint8()
	if d.err == nil && b > 1 {
		d.err = fmt.Errorf("boolean is %d", b)
	}
	return b == 1
}

func (d *decoder) string() string {
	n := d.uint64()
	if !d.fits(n, 1) {
		return ""
	}
	b := make([]byte, n)
	d.read(b)
	return string(b)
}

// value reads one metadata value of the given type.
func (d *decoder) value(kind uint32, depth int) any {
	switch kind {
	case typeUint8:
		return d.uint8()
	case typeInt8:
		return d.int8()
	case typeUint16:
		return d.uint16()
	case typeInt16:
		return d.int16()
	case typeUint32:
		return d.uint32()
	case typeInt32:
		return d.int32()
	case typeFloat32:
		return d.float32()
	case typeBool:
		return d.bool()
	case typeString:
		return d.string()
	case typeUint64:
		return d.uint64()
	case typeInt64:
		return d.int64()
	case typeFloat64:
		return d.float64()
	case typeArray:
		return d.array(depth + 1)
	}
	if d.err == nil {
		d.err = fmt.Errorf("unknown value type %d", kind)
	}
	return nil
}

func (d *decoder) array(depth int) any {
	if d.err == nil && depth > maxNesting {
		d.err = errors.New("arrays nested too deep")
	}
	kind, count := d.uint32(), d.uint64()
	switch kind {
	case typeUint8:
		return slice(d, count, 1, d.uint8)
	case typeInt8:
		return slice(d, count, 1, d.int8)
	case typeUint16:
		return slice(d, count, 2, d.uint16)
	case typeInt16:
		return slice(d, count, 2, d.int16)
	case typeUint32:
		return slice(d, count, 4, d.uint32)
	case typeInt32:
		return slice(d, count, 4, d.int32)
	case typeFloat32:
		return slice(d, count, 4, d.float32)
	case typeBool:
		return slice(d, count, 1, d.bool)
	case typeString:
		return slice(d, count, 8, d.string)
	case typeUint64:
		return slice(d, count, 8, d.uint64)
	case typeInt64:
		return slice(d, count, 8, d.int64)
	case typeFloat64:
		return slice(d, count, 8, d.float64)
	case typeArray:
		return slice(d, count, 12, func() any { return d.array(depth + 1) })
	}
	if d.err == nil {
		d.err = fmt.Errorf("unknown element type %d", kind)
	}
	return nil
}

// slice reads count items that take at least size bytes each.
func slice[T any](d *decoder, count uint64, size int64, read func() T) []T {
	if !d.fits(count, size) {
		return nil
	}
	out := make([]T, 0, count)
	for range count {
		out = append(out, read())
		if d.err != nil {
			return nil
		}
	}
	return out
}
