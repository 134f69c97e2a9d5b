package data

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The encoding of a record, used wherever one crosses a stage of the pipeline
// or is spilled to disk: a version byte, the schema's fingerprint (8 bytes), id,
// order, then the values, each led by its kind. Strings and bytes of a decoded
// record share memory with the input.
const coderVersion = 1

// maxDepth bounds the nesting a decoder follows, so that hostile bytes cannot
// exhaust the stack.
const maxDepth = 64

// AppendRecord appends the encoding of r to b.
func AppendRecord(b []byte, r *Record) []byte {
	b = append(b, coderVersion)
	b = binary.LittleEndian.AppendUint64(b, r.Schema.fingerprint)
	b = appendString(b, r.ID.Source)
	b = binary.AppendVarint(b, r.ID.Row)
	b = appendString(b, r.ID.Part)
	b = binary.AppendVarint(b, r.Order)
	for _, v := range r.Values {
		b = AppendValue(b, v)
	}
	return b
}

// EncodeRecord is AppendRecord to a new slice.
func EncodeRecord(r *Record) []byte { return AppendRecord(make([]byte, 0, 256), r) }

// DecodeRecord reads one record, which must fill b exactly and whose schema
// must be known ([Know]).
func DecodeRecord(b []byte) (*Record, error) {
	if len(b) < 9 {
		return nil, fmt.Errorf("record: %d bytes are too few", len(b))
	}
	if b[0] != coderVersion {
		return nil, fmt.Errorf("record: encoding version %d, this program reads %d: use one version of penstock everywhere", b[0], coderVersion)
	}
	schema, ok := schemaOf(binary.LittleEndian.Uint64(b[1:]))
	if !ok {
		return nil, fmt.Errorf("record: unknown schema %x", b[1:9])
	}
	d := decoder{b: b[9:]}
	r := &Record{Schema: schema}
	r.ID.Source = d.string()
	r.ID.Row = d.varint()
	r.ID.Part = d.string()
	r.Order = d.varint()
	r.Values = make([]Value, schema.Len())
	for i := range r.Values {
		r.Values[i] = d.value(0)
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes too many", len(d.b))
	}
	if d.err != nil {
		return nil, fmt.Errorf("record: %w", d.err)
	}
	return r, nil
}

// AppendValue appends the encoding of v to b.
func AppendValue(b []byte, v Value) []byte {
	kind := v.Kind()
	b = append(b, byte(kind))
	switch kind {
	case Bool:
		b = append(b, byte(v.num))
	case Int64:
		b = binary.AppendVarint(b, int64(v.num))
	case Float32:
		b = binary.LittleEndian.AppendUint32(b, uint32(v.num))
	case Float64:
		b = binary.LittleEndian.AppendUint64(b, v.num)
	case String, Bytes:
		b = binary.AppendUvarint(b, v.num)
		b = append(b, v.Bytes()...)
	case Timestamp:
		b = append(b, byte(v.Unit()))
		b = binary.AppendVarint(b, int64(v.num))
	case List:
		b = appendValues(b, v.List())
	case Struct:
		b = appendValues(b, v.Struct())
	case Map:
		b = binary.AppendUvarint(b, uint64(len(v.Map())))
		for _, e := range v.Map() {
			b = AppendValue(AppendValue(b, e.Key), e.Value)
		}
	case Tensor:
		b = appendArray(b, v.Tensor())
	}
	return b
}

