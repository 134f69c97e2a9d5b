package direct

import (
	"errors"
	"fmt"
	"slices"

	"penstock.dev/transforms/pde/sparse"
)

// What can go wrong.
var (
	ErrSingular   = errors.New("singular")
	ErrIndefinite = errors.New("not positive definite")
	ErrPattern    = errors.New("the pattern is not the one analysed")
)

// Analysis is what a factorisation needs to know of a pattern: an order of
// elimination, the fronts, and where every entry goes. It is never written to after
// it was made.
type Analysis struct {
	pattern *sparse.Matrix // values are not looked at
	order   []int32        // the unknowns in the order of their elimination
	nodes   []node         // children before their parents
	updates [2]int         // sizes of the two stacks of updates
	widest  int            // most unknowns of a front, with those it touches
}

// node is a front. Its unknowns are first, first+1, … in the order of elimination;
// rows are those that are eliminated later and touched. An index into the front
// counts the unknowns, then the rows.
type node struct {
	first, count int
	rows         []int32
	children     []child
	entries      []entry // of the matrix
	stack        int     // which stack the update goes to
	update       int     // where it begins
}

// child tells where the rows of a child stand in its parent.
type child struct {
	node  int32
	place []int32
}

// entry is an entry of the matrix: its index among the values, its place in the front.
type entry struct{ at, row, col int32 }

func (f *node) width() int { return f.count + len(f.rows) }

// Analyse finds an order for the pattern of a, symmetric or not. coordinates, if
// there are any, hold one slice a dimension with a coordinate for every unknown (see
// Grid), by which parts are halved; nil is good too.
func Analyse(a *sparse.Matrix, coordinates [][]float32) (*Analysis, error) {
	for _, c := range coordinates {
		if len(c) != a.N {
			return nil, fmt.Errorf("direct: %d coordinates for %d unknowns", len(c), a.N)
		}
	}
	d := &dissection{graph: newGraph(a), coordinates: coordinates, side: make([]int32, a.N)}
	all := make([]int32, a.N)
	for i := range all {
		all[i] = int32(i)
	}
	s := &Analysis{pattern: &sparse.Matrix{N: a.N, Start: a.Start, Col: a.Col}, order: make([]int32, 0, a.N)}
	if a.N > 0 {
		d.divide(all)
	}
	s.number(d)
	s.place(a)
	s.stacks()
	return s, nil
}

// number puts the unknowns in order and finds the rows of every front.
func (s *Analysis) number(d *dissection) {
	position := make([]int32, s.pattern.N)
	for _, f := range d.fronts {
		for _, v := range f.unknowns {
			position[v] = int32(len(s.order))
			s.order = append(s.order, v)
		}
	}
	seen := make([]int32, s.pattern.N) // by which front, plus one
	first := 0
	for i, f := range d.fronts {
		n := node{first: first, count: len(f.unknowns)}
		first += n.count
		touch := func(p int32) {
			if int(p) >= first && seen[p] != int32(i+1) {
				seen[p] = int32(i + 1)
				n.rows = append(n.rows, p)
			}
		}
		for _, v := range f.unknowns {
			for _, w := range d.neighbours(v) {
				touch(position[w])
			}
		}
		for _, c := range f.children {
			for _, p := range s.nodes[c].rows {
				touch(p)
			}
			n.children = append(n.children, child{node: c})
		}
		slices.Sort(n.rows)
		s.widest = max(s.widest, n.width())
		s.nodes = append(s.nodes, n)
	}
}

// place finds where the matrix's entries and the children's rows stand in each front.
func (s *Analysis) place(a *sparse.Matrix) {
	position := make([]int32, a.N)
	for p, v := range s.order {
		position[v] = int32(p)
	}
	owner := make([]int32, a.N)
	local := make([]int32, a.N)
	for i := range s.nodes {
		for p := s.nodes[i].first; p < s.nodes[i].first+s.nodes[i].count; p++ {
			owner[p] = int32(i)
		}
	}
	counts := make([]int, len(s.nodes))
	each := func(do func(node int32, at, row, col int32)) {
		for i := range a.N {
			for k := a.Start[i]; k < a.Start[i+1]; k++ {
				row, col := position[i], position[a.Col[k]]
				do(owner[min(row, col)], k, row, col)
			}
		}
	}
	each(func(n, _, _, _ int32) { counts[n]++ })
	for i := range s.nodes {
		s.nodes[i].entries = make([]entry, 0, counts[i])
	}
	each(func(n, at, row, col int32) {
		s.nodes[n].entries = append(s.nodes[n].entries, entry{at, row, col})
	})
	for i := range s.nodes {
		n := &s.nodes[i]
		for p := range n.count {
			local[n.first+p] = int32(p)
		}
		for r, p := range n.rows {
			local[p] = int32(n.count + r)
		}
		for k, e := range n.entries {
			n.entries[k] = entry{e.at, local[e.row], local[e.col]}
		}
		for k := range n.children {
			rows := s.nodes[n.children[k].node].rows
			n.children[k].place = make([]int32, len(rows))
			for r, p := range rows {
				n.children[k].place[r] = local[p]
			}
		}
	}
}

// stacks lays out the updates. A front's goes on the stack of its depth's parity, so
// that it can be formed while those of its children, on the other, are read.
func (s *Analysis) stacks() {
	for i := len(s.nodes) - 1; i >= 0; i-- {
		for _, c := range s.nodes[i].children {
			s.nodes[c.node].stack = 1 - s.nodes[i].stack
		}
	}
	var top [2]int
	for i := range s.nodes {
		n := &s.nodes[i]
		n.update = top[n.stack]
		top[n.stack] += len(n.rows) * len(n.rows)
		s.updates[n.stack] = max(s.updates[n.stack], top[n.stack])
		if len(n.children) > 0 {
			top[1-n.stack] = s.nodes[n.children[0].node].update
		}
	}
}

// Values is how many numbers a factor keeps in memory, Cholesky's or LU's, with the
// updates that are on their way from front to front.
func (s *Analysis) Values(lu bool) int {
	values := s.updates[0] + s.updates[1]
	for i := range s.nodes {
		n := &s.nodes[i]
		values += n.count * n.width()
		if lu {
			values += n.count * len(n.rows)
		}
	}
	return values
}

// Fits reports whether a has the pattern that was analysed.
func (s *Analysis) Fits(a *sparse.Matrix) bool { return s.pattern.SamePattern(a) }
