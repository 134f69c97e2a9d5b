package krylov

import (
	"fmt"
	"math"

	"penstock.dev/transforms/pde/dense"
)

// cycle is the room of an Arnoldi process with B = A M⁻¹, whose least-squares
// problem is kept triangular by Givens rotations. Its basis may begin with vectors C
// against which the process is deflated.
type cycle struct {
	n, steps int       // length of vectors, most of them
	basis    []float64 // rows: C, then v₁, v₂, …; steps+1 in all
	raw      []float64 // column j: the coefficients of B v_j in the basis, with the next one
	tri      []float64 // column j of the rotated Hessenberg matrix
	cos, sin []float64
	g        []float64 // the rotated right-hand side
	again    []float64
	z, t     []float64
	flexible []float64 // rows M⁻¹ v_j, if they must be kept
}

func newCycle(n, steps int) *cycle {
	return &cycle{
		n: n, steps: steps,
		basis: make([]float64, (steps+1)*n),
		raw:   make([]float64, (steps+1)*steps),
		tri:   make([]float64, (steps+1)*steps),
		cos:   make([]float64, steps), sin: make([]float64, steps),
		g: make([]float64, steps+1), again: make([]float64, steps+1),
		z: make([]float64, n), t: make([]float64, n),
	}
}

// vector is row i of the basis.
func (c *cycle) vector(i int) []float64 { return c.basis[i*c.n : (i+1)*c.n] }

// column is the coefficients of B v_j: those on C, then the Hessenberg column.
func (c *cycle) column(j int) []float64 { return c.raw[j*(c.steps+1) : (j+1)*(c.steps+1)] }

// run makes up to most Arnoldi steps from the residual of s, deflated against the
// first k rows of the basis. It stops early when the residual is small enough or the
// space is exhausted, and returns the number of steps made.
func (c *cycle) run(s *run, k, most int) (int, error) {
	first := c.vector(k)
	copy(first, s.r)
	dense.Scale(first, 1/s.size)
	clear(c.g)
	c.g[0] = s.size
	for j := 0; j < most; j++ {
		if err := s.next(); err != nil {
			return j, err
		}
		z := c.z
		if c.flexible != nil {
			z = c.flexible[j*c.n : (j+1)*c.n]
		}
		s.m.Apply(z, c.vector(k+j))
		w := c.vector(k + j + 1)
		s.multiply(w, z)
		before := dense.Norm(w)
		after := c.orthogonalise(w, c.column(j)[:k+j+1], before)
		if after-after != 0 || before-before != 0 {
			return j, fmt.Errorf("%w: the operator's product in iteration %d", ErrNotFinite, s.result.Iterations)
		}
		exhausted := after <= 1e-14*before
		if exhausted {
			after = 0
			clear(w)
		} else {
			dense.Scale(w, 1/after)
		}
		c.column(j)[k+j+1] = after
		c.rotate(j, c.column(j)[k:k+j+2])
		if exhausted || math.Abs(c.g[j+1]) <= s.target {
			return j + 1, nil
		}
	}
	return most, nil
}

// orthogonalise makes w orthogonal to the first rows of the basis by classical
// Gram–Schmidt, a second time where the first lost most of w (Daniel, Gragg, Kaufman
// and Stewart, Math. Comp. 30, 1976), and returns its norm.
func (c *cycle) orthogonalise(w, h []float64, before float64) float64 {
	after := c.project(w, h)
	if after < 0.1*before {
		more := c.again[:len(h)]
		after = c.project(w, more)
		for i, v := range more {
			h[i] += v
		}
	}
	for i, v := range h {
		h[i] = -v
	}
	return after
}

// project subtracts from w its part in the basis and sets h to minus the coefficients.
func (c *cycle) project(w, h []float64) float64 {
	dense.Dots(h, c.basis, c.n, w)
	for i, v := range h {
		h[i] = -v
	}
	dense.Combine(w, h, c.basis, c.n)
	return dense.Norm(w)
}

// rotate brings column j of the Hessenberg matrix into triangular form.
func (c *cycle) rotate(j int, h []float64) {
	col := c.tri[j*(c.steps+1):][:j+2]
	copy(col, h)
	for i := 0; i < j; i++ {
		col[i], col[i+1] = c.cos[i]*col[i]+c.sin[i]*col[i+1], c.cos[i]*col[i+1]-c.sin[i]*col[i]
	}
	length := math.Hypot(col[j], col[j+1])
	if length == 0 {
		c.cos[j], c.sin[j] = 1, 0
	} else {
		c.cos[j], c.sin[j] = col[j]/length, col[j+1]/length
	}
	col[j], col[j+1] = length, 0
	c.g[j], c.g[j+1] = c.cos[j]*c.g[j], -c.sin[j]*c.g[j]
}

// solve is the minimiser y of the least-squares problem after some steps, 0 in the
// directions in which the triangle is singular.
func (c *cycle) solve(steps int) []float64 {
	y := make([]float64, steps)
	largest := 0.0
	for i := range steps {
		largest = max(largest, c.tri[i*(c.steps+1)+i])
	}
	copy(y, c.g)
	for i := steps - 1; i >= 0; i-- {
		col := c.tri[i*(c.steps+1):]
		if !(col[i] > 1e-15*largest) {
			y[i] = 0
			continue
		}
		y[i] /= col[i]
		for l := range i {
			y[l] -= y[i] * col[l]
		}
	}
	return y
}
