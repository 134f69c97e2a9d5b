package problem

import (
	"fmt"
	"math"
	"slices"

	"penstock.dev/transforms/pde/sparse"
)

// Names of the problems.
const (
	Darcy               = "darcy"                // -∇·(K∇u) = f, u = 0 around, K varies
	Poisson             = "poisson"              // -Δu = f, u given around; f and the boundary vary
	Thermal             = "thermal"              // Δu = 0 in a slotted block; a temperature and a flux vary
	ConvectionDiffusion = "convection-diffusion" // -∇·(K∇u) + ∇·(v u) = f, u = 0 around; K and v vary
	Helmholtz           = "helmholtz"            // -Δu - k² q u = f, absorbing boundary; q varies
	PaperDarcy          = "paper-darcy"          // see Paper
	PaperHelmholtz      = "paper-helmholtz"
)

// Names are all problems.
var Names = []string{Darcy, Poisson, Thermal, ConvectionDiffusion, Helmholtz, PaperDarcy, PaperHelmholtz}

// Problem is an equation on a grid, without its random inputs. It is never written to
// after it was made.
type Problem struct {
	Name  string
	Shape []int // of the grid; of the points of the coefficient, for the paper's

	// What solvers want to know of the matrices.
	Symmetric, Definite bool
	Constant            bool  // one matrix for all inputs
	Stencil             []int // the grid's shape if multigrid takes the matrices, else nil

	grid      *Grid
	helmholtz *helmholtz
	matrix    *sparse.Matrix // if Constant
}

// New makes a problem of a grid's shape: two or three extents; for Thermal 32 m by 20 m
// cells, and for the paper's a square, which counts points, those of the boundary
// included.
func New(name string, shape []int) (*Problem, error) {
	p := &Problem{Name: name, Shape: slices.Clone(shape)}
	if !slices.Contains(Names, name) {
		return nil, fmt.Errorf("unknown problem %q", name)
	}
	if len(shape) != 2 && (len(shape) != 3 || p.flat()) {
		return nil, fmt.Errorf("%s: a grid of %d extents", name, len(shape))
	}
	inner := shape
	if p.paper() {
		if shape[0] != shape[1] || shape[0] < 5 {
			return nil, fmt.Errorf("%s: %v points, want a square of at least 5", name, shape)
		}
		inner = []int{shape[0] - 2, shape[1] - 2}
	}
	var inside func(int) bool
	var length []float64
	if name == Thermal {
		var err error
		if length, inside, err = slotted(shape); err != nil {
			return nil, err
		}
	}
	var err error
	if p.grid, err = NewGrid(inner, length, inside); err != nil {
		return nil, err
	}
	return p, p.describe()
}

// flat says that a problem exists in two dimensions only.
func (p *Problem) flat() bool { return p.Name == Thermal || p.paper() }

func (p *Problem) paper() bool { return p.Name == PaperDarcy || p.Name == PaperHelmholtz }

func (p *Problem) describe() (err error) {
	switch p.Name {
	case Darcy:
		p.Symmetric, p.Definite, p.Stencil = true, true, p.Shape
	case Poisson:
		p.Symmetric, p.Definite, p.Stencil, p.Constant = true, true, p.Shape, true
		e := &Equation{Diffusion: ones(p.cells())}
		p.matrix, _, err = e.Assemble(p.grid)
	case Thermal:
		p.Symmetric, p.Definite, p.Constant = true, true, true
		e := &Equation{Diffusion: ones(p.cells()), Boundary: heated(p.grid, 0, 0)}
		p.matrix, _, err = e.Assemble(p.grid)
	case Helmholtz:
		p.helmholtz = newHelmholtz(p.grid)
	}
	return err
}

