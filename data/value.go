package data

import (
	"bytes"
	"fmt"
	"math"
	"time"
	"unsafe"
)

// Value is one cell of a record. The zero Value is null. Scalars, strings and
// bytes are held without allocation; strings and bytes share memory with what
// they were made from and must not be modified.
type Value struct {
	_   [0]func() // not comparable: use Equal
	num uint64
	ref any // a Kind for scalars, a pointer or container for the rest
}

// What ref holds for the kinds that are not plain scalars.
type (
	stringRef *byte
	bytesRef  *byte
	timeRef   Unit
	structRef []Value
)

// Entry is one entry of a map value.
type Entry struct{ Key, Value Value }

// Array is the content of a tensor value: a shape and row-major data, which is
// a []float32, []float64, []int64 or []uint8 with as many elements as the
// product of the extents.
type Array struct {
	Shape []int
	Data  any
}

// BoolValue makes a boolean.
func BoolValue(b bool) Value {
	v := Value{ref: Bool}
	if b {
		v.num = 1
	}
	return v
}

// Int64Value makes an integer.
func Int64Value(i int64) Value { return Value{num: uint64(i), ref: Int64} }

// Float32Value makes a 32-bit float.
func Float32Value(f float32) Value { return Value{num: uint64(math.Float32bits(f)), ref: Float32} }

// Float64Value makes a 64-bit float.
func Float64Value(f float64) Value { return Value{num: math.Float64bits(f), ref: Float64} }

// StringValue makes a string.
func StringValue(s string) Value {
	return Value{num: uint64(len(s)), ref: stringRef(unsafe.StringData(s))}
}

// BytesValue makes a byte string; b must not be modified afterwards.
func BytesValue(b []byte) Value {
	return Value{num: uint64(len(b)), ref: bytesRef(unsafe.SliceData(b))}
}

// TimestampValue makes a time from its ticks since 1970-01-01 UTC.
func TimestampValue(ticks int64, unit Unit) Value {
	return Value{num: uint64(ticks), ref: timeRef(unit)}
}

// TimeValue makes a time in microseconds.
func TimeValue(t time.Time) Value { return TimestampValue(t.UnixMicro(), Micro) }

// ListValue makes a list; v must not be modified afterwards.
func ListValue(v []Value) Value { return Value{ref: v} }

// StructValue makes a struct from its fields' values in order.
func StructValue(v []Value) Value { return Value{ref: structRef(v)} }

// MapValue makes a map from its entries in order.
func MapValue(e []Entry) Value { return Value{ref: e} }

// TensorValue makes a tensor.
func TensorValue(a *Array) Value { return Value{ref: a} }

// Kind tells what the value holds.
func (v Value) Kind() Kind {
	switch r := v.ref.(type) {
	case nil:
		return Null
	case Kind:
		return r
	case stringRef:
		return String
	case bytesRef:
		return Bytes
	case timeRef:
		return Timestamp
	case []Value:
		return List
	case structRef:
		return Struct
	case []Entry:
		return Map
	case *Array:
		return Tensor
	}
	return Null
}

// IsNull reports whether the value is missing.
func (v Value) IsNull() bool { return v.ref == nil }

// The accessors below return the zero of their type when the value is of
// another kind; callers that care have checked the column's type.

// Bool is the value of a Bool.
func (v Value) Bool() bool { return v.ref == Bool && v.num != 0 }

// Int64 is the value of an Int64, or the ticks of a Timestamp.
func (v Value) Int64() int64 {
	if _, isTime := v.ref.(timeRef); isTime || v.ref == Int64 {
		return int64(v.num)
	}
	return 0
}

// Float32 is the value of a Float32.
func (v Value) Float32() float32 {
	if v.ref == Float32 {
		return math.Float32frombits(uint32(v.num))
	}
	return 0
}

// Float64 is the value of a Float64, Float32 or Int64.
func (v Value) Float64() float64 {
	switch v.ref {
	case Float64:
		return math.Float64frombits(v.num)
	case Float32:
		return float64(v.Float32())
	case Int64:
		return float64(int64(v.num))
	}
	return 0
}

// Text is the value of a String. (String is the fmt.Stringer.)
func (v Value) Text() string {
	if p, ok := v.ref.(stringRef); ok {
		return unsafe.String(p, v.num)
	}
	return ""
}

// Bytes is the value of a Bytes, or a String's bytes; it must not be modified.
func (v Value) Bytes() []byte {
	switch p := v.ref.(type) {
	case bytesRef:
		return unsafe.Slice(p, v.num)
	case stringRef:
		return unsafe.Slice(p, v.num)
	}
	return nil
}

// Time is the value of a Timestamp, in UTC.
func (v Value) Time() time.Time {
	u, ok := v.ref.(timeRef)
	if !ok {
		return time.Time{}
	}
	per := Unit(u).perSecond()
	sec, frac := int64(v.num)/per, int64(v.num)%per
	return time.Unix(sec, frac*(1e9/per)).UTC()
}

// Unit is the resolution of a Timestamp.
func (v Value) Unit() Unit {
	u, _ := v.ref.(timeRef)
	return Unit(u)
}

// List is the elements of a List; it must not be modified.
func (v Value) List() []Value {
	l, _ := v.ref.([]Value)
	return l
}

// Struct is the fields of a Struct; it must not be modified.
func (v Value) Struct() []Value {
	s, _ := v.ref.(structRef)
	return s
}

// Map is the entries of a Map; it must not be modified.
func (v Value) Map() []Entry {
	m, _ := v.ref.([]Entry)
	return m
}

// Tensor is the array of a Tensor; it must not be modified.
func (v Value) Tensor() *Array {
	a, _ := v.ref.(*Array)
	return a
}

// Equal reports whether both values are of one kind and hold the same; floats
// are compared by their bits, so NaN equals NaN.
func (v Value) Equal(o Value) bool {
	if v.Kind() != o.Kind() {
		return false
	}
	switch v.Kind() {
	case String, Bytes:
		return bytes.Equal(v.Bytes(), o.Bytes())
	case Timestamp:
		return v.num == o.num && v.Unit() == o.Unit()
	case List:
		return equalValues(v.List(), o.List())
	case Struct:
		return equalValues(v.Struct(), o.Struct())
	case Map:
		a, b := v.Map(), o.Map()
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if !a[i].Key.Equal(b[i].Key) || !a[i].Value.Equal(b[i].Value) {
				return false
			}
		}
		return true
	case Tensor:
		return fmt.Sprint(*v.Tensor()) == fmt.Sprint(*o.Tensor())
	}
	return v.num == o.num
}

func equalValues(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// Size is about the number of bytes the value occupies in memory.
func (v Value) Size() int {
	const cell = int(unsafe.Sizeof(Value{}))
	n := cell
	switch v.Kind() {
	case String, Bytes:
		n += int(v.num)
	case List:
		for _, e := range v.List() {
			n += e.Size()
		}
	case Struct:
		for _, e := range v.Struct() {
			n += e.Size()
		}
	case Map:
		for _, e := range v.Map() {
			n += e.Key.Size() + e.Value.Size()
		}
	case Tensor:
		n += arrayBytes(v.Tensor())
	}
	return n
}

func arrayBytes(a *Array) int {
	switch d := a.Data.(type) {
	case []float32:
		return 4 * len(d)
	case []float64:
		return 8 * len(d)
	case []int64:
		return 8 * len(d)
	case []uint8:
		return len(d)
	}
	return 0
}
