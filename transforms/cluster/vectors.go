package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// vectors are those of a node's rows, by the order of the rows' ids.
type vectors struct {
	width  int
	values []float32      // [n, width]
	ids    []string       // [n], sorted
	index  map[string]int // of an id
}

func (v *vectors) n() int { return len(v.ids) }

func (v *vectors) at(i int) []float32 { return v.values[i*v.width : (i+1)*v.width] }

// needVectors checks that a column may hold vectors.
func needVectors(s *data.Schema, field, column string) (index int, err error) {
	if err := transforms.NeedColumn(s, field, column, data.List); err != nil {
		return 0, err
	}
	index = s.Index(column)
	switch elem := s.Field(index).Type.Elem; elem.Kind {
	case data.Float32, data.Float64, data.Int64:
		return index, nil
	default:
		return 0, &transforms.FieldError{Field: field, Code: transforms.ColumnType, Message: fmt.Sprintf("column %q is a list of %s, want one of numbers", column, elem)}
	}
}

// read collects the vectors of all rows. usable says what else is wrong with a row; the
// rows that have no usable vector, or differ in length from the first, are rejected and
// left out.
func read(ctx context.Context, in transforms.Inputs, column int, usable func(r *data.Record) error) (*vectors, error) {
	v := &vectors{index: map[string]int{}}
	var values []float32
	var order []int
	for r, err := range in.Rows(transforms.In) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if err = usable(r); err == nil {
			values, err = v.append(values, r, column)
		}
		if err != nil {
			in.Reject(transforms.AsRejected(r, err))
			continue
		}
		order = append(order, len(v.ids))
		v.ids = append(v.ids, r.ID.String())
	}
	slices.SortFunc(order, func(a, b int) int {
		if v.ids[a] < v.ids[b] {
			return -1
		}
		return 1
	})
	ids := v.ids
	v.ids, v.values = make([]string, len(ids)), make([]float32, len(values))
	for to, from := range order {
		v.ids[to], v.index[ids[from]] = ids[from], to
		copy(v.at(to), values[from*v.width:])
	}
	if len(v.index) < len(ids) {
		return nil, transforms.Fatal(fmt.Errorf("two rows have the same id: the key column must tell them apart"))
	}
	return v, nil
}

// append adds a row's vector to values.
func (v *vectors) append(values []float32, r *data.Record, column int) ([]float32, error) {
	name := r.Schema.Field(column).Name
	if r.Values[column].IsNull() {
		return values, transforms.Reject("null", "column %s is null", name)
	}
	list := r.Values[column].List()
	if v.width == 0 {
		v.width = len(list)
	}
	if len(list) == 0 || len(list) != v.width {
		return values, transforms.Reject("length", "column %s has %d values, want %d as in the first row", name, len(list), v.width)
	}
	from := len(values)
	for i, e := range list {
		x := float32(number(e))
		if e.IsNull() || math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return values[:from], transforms.Reject("value", "value %d of column %s is no finite number", i, name)
		}
		values = append(values, x)
	}
	return values, nil
}

func number(v data.Value) float64 {
	if v.Kind() == data.Int64 {
		return float64(v.Int64())
	}
	return v.Float64()
}

// cosine is that of the angle between two vectors, 0 if one is zero.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
