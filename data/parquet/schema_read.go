package parquet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// maxNesting bounds the depth of a schema, and so the recursion over it.
const maxNesting = 60

// readTree makes the tree of a file's columns from its schema, which is a list
// of elements in depth-first order.
func readTree(elements []format.SchemaElement) (root *node, leaves []*node, err error) {
	if len(elements) == 0 {
		return nil, nil, errors.New("damaged: no schema")
	}
	b := treeBuilder{rest: elements}
	top, err := b.element(0)
	if err != nil {
		return nil, nil, err
	}
	if len(b.rest) > 0 {
		return nil, nil, fmt.Errorf("damaged: %d elements of the schema belong to no column", len(b.rest))
	}
	if top.isLeaf() {
		return nil, nil, errors.New("damaged: the schema has no root")
	}
	root, err = b.group(top, place{})
	return root, b.leaves, err
}

// element is a schema element with its children.
type element struct {
	*format.SchemaElement
	children []*element
}

func (e *element) isLeaf() bool     { return e.Type.Valid }
func (e *element) isRepeated() bool { return e.repetition() == format.Repeated }
func (e *element) isOptional() bool { return e.repetition() == format.Optional }

func (e *element) repetition() format.FieldRepetitionType {
	if e.RepetitionType.Valid {
		return e.RepetitionType.V
	}
	return format.Required
}

func (e *element) isConverted(types ...deprecated.ConvertedType) bool {
	for _, t := range types {
		if e.ConvertedType.Valid && e.ConvertedType.V == t {
			return true
		}
	}
	return false
}

// place is where in the tree an element stands: its parent's path and levels.
type place struct {
	path     string
	def, rep int
}

func (p place) below(name string) place {
	if p.path != "" {
		name = p.path + "." + name
	}
	p.path = name
	return p
}

type treeBuilder struct {
	rest   []format.SchemaElement
	leaves []*node
}

// element takes an element and its children off the head of the list.
func (b *treeBuilder) element(depth int) (*element, error) {
	if len(b.rest) == 0 {
		return nil, errors.New("damaged: the schema ends early")
	}
	if depth > maxNesting {
		return nil, fmt.Errorf("columns nested more than %d deep", maxNesting)
	}
	e := &element{SchemaElement: &b.rest[0]}
	b.rest = b.rest[1:]
	if e.isLeaf() {
		return e, nil
	}
	for range e.NumChildren.V {
		child, err := b.element(depth + 1)
		if err != nil {
			return nil, err
		}
		e.children = append(e.children, child)
	}
	return e, nil
}

// field makes the node of an element; p is the place of its parent. A repeated
// element that no list or map has claimed is a list whose elements are never
// null.
func (b *treeBuilder) field(e *element, p place) (*node, error) {
	p = p.below(e.Name)
	switch {
	case e.isRepeated():
		return b.list(p, func(in place) (*node, error) { return b.value(e, in) })
	case e.isOptional():
		p.def++
		n, err := b.value(e, p)
		if err == nil {
			n.nullable = true
		}
		return n, err
	}
	return b.value(e, p)
}

// value makes the node of an element whose repetition is accounted for in p.
func (b *treeBuilder) value(e *element, p place) (*node, error) {
	if e.isLeaf() {
		return b.leaf(e, p)
	}
	if len(e.children) == 0 {
		return nil, fmt.Errorf("column %s: a group without fields", p.path)
	}
	_, isList := e.LogicalType.Value.(*format.ListType)
	if isList || e.isConverted(deprecated.List) {
		if len(e.children) == 1 && e.children[0].isRepeated() {
			return b.annotatedList(e, p)
		}
	}
	_, isMap := e.LogicalType.Value.(*format.MapType)
	if isMap || e.isConverted(deprecated.Map, deprecated.MapKeyValue) {
		if len(e.children) == 1 && e.children[0].isRepeated() && len(e.children[0].children) == 2 {
			return b.mapping(e.children[0], p)
		}
	}
	return b.group(e, p)
}

func (b *treeBuilder) leaf(e *element, p place) (*node, error) {
	typ, err := scalarType(e.SchemaElement)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", p.path, err)
	}
	s, err := scalarOf(typ)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", p.path, err)
	}
	n := &node{path: p.path, typ: typ, def: p.def, maxRep: p.rep, first: len(b.leaves), leaves: 1, scalar: s, physical: e.Type.V}
	b.leaves = append(b.leaves, n)
	return n, nil
}

func (b *treeBuilder) group(e *element, p place) (*node, error) {
	n := &node{path: p.path, typ: data.Type{Kind: data.Struct}, def: p.def, first: len(b.leaves)}
	for _, c := range e.children {
		child, err := b.field(c, p)
		if err != nil {
			return nil, err
		}
		n.add(child)
		n.typ.Fields = append(n.typ.Fields, data.Field{Name: c.Name, Type: child.typ, Nullable: child.nullable})
	}
	return n, nil
}

// annotatedList makes the node of a LIST group, by the rules of the format's
// LogicalTypes.md, "Lists", for telling the element from the wrapper that newer
// writers put around it.
func (b *treeBuilder) annotatedList(e *element, p place) (*node, error) {
	repeated := e.children[0]
	return b.list(p, func(in place) (*node, error) {
		in = in.below(repeated.Name)
		isElement := len(repeated.children) != 1 ||
			repeated.children[0].isRepeated() ||
			repeated.Name == "array" || strings.HasSuffix(repeated.Name, "_tuple")
		if isElement {
			return b.value(repeated, in)
		}
		return b.field(repeated.children[0], in)
	})
}

func (b *treeBuilder) list(p place, element func(place) (*node, error)) (*node, error) {
	n, inside := b.repeated(p, data.List)
	elem, err := element(inside)
	if err != nil {
		return nil, err
	}
	n.add(elem)
	n.typ.Elem, n.typ.Nullable = &elem.typ, elem.nullable
	return n, nil
}

func (b *treeBuilder) mapping(entry *element, p place) (*node, error) {
	n, inside := b.repeated(p, data.Map)
	for _, c := range entry.children {
		child, err := b.field(c, inside.below(entry.Name))
		if err != nil {
			return nil, err
		}
		n.add(child)
	}
	key, value := n.children[0], n.children[1]
	n.typ.Key, n.typ.Elem, n.typ.Nullable = &key.typ, &value.typ, value.nullable
	return n, nil
}

// repeated makes a list or map without its children, and their place.
func (b *treeBuilder) repeated(p place, kind data.Kind) (*node, place) {
	inside := place{path: p.path, def: p.def + 1, rep: p.rep + 1}
	return &node{
		path: p.path, typ: data.Type{Kind: kind}, def: p.def,
		rep: inside.rep, elemDef: inside.def, first: len(b.leaves),
	}, inside
}