func ones(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

func (p *Problem) cells() int {
	n := 1
	for _, extent := range p.Shape {
		n *= extent
	}
	return n
}

// CoefficientShape is the shape of a coefficient: the grid's, with K and the
// components of the velocity (along the last extent first) before it for
// ConvectionDiffusion.
func (p *Problem) CoefficientShape() []int {
	if p.Name == ConvectionDiffusion {
		return append([]int{1 + len(p.Shape)}, p.Shape...)
	}
	return p.Shape
}

// SolutionShape is the shape of a solution and of a right-hand side: the grid's, with
// the real and the imaginary part before it for Helmholtz.
func (p *Problem) SolutionShape() []int {
	switch {
	case p.Name == Helmholtz:
		return append([]int{2}, p.Shape...)
	case p.paper():
		return p.grid.Shape
	}
	return p.Shape
}

// Unknowns is the order of the matrices.
func (p *Problem) Unknowns() int {
	if p.Name == Helmholtz {
		return 2 * p.grid.n
	}
	return p.grid.n
}

// Coordinates are those of the unknowns, for an order of elimination. The paper's
// matrices have none.
func (p *Problem) Coordinates() [][]float32 {
	coordinates := p.grid.Coordinates()
	if p.Name == Helmholtz {
		for d, c := range coordinates {
			coordinates[d] = append(c, c...)
		}
	}
	return coordinates
}

// Matrix is the matrix for a coefficient and for the parameters of the instance: the
// wave number of Helmholtz and PaperHelmholtz, none of the others need any. It fails
// when they do not fit the problem, and on values that the equation does not allow.
// Matrices of one problem share their pattern.
func (p *Problem) Matrix(coefficient, parameters []float64) (*sparse.Matrix, error) {
	if p.Constant {
		return p.matrix, nil
	}
	want := 1
	for _, extent := range p.CoefficientShape() {
		want *= extent
	}
	if len(coefficient) != want {
		return nil, fmt.Errorf("the coefficient has %d values, %s on %v wants %d", len(coefficient), p.Name, p.Shape, want)
	}
	wave := 0.0
	if p.Name == Helmholtz || p.Name == PaperHelmholtz {
		if len(parameters) < 1 {
			return nil, fmt.Errorf("%s wants its wave number as the first parameter", p.Name)
		}
		wave = parameters[0]
	}
	switch p.Name {
	case Helmholtz:
		return p.helmholtz.matrix(coefficient, wave)
	case PaperDarcy, PaperHelmholtz:
		for i, v := range coefficient {
			if !(v > 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("the coefficient of point %d is %v, want more than 0", i, v)
			}
		}
		a, _, err := Paper(coefficient, p.Shape[0], wave)
		return a, err
	}
	e := &Equation{Diffusion: coefficient[:p.cells()]}
	if p.Name == ConvectionDiffusion {
		e.Velocity = p.velocity(coefficient[p.cells():])
		for i, v := range coefficient[p.cells():] {
			if v-v != 0 {
				return nil, fmt.Errorf("the velocity of cell %d is %v", i%p.cells(), v)
			}
		}
	}
	a, _, err := e.Assemble(p.grid)
	return a, err
}

// velocity puts components that come with the last extent first in the order of the
// extents.
func (p *Problem) velocity(components []float64) [][]float64 {
	v := make([][]float64, len(p.Shape))
	n := p.cells()
	for d := range v {
		v[len(v)-1-d] = components[d*n : (d+1)*n]
	}
	return v
}

// Gather takes the unknowns' values from an array of SolutionShape, Scatter puts them
// back, with 0 outside the domain. They are the same memory where all cells are
// unknowns.
func (p *Problem) Gather(array []float64) []float64 {
	if p.grid.Cells == nil {
		return array
	}
	x := make([]float64, p.grid.n)
	for u, c := range p.grid.Cells {
		x[u] = array[c]
	}
	return x
}

// Scatter is the inverse of Gather.
func (p *Problem) Scatter(x []float64) []float64 {
	if p.grid.Cells == nil {
		return x
	}
	array := make([]float64, p.cells())
	for u, c := range p.grid.Cells {
		array[c] = x[u]
	}
	return array
}
