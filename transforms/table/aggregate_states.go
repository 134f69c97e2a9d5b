package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"penstock.dev/data"
)

// state is what a function remembers of the values it got, never nulls but for
// count(). The order of the values, and how they were divided among states that
// were merged, changes results by no more than rounding.
type state interface {
	add(v data.Value)
	append(b []byte) []byte // the encoding that merge reads
	merge(d *stateDecoder)
	result() (data.Value, error)
}

// counter counts.
type counter struct{ n uint64 }

func (s *counter) add(data.Value)              { s.n++ }
func (s *counter) append(b []byte) []byte      { return binary.AppendUvarint(b, s.n) }
func (s *counter) merge(d *stateDecoder)       { s.n += d.uvarint() }
func (s *counter) result() (data.Value, error) { return data.Int64Value(int64(s.n)), nil }

// distinct collects the hashes of values.
type distinct map[digest]struct{}

func (s distinct) add(v data.Value) { s[digestOf(appendKey(nil, v))] = struct{}{} }

func (s distinct) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	for d := range s {
		b = append(b, d[:]...)
	}
	return b
}

func (s distinct) merge(d *stateDecoder) {
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		if b := d.take(len(digest{})); b != nil {
			s[digest(b)] = struct{}{}
		}
	}
}

func (s distinct) result() (data.Value, error) { return data.Int64Value(int64(len(s))), nil }

// extreme keeps the largest value, or with sign -1 the smallest.
type extreme struct {
	sign int
	best data.Value
}

func (s *extreme) add(v data.Value) {
	if s.best.IsNull() || s.sign*data.Compare(v, s.best) > 0 {
		s.best = canonical(v)
	}
}

func (s *extreme) append(b []byte) []byte { return data.AppendValue(b, s.best) }

func (s *extreme) merge(d *stateDecoder) {
	if v := d.value(); !v.IsNull() {
		s.add(v)
	}
}

func (s *extreme) result() (data.Value, error) { return s.best, nil }

// intSum adds in 128 bits, so that it is exact in any order.
type intSum struct {
	n      uint64
	hi, lo uint64 // two's complement
}

func (s *intSum) add(v data.Value) {
	x := v.Int64()
	s.n++
	s.plus(uint64(x>>63), uint64(x))
}

func (s *intSum) plus(hi, lo uint64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, lo, 0)
	s.hi, _ = bits.Add64(s.hi, hi, carry)
}

func (s *intSum) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.n)
	b = binary.LittleEndian.AppendUint64(b, s.hi)
	return binary.LittleEndian.AppendUint64(b, s.lo)
}

func (s *intSum) merge(d *stateDecoder) {
	s.n += d.uvarint()
	hi := d.uint64()
	s.plus(hi, d.uint64())
}

func (s *intSum) result() (data.Value, error) {
	switch {
	case s.n == 0:
		return data.Value{}, nil
	case s.hi != uint64(int64(s.lo)>>63):
		return data.Value{}, errors.New("the sum exceeds int64 (sum it as double(…) from Derive)")
	}
	return data.Int64Value(int64(s.lo)), nil
}

// compensated is a sum whose rounding errors are carried along (Neumaier 1974).
type compensated struct{ sum, lost float64 }

func (c *compensated) plus(x float64) {
	t := c.sum + x
	if math.Abs(c.sum) >= math.Abs(x) {
		c.lost += (c.sum - t) + x
	} else {
		c.lost += (x - t) + c.sum
	}
	c.sum = t
}

func (c *compensated) total() float64 {
	if math.IsInf(c.sum, 0) || math.IsNaN(c.sum) {
		return c.sum
	}
	return c.sum + c.lost
}

func (c *compensated) append(b []byte) []byte { return appendFloats(b, c.sum, c.lost) }

func (c *compensated) merge(d *stateDecoder) {
	sum, lost := d.float(), d.float()
	c.plus(sum)
	c.lost += lost
}

// floatSum sums floats.
type floatSum struct {
	n   uint64
	sum compensated
}

func (s *floatSum) add(v data.Value) {
	s.n++
	s.sum.plus(v.Float64())
}

