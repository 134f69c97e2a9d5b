package problem

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/direct"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/precond"
	"penstock.dev/transforms/pde/sparse"
)

// smooth is a solution with its derivatives, in the coordinates of the extents.
type smooth struct {
	u         func(x []float64) float64
	gradient  func(x []float64) []float64
	laplacian func(x []float64) float64
}

// wave is u = sin(w·x + 0.3) + x₀², which is nowhere zero along a whole side.
func wave(w ...float64) smooth {
	phase := func(x []float64) float64 { return dense.Dot(w, x) + 0.3 }
	return smooth{
		u: func(x []float64) float64 { return math.Sin(phase(x)) + x[0]*x[0] },
		gradient: func(x []float64) []float64 {
			g := make([]float64, len(w))
			for d := range g {
				g[d] = w[d] * math.Cos(phase(x))
			}
			g[0] += 2 * x[0]
			return g
		},
		laplacian: func(x []float64) float64 { return -dense.Dot(w, w)*math.Sin(phase(x)) + 2 },
	}
}

func centre(g *Grid, cell int) []float64 {
	x := make([]float64, len(g.Shape))
	for d := range x {
		x[d] = g.Centre(cell, d)
	}
	return x
}

func solveLU(t testing.TB, a *sparse.Matrix, coordinates [][]float32, b []float64) []float64 {
	s, err := direct.Analyse(a, coordinates)
	if err != nil {
		t.Fatal(err)
	}
	lu := direct.NewLU(s)
	if err := lu.Factor(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	x := make([]float64, a.N)
	lu.Apply(x, b)
	return x
}

func solveIterated(t testing.TB, a *sparse.Matrix, b []float64) []float64 {
	m, err := precond.NewILU0(a)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, a.N)
	if _, err := krylov.BiCGStab(t.Context(), a, m, x, b, krylov.Options{Tolerance: 1e-10}); err != nil {
		t.Fatal(err)
	}
	return x
}

