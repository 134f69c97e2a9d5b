package precond

import (
	"fmt"
	"math"
	"slices"

	"penstock.dev/transforms/pde/sparse"
)

// ILU0 is an incomplete LU factorisation without fill: L and U have the pattern of
// the matrix (Saad, algorithm 10.4).
type ILU0 struct {
	n        int
	start    []int32 // of rows of L, strictly lower
	col      []int32
	val      []float64
	startU   []int32 // of rows of U, strictly upper
	colU     []int32
	valU     []float64
	inverses []float64 // of the diagonal of U
}

// NewILU0 fails with ErrPivot on a pivot that is zero or not finite.
func NewILU0(a *sparse.Matrix) (*ILU0, error) {
	diag, err := diagonalPlaces(a)
	if err != nil {
		return nil, err
	}
	val := slices.Clone(a.Val)
	inverses := make([]float64, a.N)
	place := make([]int32, a.N) // of a column in the current row, plus one
	for i := range a.N {
		from, to := a.Start[i], a.Start[i+1]
		for k := from; k < to; k++ {
			place[a.Col[k]] = k + 1
		}
		for k := from; k < diag[i]; k++ {
			above := a.Col[k]
			f := val[k] * inverses[above]
			val[k] = f
			for l := diag[above] + 1; l < a.Start[above+1]; l++ {
				if at := place[a.Col[l]]; at > 0 {
					val[at-1] -= f * val[l]
				}
			}
		}
		for k := from; k < to; k++ {
			place[a.Col[k]] = 0
		}
		if inverses[i] = 1 / val[diag[i]]; !usable(inverses[i]) {
			return nil, fmt.Errorf("%w: ILU(0) has pivot %v in row %d", ErrPivot, val[diag[i]], i)
		}
	}
	return divide(a, diag, val, inverses), nil
}

// divide parts the factors, so that each sweep reads memory in order.
func divide(a *sparse.Matrix, diag []int32, val, inverses []float64) *ILU0 {
	p := &ILU0{n: a.N, inverses: inverses, start: make([]int32, a.N+1), startU: make([]int32, a.N+1)}
	half := (len(val) - a.N) / 2
	p.col, p.val = make([]int32, 0, half), make([]float64, 0, half)
	p.colU, p.valU = make([]int32, 0, half), make([]float64, 0, half)
	for i := range a.N {
		p.col = append(p.col, a.Col[a.Start[i]:diag[i]]...)
		p.val = append(p.val, val[a.Start[i]:diag[i]]...)
		p.start[i+1] = int32(len(p.col))
		p.colU = append(p.colU, a.Col[diag[i]+1:a.Start[i+1]]...)
		p.valU = append(p.valU, val[diag[i]+1:a.Start[i+1]]...)
		p.startU[i+1] = int32(len(p.colU))
	}
	return p
}

// Apply solves with L, then with U.
func (p *ILU0) Apply(dst, src []float64) {
	n := p.n
	dst, src = dst[:n], src[:n]
	from := int32(0)
	for i, s := range src {
		to := p.start[i+1]
		col := p.col[from:to]
		val := p.val[from:to][:len(col)]
		for k, j := range col {
			s -= val[k] * dst[j]
		}
		dst[i] = s
		from = to
	}
	to := p.startU[n]
	for i := n - 1; i >= 0; i-- {
		from := p.startU[i]
		col := p.colU[from:to]
		val := p.valU[from:to][:len(col)]
		s := dst[i]
		for k, j := range col {
			s -= val[k] * dst[j]
		}
		dst[i] = s * p.inverses[i]
		to = from
	}
}

// IC0 is an incomplete Cholesky factorisation without fill (Saad, section 10.3.2),
// of the matrix with a multiple of its diagonal added where it would break down
// (Manteuffel, An incomplete factorization technique for positive definite linear
// systems, Math. Comp. 34, 1980).
type IC0 struct {
	n        int
	start    []int32 // of rows of L, strictly lower
	col      []int32
	val      []float64
	inverses []float64 // of the diagonal of L
	Shift    float64   // the multiple of the diagonal that was added, 0 for most matrices
}

// NewIC0 reads the lower triangle of a. It fails with ErrPivot when the diagonal is
// not positive or no shift up to 1 helps.
func NewIC0(a *sparse.Matrix) (*IC0, error) {
	diag, err := diagonalPlaces(a)
	if err != nil {
		return nil, err
	}
	p := &IC0{n: a.N, start: make([]int32, a.N+1), inverses: make([]float64, a.N)}
	for i := range a.N {
		p.col = append(p.col, a.Col[a.Start[i]:diag[i]]...)
		p.start[i+1] = int32(len(p.col))
	}
	p.val = make([]float64, len(p.col))
	for _, p.Shift = range []float64{0, 1e-3, 1e-2, 0.1, 1} {
		if err = p.factor(a, diag); err == nil {
			return p, nil
		}
	}
	return nil, err
}

func (p *IC0) factor(a *sparse.Matrix, diag []int32) error {
	place := make([]int32, p.n)
	for i := range p.n {
		from, to := p.start[i], p.start[i+1]
		copy(p.val[from:to], a.Val[a.Start[i]:diag[i]])
		for k := from; k < to; k++ {
			place[p.col[k]] = k + 1
		}
		d := a.Val[diag[i]] * (1 + p.Shift)
		for k := from; k < to; k++ {
			j := p.col[k]
			s := p.val[k]
			for l := p.start[j]; l < p.start[j+1]; l++ {
				if at := place[p.col[l]]; at > 0 {
					s -= p.val[at-1] * p.val[l]
				}
			}
			s *= p.inverses[j]
			p.val[k] = s
			d -= s * s
		}
		for k := from; k < to; k++ {
			place[p.col[k]] = 0
		}
		if !(d > 0) || math.IsInf(d, 0) {
			return fmt.Errorf("%w: IC(0) has pivot %v in row %d", ErrPivot, d, i)
		}
		p.inverses[i] = 1 / math.Sqrt(d)
	}
	return nil
}

// Apply solves with L, then with its transpose.
func (p *IC0) Apply(dst, src []float64) {
	n := p.n
	dst, src = dst[:n], src[:n]
	from := int32(0)
	for i, s := range src {
		to := p.start[i+1]
		col := p.col[from:to]
		val := p.val[from:to][:len(col)]
		for k, j := range col {
			s -= val[k] * dst[j]
		}
		dst[i] = s * p.inverses[i]
		from = to
	}
	to := p.start[n]
	for i := n - 1; i >= 0; i-- {
		from := p.start[i]
		col := p.col[from:to]
		val := p.val[from:to][:len(col)]
		s := dst[i] * p.inverses[i]
		dst[i] = s
		for k, j := range col {
			dst[j] -= val[k] * s
		}
		to = from
	}
}
