package precond

import (
	"errors"
	"fmt"
	"math"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/sparse"
)

// ErrPivot is the error for a pivot that is zero, not finite, or of the wrong sign.
var ErrPivot = errors.New("unusable pivot")

// Identity is no preconditioner at all.
type Identity struct{}

// Apply copies src to dst.
func (Identity) Apply(dst, src []float64) { copy(dst, src) }

// Jacobi is the diagonal of the matrix.
type Jacobi struct{ inverse []float64 }

// NewJacobi fails with ErrPivot on a zero diagonal entry.
func NewJacobi(a *sparse.Matrix) (*Jacobi, error) {
	d, err := inverseDiagonal(a)
	return &Jacobi{d}, err
}

func inverseDiagonal(a *sparse.Matrix) ([]float64, error) {
	d := a.Diagonal()
	for i, v := range d {
		if v = 1 / v; !usable(v) {
			return nil, fmt.Errorf("%w: diagonal entry %d is %v", ErrPivot, i, d[i])
		}
		d[i] = v
	}
	return d, nil
}

func usable(v float64) bool { return v != 0 && !math.IsInf(v, 0) && !math.IsNaN(v) }

// Apply divides by the diagonal.
func (p *Jacobi) Apply(dst, src []float64) {
	for i, d := range p.inverse {
		dst[i] = d * src[i]
	}
}

// SSOR is symmetric successive over-relaxation, a forward and a backward sweep:
// M = (D/ω + L) ((2-ω)/ω D)⁻¹ (D/ω + U), Saad (4.27). It is symmetric positive
// definite if the matrix is and 0 < ω < 2.
type SSOR struct {
	a       *sparse.Matrix
	inverse []float64
	diag    []int32
	omega   float64
}

// NewSSOR fails with ErrPivot on a zero diagonal entry, and when omega is not
// between 0 and 2.
func NewSSOR(a *sparse.Matrix, omega float64) (*SSOR, error) {
	if !(omega > 0 && omega < 2) {
		return nil, fmt.Errorf("SSOR: the relaxation is %v, want more than 0 and less than 2", omega)
	}
	inverse, err := inverseDiagonal(a)
	if err != nil {
		return nil, err
	}
	diag, err := diagonalPlaces(a)
	return &SSOR{a, inverse, diag, omega}, err
}

// diagonalPlaces are the indices of the diagonal entries among the values.
func diagonalPlaces(a *sparse.Matrix) ([]int32, error) {
	places := make([]int32, a.N)
	for i := range places {
		places[i] = -1
		for k := a.Start[i]; k < a.Start[i+1]; k++ {
			if int(a.Col[k]) == i {
				places[i] = k
			}
		}
		if places[i] < 0 {
			return nil, fmt.Errorf("%w: row %d has no diagonal entry", ErrPivot, i)
		}
	}
	return places, nil
}

// Apply makes the two sweeps.
func (p *SSOR) Apply(dst, src []float64) {
	a := p.a
	for i := 0; i < a.N; i++ { // (D/ω + L) y = src
		s := src[i]
		for k := a.Start[i]; k < p.diag[i]; k++ {
			s -= a.Val[k] * dst[a.Col[k]]
		}
		dst[i] = p.omega * p.inverse[i] * s
	}
	scale := (2 - p.omega) / p.omega
	for i := a.N - 1; i >= 0; i-- { // (D/ω + U) z = scale D y
		s := scale * dst[i] / p.inverse[i]
		for k := p.diag[i] + 1; k < a.Start[i+1]; k++ {
			s -= a.Val[k] * dst[a.Col[k]]
		}
		dst[i] = p.omega * p.inverse[i] * s
	}
}

// BlockJacobi is the inverse of the diagonal blocks of a fixed order.
type BlockJacobi struct {
	n, size int
	blocks  []float64 // LU factors, row-major, one block after the other
	pivots  []int
}

// maxBlock bounds the memory of dense blocks.
const maxBlock = 1024

// NewBlockJacobi makes dense blocks of the given order from 1 to 1024; the last may
// be smaller. It fails with ErrPivot on a singular block.
func NewBlockJacobi(a *sparse.Matrix, size int) (*BlockJacobi, error) {
	if size < 1 || size > maxBlock {
		return nil, fmt.Errorf("block Jacobi: blocks of %d, want 1 to %d", size, maxBlock)
	}
	count := (a.N + size - 1) / size
	p := &BlockJacobi{a.N, size, make([]float64, count*size*size), make([]int, a.N)}
	for first := 0; first < a.N; first += size {
		n := min(size, a.N-first)
		block := p.block(first)
		for i := range n {
			for k := a.Start[first+i]; k < a.Start[first+i+1]; k++ {
				if j := int(a.Col[k]) - first; j >= 0 && j < n {
					block[i*size+j] = a.Val[k]
				}
			}
		}
		if bad := dense.LU(block, n, n, n, size, p.pivots[first:first+n], 0); bad >= 0 {
			return nil, fmt.Errorf("%w: the diagonal block at row %d is singular", ErrPivot, first)
		}
	}
	return p, nil
}

func (p *BlockJacobi) block(first int) []float64 { return p.blocks[first*p.size:] }

// Apply solves with every block.
func (p *BlockJacobi) Apply(dst, src []float64) {
	copy(dst, src[:p.n])
	for first := 0; first < p.n; first += p.size {
		n := min(p.size, p.n-first)
		lu, x := p.block(first), dst[first:first+n]
		dense.Exchange(x, 1, 1, p.pivots[first:first+n])
		for i := range x {
			x[i] -= dense.Dot(lu[i*p.size:][:i], x)
		}
		for i := n - 1; i >= 0; i-- {
			row := lu[i*p.size:][:n]
			x[i] = (x[i] - dense.Dot(row[i+1:], x[i+1:])) / row[i]
		}
	}
}
