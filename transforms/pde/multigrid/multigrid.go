package multigrid

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/sparse"
)

// ErrStencil is the error for a matrix that is not one of the grid's neighbours, or
// not symmetric with a positive diagonal.
var ErrStencil = errors.New("not a symmetric stencil")

// Multigrid is a hierarchy for one matrix at a time; it keeps its memory from one to
// the next. It serves one goroutine.
type Multigrid struct {
	levels  []*level // the finest first
	coarse  []float64
	pattern *sparse.Matrix
	spot    []spot
}

// spot tells where an entry of the matrix belongs in the finest level.
type spot struct {
	at   int32 // index in the level
	kind kind
}

type kind uint8

const (
	diagonal kind = iota
	east          // to the next cell along the fastest extent
	north
	top
	mirror kind = 4 // added to one of the above: the same coupling from the other side
)

// last is the number of unknowns at or below which a level is solved directly.
const last = 32

// New makes a hierarchy for a on a row-major grid of one to three extents, the last
// running fastest. It fails with ErrStencil.
func New(a *sparse.Matrix, shape ...int) (*Multigrid, error) {
	if len(shape) < 1 || len(shape) > 3 {
		return nil, fmt.Errorf("multigrid: %d extents, want 1 to 3", len(shape))
	}
	nz, ny, nx := 1, 1, shape[len(shape)-1]
	if len(shape) > 1 {
		ny = shape[len(shape)-2]
	}
	if len(shape) > 2 {
		nz = shape[0]
	}
	if nx < 1 || ny < 1 || nz < 1 || nx*ny*nz != a.N {
		return nil, fmt.Errorf("multigrid: a grid of %v for %d unknowns", shape, a.N)
	}
	m := &Multigrid{levels: []*level{newLevel(nx, ny, nz)}}
	for l := m.levels[0]; l.cells() > last; {
		l = newLevel((l.nx+1)/2, (l.ny+1)/2, (l.nz+1)/2)
		m.levels = append(m.levels, l)
	}
	lowest := m.levels[len(m.levels)-1].cells()
	m.coarse = make([]float64, lowest*lowest)
	return m, m.Update(a)
}

// Update takes the values of another matrix on the same grid. It fails with
// ErrStencil.
func (m *Multigrid) Update(a *sparse.Matrix) error {
	if m.pattern == nil || !m.pattern.SamePattern(a) {
		if err := m.locate(a); err != nil {
			return err
		}
	}
	if err := m.read(a); err != nil {
		return err
	}
	for i := 1; i < len(m.levels); i++ {
		m.levels[i].coarsen(m.levels[i-1])
	}
	return m.factor()
}

// locate finds the place of every entry of the pattern.
func (m *Multigrid) locate(a *sparse.Matrix) error {
	l := m.levels[0]
	if a.N != l.cells() {
		return fmt.Errorf("multigrid: %d unknowns on a grid of %d cells", a.N, l.cells())
	}
	m.pattern = nil
	m.spot = make([]spot, len(a.Col))
	for row := range a.N {
		x, y := row%l.nx, row/l.nx%l.ny
		for k := a.Start[row]; k < a.Start[row+1]; k++ {
			lower := min(row, int(a.Col[k]))
			s := spot{at: int32(l.index(lower))}
			if int(a.Col[k]) < row {
				s.kind = mirror
			}
			switch d := int(a.Col[k]) - row; {
			case d == 0:
			case d == 1 && x+1 < l.nx || d == -1 && x > 0:
				s.kind += east
			case d == l.nx && y+1 < l.ny || d == -l.nx && y > 0:
				s.kind += north
			case d == l.nx*l.ny || d == -l.nx*l.ny:
				s.kind += top
			default:
				return fmt.Errorf("%w: entry (%d, %d) joins cells that are no neighbours", ErrStencil, row, a.Col[k])
			}
			m.spot[k] = s
		}
	}
	m.pattern = &sparse.Matrix{N: a.N, Start: a.Start, Col: a.Col}
	return nil
}

