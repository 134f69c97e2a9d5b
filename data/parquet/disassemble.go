package parquet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"

	"penstock.dev/data"
)

// disassembler turns values into those of the leaves, with their levels: the
// inverse of assembler.
type disassembler struct {
	columns [][]parquet.Value // by leaf
	pending [][]data.Value    // tensors that belong behind them
	bytes   int               // of the values, about
}

// field appends the value of a column or field; rep and def are the levels it
// has as far as its parents determine them.
func (d *disassembler) field(n *node, v data.Value, rep, def int) error {
	if v.IsNull() {
		if !n.nullable {
			return fmt.Errorf("column %s: null, but the column is not nullable", n.path)
		}
		d.absent(n, rep, def)
		return nil
	}
	switch n.typ.Kind {
	case data.Struct:
		return d.structure(n, v, rep)
	case data.List:
		if v.Kind() != data.List {
			return mismatch(n, v)
		}
		return d.list(n, v.List(), rep)
	case data.Tensor:
		return d.tensor(n, v, rep)
	case data.Map:
		return d.mapping(n, v, rep)
	}
	out, err := n.scalar.encode(v)
	if err != nil {
		return fmt.Errorf("column %s: %w", n.path, err)
	}
	d.append(n, out.Level(rep, n.def, n.first))
	return nil
}

func (d *disassembler) append(n *node, v parquet.Value) {
	d.columns[n.first] = append(d.columns[n.first], v)
	d.bytes += 8
	switch n.typ.Kind {
	case data.String, data.Bytes:
		d.bytes += len(v.ByteArray())
	}
}

// absent appends what stands for a null or an empty list to every leaf below.
func (d *disassembler) absent(n *node, rep, def int) {
	for i := n.first; i < n.first+n.leaves; i++ {
		d.columns[i] = append(d.columns[i], parquet.Value{}.Level(rep, def, i))
		d.bytes++
	}
}

func (d *disassembler) structure(n *node, v data.Value, rep int) error {
	fields := v.Struct()
	if v.Kind() != data.Struct || len(fields) != len(n.children) {
		return mismatch(n, v)
	}
	for i, child := range n.children {
		if err := d.field(child, fields[i], rep, n.def); err != nil {
			return err
		}
	}
	return nil
}

func (d *disassembler) list(n *node, elements []data.Value, rep int) error {
	if len(elements) == 0 {
		d.absent(n, rep, n.def)
		return nil
	}
	elem := n.children[0]
	if elem.isLeaf() {
		d.columns[elem.first] = slices.Grow(d.columns[elem.first], len(elements))
	}
	for _, e := range elements {
		if err := d.field(elem, e, rep, n.elemDef); err != nil {
			return err
		}
		rep = n.rep
	}
	return nil
}

func (d *disassembler) mapping(n *node, v data.Value, rep int) error {
	if v.Kind() != data.Map {
		return mismatch(n, v)
	}
	entries := v.Map()
	if len(entries) == 0 {
		d.absent(n, rep, n.def)
		return nil
	}
	for _, e := range entries {
		if err := errors.Join(
			d.field(n.children[0], e.Key, rep, n.elemDef),
			d.field(n.children[1], e.Value, rep, n.elemDef)); err != nil {
			return err
		}
		rep = n.rep
	}
	return nil
}

// tensor appends the elements of a tensor, or of a list in its stead.
func (d *disassembler) tensor(n *node, v data.Value, rep int) error {
	if v.Kind() == data.List {
		return d.list(n, v.List(), rep)
	}
	if v.Kind() != data.Tensor {
		return mismatch(n, v)
	}
	switch x := v.Tensor().Data.(type) {
	case []float32:
		return listOf(d, n, x, rep, data.Float32Value)
	case []float64:
		return listOf(d, n, x, rep, data.Float64Value)
	case []int64:
		return listOf(d, n, x, rep, data.Int64Value)
	case []uint8:
		return listOf(d, n, x, rep, func(b uint8) data.Value { return data.Int64Value(int64(b)) })
	}
	return mismatch(n, v)
}

// plain reports whether v is a tensor whose elements are stored as they are, which can
// be taken apart later.
func plain(n *node, v data.Value) bool {
	if n.typ.Kind != data.Tensor || v.Kind() != data.Tensor {
		return false
	}
	switch v.Tensor().Data.(type) {
	case []float32:
		return n.children[0].typ.Kind == data.Float32
	case []float64:
		return n.children[0].typ.Kind == data.Float64
	}
	return false
}

// later notes a plain tensor of a top-level column. What the column gets after it must
// be preceded by settle.
func (d *disassembler) later(n *node, v data.Value) {
	d.pending[n.first] = append(d.pending[n.first], v)
	switch x := v.Tensor().Data.(type) {
	case []float32:
		d.bytes += 8 * len(x)
	case []float64:
		d.bytes += 8 * len(x)
	}
}

// settle appends the tensors that are pending for the leaf of n. It touches nothing
// but that leaf's values.
func (d *disassembler) settle(n *node) {
	for _, v := range d.pending[n.first] {
		switch x := v.Tensor().Data.(type) {
		case []float32:
			d.columns[n.first] = numbers(d.columns[n.first], n, x)
		case []float64:
			d.columns[n.first] = numbers(d.columns[n.first], n, x)
		}
	}
	clear(d.pending[n.first])
	d.pending[n.first] = d.pending[n.first][:0]
}

// numbers appends a list of numbers that begins a row.
func numbers[T float32 | float64](column []parquet.Value, n *node, elements []T) []parquet.Value {
	if len(elements) == 0 {
		return append(column, parquet.Value{}.Level(0, n.def, n.first))
	}
	from := len(column)
	column = slices.Grow(column, len(elements))[:from+len(elements)]
	row := column[from:]
	switch elements := any(elements).(type) {
	case []float32:
		for i, e := range elements {
			row[i] = parquet.FloatValue(e)
		}
	case []float64:
		for i, e := range elements {
			row[i] = parquet.DoubleValue(e)
		}
	}
	rep, def, leaf := n.rep, n.children[0].def, n.first
	for i := range row {
		row[i].SetRepetitionLevel(rep)
		row[i].SetDefinitionLevel(def)
		row[i].SetColumnIndex(leaf)
	}
	row[0].SetRepetitionLevel(0)
	return column
}

func listOf[T any](d *disassembler, n *node, elements []T, rep int, value func(T) data.Value) error {
	if len(elements) == 0 {
		d.absent(n, rep, n.def)
		return nil
	}
	for _, e := range elements {
		if err := d.field(n.children[0], value(e), rep, n.elemDef); err != nil {
			return err
		}
		rep = n.rep
	}
	return nil
}

func mismatch(n *node, v data.Value) error {
	return fmt.Errorf("column %s: a value of kind %s where %s belongs", n.path, v.Kind(), n.typ)
}
