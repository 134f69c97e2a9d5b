package direct

import (
	"context"
	"fmt"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/sparse"
)

// Cholesky is a factor of a symmetric positive definite matrix.
type Cholesky struct {
	*Analysis
	factors [][]float64  // a front's rows of U, count×width
	updates [2][]float64 // stacks
	y, w    []float64
}

// NewCholesky makes room for a factor.
func NewCholesky(s *Analysis) *Cholesky {
	c := &Cholesky{Analysis: s, y: make([]float64, s.pattern.N), w: make([]float64, s.widest)}
	c.factors = blocks(s, func(n *node) int { return n.count * n.width() })
	for i, size := range s.updates {
		c.updates[i] = make([]float64, size)
	}
	return c
}

// blocks makes a slice for every front out of one piece of memory.
func blocks(s *Analysis, size func(*node) int) [][]float64 {
	total := 0
	for i := range s.nodes {
		total += size(&s.nodes[i])
	}
	memory := make([]float64, total)
	parts := make([][]float64, len(s.nodes))
	for i := range s.nodes {
		n := size(&s.nodes[i])
		parts[i], memory = memory[:n:n], memory[n:]
	}
	return parts
}

// Factor factors a, of which it reads what stands for the upper triangle. It fails
// with ErrIndefinite when a pivot is not positive, with ErrPattern, and with the
// context's error, which is looked at before every front.
func (c *Cholesky) Factor(ctx context.Context, a *sparse.Matrix) error {
	if !c.Fits(a) {
		return ErrPattern
	}
	for i := range c.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &c.nodes[i]
		c.assemble(n, c.factors[i], a)
		width, touched := n.width(), len(n.rows)
		f := c.factors[i]
		if bad := dense.Cholesky(f, n.count, width); bad >= 0 {
			return fmt.Errorf("%w: pivot of unknown %d", ErrIndefinite, c.order[n.first+bad])
		}
		if touched > 0 {
			dense.SolveUpperTransposed(f, n.count, width, f[n.count:], touched, width)
			dense.SubtractGram(c.update(n), touched, touched, f[n.count:], n.count, width)
		}
	}
	return nil
}

func (c *Cholesky) update(n *node) []float64 {
	return c.updates[n.stack][n.update:][:len(n.rows)*len(n.rows)]
}

// assemble sums the matrix's entries and the children's updates: the upper triangle
// of the front, its first rows in f and the rest in its update.
func (c *Cholesky) assemble(n *node, f []float64, a *sparse.Matrix) {
	clear(f)
	width, touched := n.width(), len(n.rows)
	for _, e := range n.entries {
		if e.row <= e.col {
			f[int(e.row)*width+int(e.col)] += a.Val[e.at]
		}
	}
	update := c.update(n)
	clear(update)
	for _, ch := range n.children {
		from := c.update(&c.nodes[ch.node])
		size := len(ch.place)
		for i, p := range ch.place {
			row, cols := from[i*size+i:(i+1)*size], ch.place[i:]
			if int(p) < n.count {
				add(f[int(p)*width:][:width], cols, 0, row)
			} else {
				add(update[(int(p)-n.count)*touched:][:touched], cols, int32(n.count), row)
			}
		}
	}
}

// add adds values to the places of into, which are counted from an offset.
func add(into []float64, places []int32, offset int32, values []float64) {
	values = values[:len(places)]
	for k, p := range places {
		into[p-offset] += values[k]
	}
}

// Apply sets dst to the solution for src. It serves as a preconditioner too.
func (c *Cholesky) Apply(dst, src []float64) {
	for p, v := range c.order {
		c.y[p] = src[v]
	}
	for i := range c.nodes {
		n := &c.nodes[i]
		width, f := n.width(), c.factors[i]
		w := c.w[:width]
		copy(w, c.y[n.first:n.first+n.count])
		clear(w[n.count:])
		for k := range n.count {
			row := f[k*width+k : (k+1)*width]
			w[k] /= row[0]
			dense.Axpy(w[k+1:], -w[k], row[1:])
		}
		copy(c.y[n.first:], w[:n.count])
		for r, p := range n.rows {
			c.y[p] += w[n.count+r]
		}
	}
	for i := len(c.nodes) - 1; i >= 0; i-- {
		c.back(&c.nodes[i], c.factors[i], c.y, c.w)
	}
	for p, v := range c.order {
		dst[v] = c.y[p]
	}
}

// back solves with the rows of U that a front holds.
func (s *Analysis) back(n *node, f, y, w []float64) {
	width := n.width()
	w = w[:width]
	copy(w, y[n.first:n.first+n.count])
	for r, p := range n.rows {
		w[n.count+r] = y[p]
	}
	for k := n.count - 1; k >= 0; k-- {
		row := f[k*width+k : (k+1)*width]
		w[k] = (w[k] - dense.Dot(row[1:], w[k+1:])) / row[0]
	}
	copy(y[n.first:], w[:n.count])
}