// read copies the values into the finest level.
func (m *Multigrid) read(a *sparse.Matrix) error {
	l := m.levels[0]
	clear(l.d)
	clear(l.e)
	clear(l.n)
	clear(l.t)
	into := [...][]float64{l.d, l.e, l.n, l.t}
	for k, s := range m.spot {
		if s.kind < mirror {
			into[s.kind][s.at] = a.Val[k]
		}
	}
	for k, s := range m.spot { // both sides hold the same to rounding
		v := a.Val[k]
		if s.kind == diagonal {
			if !(v > 0) {
				return fmt.Errorf("%w: diagonal entry %v", ErrStencil, v)
			}
		} else if s.kind >= mirror {
			if other := into[s.kind-mirror][s.at]; !(abs(other-v) <= 1e-12*l.d[s.at]) {
				return fmt.Errorf("%w: couplings %v and %v of the same cells", ErrStencil, other, v)
			}
		}
	}
	return l.invert()
}

func abs(v float64) float64 { return max(v, -v) }

// factor factors the coarsest level.
func (m *Multigrid) factor() error {
	l := m.levels[len(m.levels)-1]
	n := l.cells()
	clear(m.coarse)
	for c := range n {
		i := l.index(c)
		set := func(step int, v float64) {
			if v != 0 { // beyond the grid it is
				m.coarse[c*n+c+step] = v
			}
		}
		set(0, l.d[i])
		set(1, l.e[i])
		set(l.nx, l.n[i])
		if l.t != nil {
			set(l.nx*l.ny, l.t[i])
		}
	}
	if dense.Cholesky(m.coarse, n, n) >= 0 {
		return fmt.Errorf("%w: the coarsest operator is not positive definite", ErrStencil)
	}
	return nil
}

// Apply sets dst to the result of one cycle from zero: a symmetric preconditioner.
func (m *Multigrid) Apply(dst, src []float64) {
	l := m.levels[0]
	l.load(l.b, src)
	m.cycle(0)
	l.store(dst, l.x)
}

// Dim is the number of unknowns.
func (m *Multigrid) Dim() int { return m.levels[0].cells() }

// MulVec multiplies with the matrix, faster than its compressed rows do.
func (m *Multigrid) MulVec(dst, x []float64) {
	l := m.levels[0]
	l.load(l.x, x)
	l.multiply(dst)
}

// Solve solves the matrix's system by conjugate gradients; see package krylov for x,
// b, the stopping rule and the errors.
func (m *Multigrid) Solve(ctx context.Context, x, b []float64, o krylov.Options) (krylov.Result, error) {
	return krylov.CG(ctx, m, m, x, b, o)
}

// deep is the level down to which the level below is visited twice.
const deep = 3

// cycle improves the x of a level, from zero, for its b.
func (m *Multigrid) cycle(i int) {
	l := m.levels[i]
	if i == len(m.levels)-1 {
		m.solveCoarsest(l)
		return
	}
	l.smoothZero()
	l.smooth(1)
	m.descend(i)
	if i > 0 && i <= deep {
		// Once more, from what there is: the second visit of a W-cycle. The way up
		// ended with red, which need not be swept again.
		l.smooth(1)
		m.descend(i)
	}
}

// descend makes the second sweep down, corrects from the level below and makes two
// sweeps up. Red comes first on the way down, black on the way up.
func (m *Multigrid) descend(i int) {
	l, below := m.levels[i], m.levels[i+1]
	l.smooth(0)
	l.smooth(1)
	l.restrict(below)
	m.cycle(i + 1)
	l.prolong(below)
	l.smooth(1)
	l.smooth(0)
	l.smooth(1)
	l.smooth(0)
}

func (m *Multigrid) solveCoarsest(l *level) {
	n := l.cells()
	var room [last]float64
	x := room[:n]
	l.store(x, l.b)
	for k := range x {
		row := m.coarse[k*n+k : (k+1)*n]
		x[k] /= row[0]
		dense.Axpy(x[k+1:], -x[k], row[1:])
	}
	for k := n - 1; k >= 0; k-- {
		row := m.coarse[k*n+k : (k+1)*n]
		x[k] = (x[k] - dense.Dot(row[1:], x[k+1:])) / row[0]
	}
	l.load(l.x, x)
}