// slope fits the order of convergence to errors on grids of the given sizes.
func slope(sizes []int, errors []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i, size := range sizes {
		x, y := math.Log(float64(size)), -math.Log(errors[i])
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	n := float64(len(sizes))
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

func checkSlope(t *testing.T, name string, sizes []int, errors []float64) {
	t.Helper()
	if s := slope(sizes, errors); !(s > 1.9 && s < 2.1) {
		t.Errorf("%s: slope %.3f, errors %.3g on grids of %v", name, s, errors, sizes)
	} else {
		t.Logf("%s: slope %.3f", name, s)
	}
}

// The error of every equation falls with the square of the cells' size.
func TestManufacturedSolutionsAreApproachedAtSecondOrder(t *testing.T) {
	flow := func(x []float64) []float64 { // without divergence
		return []float64{10 * math.Sin(2*x[1]), -15 * math.Cos(x[0]), 5}[:len(x)]
	}
	varied := func(x []float64) (float64, []float64) {
		s, c := math.Sincos(2*x[0] + 3*x[1])
		return 1 + 0.5*s, []float64{c, 1.5 * c, 0}[:len(x)]
	}
	for _, c := range []struct {
		name     string
		grid     func(size int) []int
		sizes    []int
		constant bool
		velocity bool
		reaction float64
		slot     bool
	}{
		{name: Darcy, grid: square, sizes: []int{16, 32, 64, 96}},
		{name: Poisson, grid: square, sizes: []int{16, 32, 64, 96}, constant: true},
		{name: ConvectionDiffusion, grid: square, sizes: []int{24, 32, 64, 96}, velocity: true},
		{name: "reaction", grid: func(m int) []int { return []int{m, m + m/2} }, sizes: []int{16, 32, 48, 64}, reaction: 7},
		{name: Thermal, grid: func(m int) []int { return []int{32 * m, 20 * m} }, sizes: []int{1, 2, 3, 4}, constant: true, slot: true},
		{name: "Darcy, 3-D", grid: cube, sizes: []int{8, 12, 16, 24}},
		{name: "convection-diffusion, 3-D", grid: cube, sizes: []int{8, 12, 16, 24}, velocity: true},
	} {
		var errors []float64
		for _, size := range c.sizes {
			shape := c.grid(size)
			var length []float64
			var inside func(int) bool
			if c.slot {
				var err error
				if length, inside, err = slotted(shape); err != nil {
					t.Fatal(err)
				}
			}
			g, err := NewGrid(shape, length, inside)
			if err != nil {
				t.Fatal(err)
			}
			w := wave([]float64{2, -3, 1.5}[:len(shape)]...)
			cells := 1
			for _, extent := range shape {
				cells *= extent
			}
			e := &Equation{Diffusion: make([]float64, cells), Source: make([]float64, cells)}
			if c.velocity {
				for range shape {
					e.Velocity = append(e.Velocity, make([]float64, cells))
				}
			}
			for i := range cells {
				x := centre(g, i)
				k, dk := 1.0, make([]float64, len(x))
				if !c.constant {
					k, dk = varied(x)
				}
				e.Diffusion[i] = k
				e.Source[i] = -k*w.laplacian(x) - dense.Dot(dk, w.gradient(x)) + c.reaction*w.u(x)
				if c.velocity {
					v := flow(x)
					e.Source[i] += dense.Dot(v, w.gradient(x))
					for d := range v {
						e.Velocity[d][i] = v[d]
					}
				}
			}
			if c.reaction != 0 {
				e.Reaction = make([]float64, cells)
				for i := range e.Reaction {
					e.Reaction[i] = c.reaction
				}
			}
			likeThermal := heated(g, 0, 0)
			e.Boundary = func(cell, extent, side int) Condition {
				x := centre(g, cell)
				x[extent] += (float64(side) - 0.5) * g.spacing(extent)
				if !c.slot || !likeThermal(cell, extent, side).Flux {
					return Condition{Value: w.u(x)}
				}
				return Condition{Flux: true, Value: (2*float64(side) - 1) * w.gradient(x)[extent]}
			}
			a, b, err := e.Assemble(g)
			if err != nil {
				t.Fatal(err)
			}
			var u []float64
			if len(shape) == 3 {
				u = solveIterated(t, a, b)
			} else {
				u = solveLU(t, a, g.Coordinates(), b)
			}
			sum := 0.0
			for i, v := range u {
				d := v - w.u(centre(g, g.cell(i)))
				sum += d * d
			}
			errors = append(errors, math.Sqrt(sum/float64(len(u))))
		}
		checkSlope(t, c.name, c.sizes, errors)
	}
}

func square(m int) []int { return []int{m, m} }
func cube(m int) []int   { return []int{m, m, m} }

func TestHelmholtzIsApproachedAtSecondOrder(t *testing.T) {
	const k = 8.0
	u := func(x []float64) complex128 { return cmplx.Exp(complex(0.2*x[0], 3*x[0]-5*x[1])) }
	by := []complex128{complex(0.2, 3), complex(0, -5)} // gradient / u
	q := func(x []float64) float64 { return 1 + 0.3*math.Sin(4*x[0]+x[1]) }
	sizes := []int{32, 48, 64, 96}
	var errors []float64
	for _, size := range sizes {
		p, err := New(Helmholtz, square(size))
		if err != nil {
			t.Fatal(err)
		}
		g, n := p.grid, p.grid.n
		index, b := make([]float64, n), make([]float64, 2*n)
		for c := range index {
			x := centre(g, c)
			index[c] = q(x)
			f := -(by[0]*by[0] + by[1]*by[1] + complex(k*k*q(x), 0)) * u(x)
			f *= complex(g.spacing(0)*g.spacing(1), 0)
			b[c], b[n+c] = real(f), imag(f)
			kappa := complex(0, k*math.Sqrt(q(x)))
			p.helmholtz.faces(c, func(d, side int, area, step float64) {
				face := centre(g, c)
				out := 2*float64(side) - 1
				face[d] += out * step / 2
				data := (complex(out, 0)*by[d] - kappa) * u(face)
				data *= complex(area, 0) / (1 - kappa*complex(step/2, 0))
				b[c] += real(data)
				b[n+c] += imag(data)
			})
		}
		a, err := p.Matrix(index, []float64{k})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sparse.New(a.N, a.Start, a.Col, a.Val); err != nil {
			t.Fatal(err)
		}
		x := solveLU(t, a, p.Coordinates(), b)
		sum := 0.0
		for c := range n {
			d := cmplx.Abs(complex(x[c], x[n+c]) - u(centre(g, c)))
			sum += d * d
		}
		errors = append(errors, math.Sqrt(sum/float64(n)))
	}
	checkSlope(t, Helmholtz, sizes, errors)
}

// The value upstream makes an M-matrix whatever the velocity, and costs an order.
func TestUpwindIsMonotone(t *testing.T) {
	g, err := NewGrid([]int{12, 12}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	fast := make([]float64, 144)
	for i := range fast {
		fast[i] = 1000
	}
	for _, upwind := range []bool{true, false} {
		e := &Equation{Diffusion: ones(144), Velocity: [][]float64{fast, fast}, Upwind: upwind}
		a, _, err := e.Assemble(g)
		if err != nil {
			t.Fatal(err)
		}
		positive := false
		for i := range a.N {
			for k := a.Start[i]; k < a.Start[i+1]; k++ {
				positive = positive || int(a.Col[k]) != i && a.Val[k] > 0
			}
		}
		if positive == upwind {
			t.Errorf("upwind %v: couplings above 0 %v", upwind, positive)
		}
	}
}

func ExampleEquation() {
	grid, _ := NewGrid([]int{3}, nil, nil)
	e := &Equation{Diffusion: []float64{1, 1, 3}, Source: []float64{1, 1, 1}}
	a, b, _ := e.Assemble(grid)
	for i := range 3 {
		fmt.Printf("%5.1f %5.1f %5.1f | %.3f\n", a.At(i, 0), a.At(i, 1), a.At(i, 2), b[i])
	}
	// Output:
	//   9.0  -3.0   0.0 | 0.333
	//  -3.0   7.5  -4.5 | 0.333
	//   0.0  -4.5  22.5 | 0.333
}
