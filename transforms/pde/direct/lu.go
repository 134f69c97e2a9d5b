package direct

import (
	"context"
	"fmt"
	"math"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/sparse"
)

// LU is a factor of any matrix.
type LU struct {
	*Analysis
	upper   [][]float64 // a front's own rows, count×width: L below the diagonal, U above
	lower   [][]float64 // the rows it touches, L alone: len(rows)×count
	pivots  []int
	updates [2][]float64
	y, w    []float64
}

// NewLU makes room for a factor.
func NewLU(s *Analysis) *LU {
	c := &LU{Analysis: s, pivots: make([]int, s.pattern.N), y: make([]float64, s.pattern.N), w: make([]float64, s.widest)}
	c.upper = blocks(s, func(n *node) int { return n.count * n.width() })
	c.lower = blocks(s, func(n *node) int { return n.count * len(n.rows) })
	for i, size := range s.updates {
		c.updates[i] = make([]float64, size)
	}
	return c
}

// singular is how small a pivot may be beside the largest entry of the matrix.
const singular = 1e-14

// Factor factors a. It fails with ErrSingular when a front offers no usable pivot,
// which a regular matrix may do too, with ErrPattern, and with the context's error,
// which is looked at before every front.
func (c *LU) Factor(ctx context.Context, a *sparse.Matrix) error {
	if !c.Fits(a) {
		return ErrPattern
	}
	largest := 0.0
	for _, v := range a.Val {
		largest = max(largest, math.Abs(v))
	}
	for i := range c.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := &c.nodes[i]
		u, l := c.upper[i], c.lower[i]
		c.assemble(n, u, l, a)
		width, touched := n.width(), len(n.rows)
		pivots := c.pivots[n.first : n.first+n.count]
		if bad := dense.LU(u, n.count, n.count, n.count, width, pivots, singular*largest); bad >= 0 {
			return fmt.Errorf("%w: no pivot for unknown %d", ErrSingular, c.order[n.first+bad])
		}
		if touched == 0 {
			continue
		}
		dense.Exchange(u[n.count:], touched, width, pivots)
		dense.SolveUnitLower(u, n.count, width, u[n.count:], touched, width)
		dense.SolveUpperRight(u, n.count, width, l, touched, n.count)
		dense.Multiply(touched, touched, n.count, -1, dense.View{Data: l, Row: n.count, Col: 1}, u[n.count:], width, c.update(n), touched)
	}
	return nil
}

func (c *LU) update(n *node) []float64 {
	return c.updates[n.stack][n.update:][:len(n.rows)*len(n.rows)]
}

func (c *LU) assemble(n *node, u, l []float64, a *sparse.Matrix) {
	clear(u)
	clear(l)
	width, touched := n.width(), len(n.rows)
	for _, e := range n.entries {
		if int(e.row) < n.count {
			u[int(e.row)*width+int(e.col)] += a.Val[e.at]
		} else {
			l[(int(e.row)-n.count)*n.count+int(e.col)] += a.Val[e.at]
		}
	}
	update := c.update(n)
	clear(update)
	for _, ch := range n.children {
		from := c.update(&c.nodes[ch.node])
		size := len(ch.place)
		own := 0 // the columns that are eliminated here; places grow
		for own < size && int(ch.place[own]) < n.count {
			own++
		}
		for i, p := range ch.place {
			row := from[i*size : (i+1)*size]
			if i < own {
				add(u[int(p)*width:][:width], ch.place, 0, row)
				continue
			}
			r := int(p) - n.count
			add(l[r*n.count:][:n.count], ch.place[:own], 0, row)
			add(update[r*touched:][:touched], ch.place[own:], int32(n.count), row[own:])
		}
	}
}

// Apply sets dst to the solution for src. It serves as a preconditioner too.
func (c *LU) Apply(dst, src []float64) {
	for p, v := range c.order {
		c.y[p] = src[v]
	}
	for i := range c.nodes {
		n := &c.nodes[i]
		width, u, l := n.width(), c.upper[i], c.lower[i]
		w := c.y[n.first : n.first+n.count]
		dense.Exchange(w, 1, 1, c.pivots[n.first:n.first+n.count])
		for k := range w {
			w[k] -= dense.Dot(u[k*width:][:k], w)
		}
		for r, p := range n.rows {
			c.y[p] -= dense.Dot(l[r*n.count:][:n.count], w)
		}
	}
	for i := len(c.nodes) - 1; i >= 0; i-- {
		c.back(&c.nodes[i], c.upper[i], c.y, c.w)
	}
	for p, v := range c.order {
		dst[v] = c.y[p]
	}
}
