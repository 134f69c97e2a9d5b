package problem

import (
	"fmt"
	"math"

	"penstock.dev/transforms/pde/sparse"
)

// helmholtz makes the matrix of -Δu - k² q u = f with the absorbing condition
// ∂u/∂n - i k√q u = g at the boundary, of first order in the angle of incidence
// (Engquist and Majda, Math. Comp. 31, 1977), for u = re + i im: the unknowns are all
// real parts, then all imaginary parts. The value at a boundary face follows from the
// condition itself, so that the scheme stays of second order.
type helmholtz struct {
	grid    *Grid
	pattern *sparse.Matrix
	edge    []int32 // cells at the boundary, in order
	real    []int32 // where the grid's entries stand among those of the real rows
	imag    []int32 // and of the imaginary rows
	cross   []int32 // where an edge cell's coupling of the parts stands, real row then imaginary
}

func newHelmholtz(g *Grid) *helmholtz {
	h := &helmholtz{grid: g, pattern: &sparse.Matrix{N: 2 * g.n, Start: make([]int32, 2*g.n+1)}}
	atEdge := make([]bool, g.n)
	width := 2*len(g.Shape) + 1
	for u := range g.n {
		for _, p := range g.place[u*width+1 : (u+1)*width] {
			atEdge[u] = atEdge[u] || p < 0
		}
		if atEdge[u] {
			h.edge = append(h.edge, int32(u))
		}
	}
	h.cross = make([]int32, 0, 2*len(h.edge))
	m := h.pattern
	for u := range g.n {
		for k := g.start[u]; k < g.start[u+1]; k++ {
			h.real = append(h.real, int32(len(m.Col)))
			m.Col = append(m.Col, g.col[k])
		}
		if atEdge[u] {
			h.cross = append(h.cross, int32(len(m.Col)))
			m.Col = append(m.Col, int32(g.n+u))
		}
		m.Start[u+1] = int32(len(m.Col))
	}
	for u := range g.n {
		if atEdge[u] {
			h.cross = append(h.cross, int32(len(m.Col)))
			m.Col = append(m.Col, int32(u))
		}
		for k := g.start[u]; k < g.start[u+1]; k++ {
			h.imag = append(h.imag, int32(len(m.Col)))
			m.Col = append(m.Col, int32(g.n)+g.col[k])
		}
		m.Start[g.n+u+1] = int32(len(m.Col))
	}
	return h
}

// matrix assembles for the squared index q and wave number k.
func (h *helmholtz) matrix(q []float64, k float64) (*sparse.Matrix, error) {
	if !(k > 0) || math.IsInf(k*k, 0) {
		return nil, fmt.Errorf("the wave number is %v, want more than 0", k)
	}
	ones, reaction := make([]float64, len(q)), make([]float64, len(q))
	for i, v := range q {
		if !(v > 0) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("the coefficient of cell %d is %v, want more than 0", i, v)
		}
		ones[i], reaction[i] = 1, -k*k*v
	}
	e := &Equation{Diffusion: ones, Reaction: reaction, Boundary: func(int, int, int) Condition { return Condition{Flux: true} }}
	inner, _, err := e.Assemble(h.grid)
	if err != nil {
		return nil, err
	}
	a := &sparse.Matrix{N: h.pattern.N, Start: h.pattern.Start, Col: h.pattern.Col, Val: make([]float64, len(h.pattern.Col))}
	for i, v := range inner.Val {
		a.Val[h.real[i]], a.Val[h.imag[i]] = v, v
	}
	width := 2*len(h.grid.Shape) + 1
	for i, u := range h.edge {
		own := h.grid.place[int(u)*width]
		kappa := k * math.Sqrt(q[u])
		h.faces(int(u), func(_, _ int, area, step float64) {
			re, im := absorb(kappa, area, step)
			a.Val[h.real[own]] += re
			a.Val[h.imag[own]] += re
			a.Val[h.cross[i]] -= im
			a.Val[h.cross[len(h.edge)+i]] += im
		})
	}
	return a, nil
}

// absorb is -∂u/∂n for u = 1 at the centre, times the face's area:
// -iκ / (1 - iκ step/2).
func absorb(kappa, area, step float64) (re, im float64) {
	half := kappa * step / 2
	scale := area * kappa / (1 + half*half)
	return scale * half, -scale
}

// faces goes through an unknown's faces at the boundary.
func (h *helmholtz) faces(u int, do func(d, side int, area, step float64)) {
	g := h.grid
	width := 2*len(g.Shape) + 1
	volume := 1.0
	for d := range g.Shape {
		volume *= g.spacing(d)
	}
	for d := range g.Shape {
		for side := range 2 {
			if g.place[u*width+1+2*d+side] < 0 {
				do(d, side, volume/g.spacing(d), g.spacing(d))
			}
		}
	}
}
