package parquet

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// writeTree makes the tree and the library's schema of a file to be written,
// with lists and maps in the format's present encoding.
func writeTree(s *data.Schema) (*node, *parquet.Schema, []*node, error) {
	if s.Len() == 0 {
		return nil, nil, nil, fmt.Errorf("a file needs at least one column")
	}
	w := treeWriter{}
	root := &node{typ: data.Type{Kind: data.Struct, Fields: s.Fields()}}
	top, err := w.fields(root, s.Fields(), place{})
	if err != nil {
		return nil, nil, nil, err
	}
	return root, parquet.NewSchema("schema", top), w.leaves, nil
}

// treeWriter makes our node and the library's of the same column side by side.
type treeWriter struct {
	leaves []*node
}

func (w *treeWriter) field(f data.Field, p place) (*node, parquet.Node, error) {
	p = p.below(f.Name)
	if f.Nullable {
		p.def++
	}
	n, out, err := w.value(f.Type, p)
	if err != nil {
		return nil, nil, err
	}
	if n.nullable = f.Nullable; n.nullable {
		out = parquet.Optional(out)
	}
	return n, out, nil
}

func (w *treeWriter) value(t data.Type, p place) (*node, parquet.Node, error) {
	if strings.Count(p.path, ".") > 2*maxNesting {
		return nil, nil, fmt.Errorf("column %s: nested more than %d deep", p.path, maxNesting)
	}
	n := &node{path: p.path, typ: t, def: p.def, first: len(w.leaves)}
	switch t.Kind {
	case data.Struct:
		if len(t.Fields) == 0 {
			return nil, nil, fmt.Errorf("column %s: a struct without fields cannot be stored", p.path)
		}
		out, err := w.fields(n, t.Fields, p)
		return n, out, err
	case data.List, data.Tensor:
		inner, err := w.repeated(n, p, "list", data.Field{Name: "element", Type: *t.Elem, Nullable: t.Nullable})
		out := group{parquet.Group{"list": inner}, []parquet.Field{named{inner, "list"}}, listType}
		return n, out, err
	case data.Map:
		inner, err := w.repeated(n, p, "key_value",
			data.Field{Name: "key", Type: *t.Key},
			data.Field{Name: "value", Type: *t.Elem, Nullable: t.Nullable})
		out := group{parquet.Group{"key_value": inner}, []parquet.Field{named{inner, "key_value"}}, mapType}
		return n, out, err
	}
	return w.leaf(n, p)
}

func (w *treeWriter) leaf(n *node, p place) (*node, parquet.Node, error) {
	s, err := scalarOf(n.typ)
	if err != nil {
		return nil, nil, fmt.Errorf("column %s: %w", p.path, err)
	}
	n.leaves, n.scalar, n.maxRep = 1, s, p.rep
	w.leaves = append(w.leaves, n)
	out := parquet.Leaf(s.column)
	if n.typ.Kind == data.Float32 && p.rep > 0 {
		// Vectors: their exponents compress when they stand together.
		out = parquet.Encoded(out, &parquet.ByteStreamSplit)
	}
	return n, out, nil
}

func (w *treeWriter) fields(n *node, fields []data.Field, p place) (parquet.Node, error) {
	out := group{Node: parquet.Group{}, typ: parquet.Group{}.Type()}
	for _, f := range fields {
		child, node, err := w.field(f, p)
		if err != nil {
			return nil, err
		}
		n.add(child)
		out.fields = append(out.fields, named{node, f.Name})
	}
	return out, nil
}

// repeated fills the node of a list or map and makes its repeated group.
func (w *treeWriter) repeated(n *node, p place, name string, fields ...data.Field) (parquet.Node, error) {
	inside := place{path: p.path + "." + name, def: p.def + 1, rep: p.rep + 1}
	n.rep, n.elemDef = inside.rep, inside.def
	out, err := w.fields(n, fields, inside)
	if err != nil {
		return nil, err
	}
	return parquet.Repeated(out), nil
}

var (
	listType = annotate(parquet.Group{}.Type(), new(format.ListType), deprecated.List)
	mapType  = annotate(parquet.Group{}.Type(), new(format.MapType), deprecated.Map)
)

// group is a group node that keeps the order of its fields; the library's sorts
// them by name.
type group struct {
	parquet.Node
	fields []parquet.Field
	typ    parquet.Type
}

func (g group) Fields() []parquet.Field     { return g.fields }
func (g group) Type() parquet.Type          { return g.typ }
func (g group) Encoding() encoding.Encoding { return nil }

// named is a node with its name in the group.
type named struct {
	parquet.Node
	name string
}

func (f named) Name() string { return f.name }

// Value is for Go structs, which are not written here.
func (f named) Value(base reflect.Value) reflect.Value { return base }
