package parquet

import (
	"errors"

	"penstock.dev/data"
)

// assembler makes values of columns: it turns the flat values of the leaves, with
// their levels, back into lists, structs and maps.
type assembler struct {
	cursors []*cursor // by leaf; nil for leaves that are not read
	stack   []data.Value
	err     error // levels of two leaves that contradict each other
}

var errLevels = errors.New("damaged: the levels of its columns disagree")

// value takes the next value of a node.
func (a *assembler) value(n *node) data.Value {
	if n.isLeaf() {
		v := a.cursors[n.first].take()
		if v == nil || v.DefinitionLevel() < n.def {
			return data.Value{}
		}
		return n.scalar.decode(v)
	}
	// All leaves below agree on whether there is a value; the first tells.
	guide := a.cursors[n.first].peek()
	if guide == nil || guide.DefinitionLevel() < n.def {
		a.skip(n)
		return data.Value{}
	}
	switch n.typ.Kind {
	case data.List:
		elements := a.elements(n)
		return data.ListValue(elements)
	case data.Map:
		flat := a.elements(n)
		entries := make([]data.Entry, len(flat)/2)
		for i := range entries {
			entries[i] = data.Entry{Key: flat[2*i], Value: flat[2*i+1]}
		}
		return data.MapValue(entries)
	}
	fields := make([]data.Value, len(n.children))
	for i, child := range n.children {
		fields[i] = a.value(child)
	}
	return data.StructValue(fields)
}

// elements takes the elements of a list, or the keys and values of a map in
// turn.
func (a *assembler) elements(n *node) []data.Value {
	guide := a.cursors[n.first]
	if guide.peek().DefinitionLevel() < n.elemDef {
		a.skip(n)
		return []data.Value{}
	}
	start := len(a.stack)
	if len(n.children) == 1 && n.children[0].isLeaf() {
		a.scalars(n, n.children[0], guide)
	} else {
		for more := true; more; more = guide.continues(n.rep) {
			for _, child := range n.children {
				v := a.value(child)
				a.stack = append(a.stack, v)
			}
			a.agree(n, guide.continues(n.rep))
		}
	}
	elements := append(make([]data.Value, 0, len(a.stack)-start), a.stack[start:]...)
	clear(a.stack[start:])
	a.stack = a.stack[:start]
	return elements
}

// scalars takes the elements of a list without parts, such as a vector, in runs
// of what the cursor has unpacked.
func (a *assembler) scalars(n, elem *node, c *cursor) {
	for first := true; first || c.continues(n.rep); first = false {
		run := c.buf[c.next:]
		for i := range run {
			v := &run[i]
			if v.RepetitionLevel() < n.rep && !(first && i == 0) {
				break
			}
			if v.DefinitionLevel() < elem.def {
				a.stack = append(a.stack, data.Value{})
			} else {
				a.stack = append(a.stack, elem.scalar.decode(v))
			}
			c.next++
		}
	}
}

// agree checks that every leaf below has another element if and only if the
// first has.
func (a *assembler) agree(n *node, more bool) {
	for i := n.first + 1; i < n.first+n.leaves; i++ {
		if a.cursors[i].continues(n.rep) != more {
			a.err = errLevels
		}
	}
}

// skip takes the one entry that stands for a null or an empty list in every leaf
// below.
func (a *assembler) skip(n *node) {
	for i := n.first; i < n.first+n.leaves; i++ {
		a.cursors[i].take()
	}
}