// DecodeValue reads one value from the head of b and returns the rest.
func DecodeValue(b []byte) (Value, []byte, error) {
	d := decoder{b: b}
	v := d.value(0)
	return v, d.b, d.err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValues(b []byte, vs []Value) []byte {
	b = binary.AppendUvarint(b, uint64(len(vs)))
	for _, v := range vs {
		b = AppendValue(b, v)
	}
	return b
}

func appendArray(b []byte, a *Array) []byte {
	b = binary.AppendUvarint(b, uint64(len(a.Shape)))
	for _, n := range a.Shape {
		b = binary.AppendUvarint(b, uint64(n))
	}
	switch d := a.Data.(type) {
	case []float32:
		b = append(b, byte(Float32))
		for _, x := range d {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
	case []float64:
		b = append(b, byte(Float64))
		for _, x := range d {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	case []int64:
		b = append(b, byte(Int64))
		for _, x := range d {
			b = binary.LittleEndian.AppendUint64(b, uint64(x))
		}
	case []uint8:
		b = append(b, byte(Bytes))
		b = append(b, d...)
	default:
		b = append(b, byte(Null))
	}
	return b
}

// decoder takes values off the head of b; after the first error it returns
// zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("truncated or corrupt %s", what)
	}
	d.b = nil
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("number")
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) varint() int64 {
	x, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("number")
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) take(n uint64, what string) []byte {
	if n > uint64(len(d.b)) {
		d.fail(what)
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte {
	if p := d.take(1, "value"); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) string() string {
	return BytesValue(d.take(d.uvarint(), "string")).asString()
}

// asString reinterprets bytes as a string that shares their memory.
func (v Value) asString() string {
	return Value{num: v.num, ref: stringRef(v.ref.(bytesRef))}.Text()
}

// count reads the number of items that follow; each takes at least one byte.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail("list")
		return 0
	}
	return int(n)
}

func (d *decoder) value(depth int) Value {
	if depth > maxDepth {
		d.fail("value: nested too deeply")
		return Value{}
	}
	switch kind := Kind(d.byte()); kind {
	case Null:
		return Value{}
	case Bool:
		return BoolValue(d.byte() != 0)
	case Int64:
		return Int64Value(d.varint())
	case Float32:
		if p := d.take(4, "float32"); p != nil {
			return Float32Value(math.Float32frombits(binary.LittleEndian.Uint32(p)))
		}
	case Float64:
		if p := d.take(8, "float64"); p != nil {
			return Float64Value(math.Float64frombits(binary.LittleEndian.Uint64(p)))
		}
	case String:
		return StringValue(d.string())
	case Bytes:
		return BytesValue(d.take(d.uvarint(), "bytes"))
	case Timestamp:
		unit := Unit(d.byte() & 3)
		return TimestampValue(d.varint(), unit)
	case List:
		return ListValue(d.values(depth))
	case Struct:
		return StructValue(d.values(depth))
	case Map:
		entries := make([]Entry, d.count())
		for i := range entries {
			entries[i] = Entry{d.value(depth + 1), d.value(depth + 1)}
		}
		return MapValue(entries)
	case Tensor:
		return TensorValue(d.array())
	default:
		d.fail("value: unknown kind")
	}
	return Value{}
}

func (d *decoder) values(depth int) []Value {
	vs := make([]Value, d.count())
	for i := range vs {
		vs[i] = d.value(depth + 1)
	}
	return vs
}

func (d *decoder) array() *Array {
	a := &Array{Shape: make([]int, d.count())}
	n := uint64(1)
	for i := range a.Shape {
		e := d.uvarint()
		if e > math.MaxInt32 || n*e > math.MaxInt32 {
			d.fail("tensor shape")
			return a
		}
		a.Shape[i], n = int(e), n*e
	}
	switch Kind(d.byte()) {
	case Float32:
		p := d.take(4*n, "tensor")
		x := make([]float32, len(p)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:]))
		}
		a.Data = x
	case Float64:
		p := d.take(8*n, "tensor")
		x := make([]float64, len(p)/8)
		for i := range x {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64(p[8*i:]))
		}
		a.Data = x
	case Int64:
		p := d.take(8*n, "tensor")
		x := make([]int64, len(p)/8)
		for i := range x {
			x[i] = int64(binary.LittleEndian.Uint64(p[8*i:]))
		}
		a.Data = x
	case Bytes:
		a.Data = d.take(n, "tensor")
	}
	return a
}
