package problem

import (
	"fmt"
	"math"

	"penstock.dev/transforms/pde/sparse"
)

// Equation is -∇·(K∇u) + ∇·(v u) + c u = f with conditions at the boundary. Fields
// hold a value for every cell of the grid, those outside the domain included.
type Equation struct {
	Diffusion []float64   // K, more than 0
	Velocity  [][]float64 // v along each extent; nil for none
	Reaction  []float64   // c; nil for none
	Source    []float64   // f; nil for 0
	// Upwind takes the value upstream for ∇·(v u) instead of the mean: of first order
	// only, but without oscillations where v h > 2K.
	Upwind bool
	// Boundary is the condition at a face of a cell, the lower (side 0) or upper (1)
	// along an extent; nil is u = 0 all around.
	Boundary func(cell, extent, side int) Condition
}

// Condition is u = Value, or K ∂u/∂n = Value with n pointing outwards.
type Condition struct {
	Flux  bool
	Value float64
}

// Assemble makes the system: rows are integrals over the cells of the unknowns. It
// fails on a field of the wrong length, and on a K that is not positive and finite.
func (e *Equation) Assemble(g *Grid) (*sparse.Matrix, []float64, error) {
	if err := e.check(g); err != nil {
		return nil, nil, err
	}
	a, b := g.matrix(), make([]float64, g.n)
	volume := 1.0
	for d := range g.Shape {
		volume *= g.spacing(d)
	}
	width := 2*len(g.Shape) + 1
	for u := range g.n {
		c := g.cell(u)
		if e.Source != nil {
			b[u] = e.Source[c] * volume
		}
		if e.Reaction != nil {
			a.Val[g.place[u*width]] += e.Reaction[c] * volume
		}
	}
	for d, stride := range g.strides() {
		f := faces{e, g, a.Val, b, d, stride, volume / g.spacing(d), g.spacing(d)}
		for u := range g.n {
			place := g.place[u*width : (u+1)*width]
			if place[2+2*d] >= 0 {
				f.inner(u, place)
			} else {
				f.outer(u, place, 1)
			}
			if place[1+2*d] < 0 {
				f.outer(u, place, 0)
			}
		}
	}
	return a, b, nil
}

func (e *Equation) check(g *Grid) error {
	cells := 1
	for _, extent := range g.Shape {
		cells *= extent
	}
	fields := map[string][]float64{"diffusion": e.Diffusion}
	if e.Reaction != nil {
		fields["reaction"] = e.Reaction
	}
	if e.Source != nil {
		fields["source"] = e.Source
	}
	if e.Velocity != nil && len(e.Velocity) != len(g.Shape) {
		return fmt.Errorf("velocity has %d components on a grid of %v", len(e.Velocity), g.Shape)
	}
	for d, v := range e.Velocity {
		fields[fmt.Sprintf("velocity %d", d)] = v
	}
	for name, field := range fields {
		if len(field) != cells {
			return fmt.Errorf("%s has %d values for %d cells", name, len(field), cells)
		}
	}
	for u := range g.n {
		if k := e.Diffusion[g.cell(u)]; !(k > 0) || math.IsInf(k, 0) {
			return fmt.Errorf("the coefficient of cell %d is %v, want more than 0", g.cell(u), k)
		}
	}
	return nil
}

// faces are those across one extent.
type faces struct {
	*Equation
	g          *Grid
	val, b     []float64
	d, stride  int
	area, step float64
}

// inner joins an unknown with its neighbour above.
func (f *faces) inner(u int, place []int32) {
	c := f.g.cell(u)
	n := c + f.stride
	width := len(place)
	v := f.g.Unknown(n)
	other := f.g.place[v*width : (v+1)*width]
	k, l := f.Diffusion[c], f.Diffusion[n]
	t := f.area / f.step * 2 / (1/k + 1/l)
	own, next := t, t // parts of the flux from u to v that go with u and with -v
	if f.Velocity != nil {
		through := f.area * 0.5 * (f.Velocity[f.d][c] + f.Velocity[f.d][n])
		switch {
		case !f.Upwind:
			own += through / 2
			next -= through / 2
		case through > 0:
			own += through
		default:
			next -= through
		}
	}
	f.val[place[0]] += own
	f.val[place[2+2*f.d]] -= next
	f.val[other[0]] += next
	f.val[other[1+2*f.d]] -= own
}

// outer closes a face at the boundary.
func (f *faces) outer(u int, place []int32, side int) {
	c := f.g.cell(u)
	var condition Condition
	if f.Boundary != nil {
		condition = f.Boundary(c, f.d, side)
	}
	through := f.outflow(u, place, c, side)
	t := f.area / f.step * 2 * f.Diffusion[c]
	if !condition.Flux {
		f.val[place[0]] += t
		f.b[u] += (t - through) * condition.Value
		return
	}
	// The value at the face is u + Value·step/2K.
	f.val[place[0]] += through
	f.b[u] += condition.Value * (f.area - through*f.step/(2*f.Diffusion[c]))
}

// outflow is the volume that leaves through a face at the boundary, where velocity is
// continued linearly.
func (f *faces) outflow(u int, place []int32, c, side int) float64 {
	if f.Velocity == nil {
		return 0
	}
	v := f.Velocity[f.d]
	at, inwards := v[c], c+f.stride
	if side == 1 {
		inwards = c - f.stride
	}
	if place[2*f.d+2-side] >= 0 { // there is a cell on the other side
		at += 0.5 * (v[c] - v[inwards])
	}
	if side == 0 {
		at = -at
	}
	return at * f.area
}