func (s *floatSum) append(b []byte) []byte { return s.sum.append(binary.AppendUvarint(b, s.n)) }

func (s *floatSum) merge(d *stateDecoder) {
	s.n += d.uvarint()
	s.sum.merge(d)
}

func (s *floatSum) result() (data.Value, error) {
	if s.n == 0 {
		return data.Value{}, nil
	}
	return data.Float64Value(s.sum.total()), nil
}

// mean is the sum over the number.
type mean struct{ floatSum }

func (s *mean) result() (data.Value, error) {
	if s.n == 0 {
		return data.Value{}, nil
	}
	return data.Float64Value(s.sum.total() / float64(s.n)), nil
}

// deviation is the sample standard deviation from running moments (Welford
// 1962), merged as Chan, Golub and LeVeque 1979 do.
type deviation struct {
	n        uint64
	mean, m2 float64
}

func (s *deviation) add(v data.Value) { s.plus(1, v.Float64(), 0) }

func (s *deviation) plus(n uint64, mean, m2 float64) {
	if n == 0 {
		return
	}
	total := s.n + n
	delta := mean - s.mean
	s.mean += delta * float64(n) / float64(total)
	s.m2 += m2 + delta*delta*float64(s.n)*float64(n)/float64(total)
	s.n = total
}

func (s *deviation) append(b []byte) []byte {
	return appendFloats(binary.AppendUvarint(b, s.n), s.mean, s.m2)
}

func (s *deviation) merge(d *stateDecoder) {
	n := d.uvarint()
	mean := d.float()
	s.plus(n, mean, d.float())
}

func (s *deviation) result() (data.Value, error) {
	if s.n < 2 {
		return data.Value{}, nil
	}
	return data.Float64Value(math.Sqrt(s.m2 / float64(s.n-1))), nil
}

// quantile keeps all values.
type quantile struct {
	q      float64
	values []float64
}

func (s *quantile) add(v data.Value) { s.values = append(s.values, v.Float64()) }

func (s *quantile) append(b []byte) []byte {
	return appendFloats(binary.AppendUvarint(b, uint64(len(s.values))), s.values...)
}

func (s *quantile) merge(d *stateDecoder) {
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		s.values = append(s.values, d.float())
	}
}

func (s *quantile) result() (data.Value, error) {
	n := len(s.values)
	if n == 0 {
		return data.Value{}, nil
	}
	slices.SortFunc(s.values, func(a, b float64) int {
		return data.Compare(data.Float64Value(a), data.Float64Value(b))
	})
	at := s.q * float64(n-1)
	below := int(at)
	x := s.values[below]
	if part := at - float64(below); part > 0 {
		x += part * (s.values[below+1] - x)
	}
	return data.Float64Value(x), nil
}

// stateDecoder takes encodings off the head of b; after the first error it
// returns zeros.
type stateDecoder struct {
	b   []byte
	err error
}

func (d *stateDecoder) take(n int) []byte {
	if n > len(d.b) {
		d.b, d.err = nil, fmt.Errorf("%d bytes missing", n-len(d.b))
		return nil
	}
	head := d.b[:n]
	d.b = d.b[n:]
	return head
}

func (d *stateDecoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errors.New("malformed number")
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *stateDecoder) varint() int64 {
	x := d.uvarint()
	return int64(x>>1) ^ -int64(x&1) // as encoding/binary has it
}

// bytes reads a length and as many bytes, which the caller must not keep.
func (d *stateDecoder) bytes() []byte {
	n := d.uvarint()
	return d.take(int(min(n, uint64(len(d.b)+1))))
}

func (d *stateDecoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *stateDecoder) float() float64 { return math.Float64frombits(d.uint64()) }

func (d *stateDecoder) value() data.Value {
	v, rest, err := data.DecodeValue(d.b)
	if err != nil {
		d.b, d.err = nil, err
		return data.Value{}
	}
	d.b = rest
	return v
}

func appendFloats(b []byte, xs ...float64) []byte {
	for _, x := range xs {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}
