package parquet

import (
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// node is a column, or what is nested in one, with its levels: those of Dremel
// (Melnik et al., VLDB 2010), on which Parquet's encoding of nested values
// rests. Reading and writing walk the same tree.
type node struct {
	path     string // names from the top, dotted, as messages show it
	typ      data.Type
	nullable bool
	def      int // definition level from which the value is not null

	// Of a list or map:
	rep     int // repetition level of an element that is not the first
	elemDef int // definition level from which there is an element

	children []*node // the fields of a struct, the element of a list, key and value of a map

	// The leaves below, which are the columns of the file.
	first, leaves int

	// Of a leaf:
	scalar   *scalar
	maxRep   int
	physical format.Type
}

func (n *node) isLeaf() bool { return n.scalar != nil }

// add makes child a child whose leaves follow those already there.
func (n *node) add(child *node) {
	n.children = append(n.children, child)
	n.leaves += child.leaves
}
