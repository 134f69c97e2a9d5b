package krylov

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"

	"penstock.dev/transforms/pde/dense"
)

// Space is a copy of the vectors U that are carried to the next system.
func (r *Recycler) Space() [][]float64 {
	space := make([][]float64, r.kept)
	for i := range space {
		space[i] = slices.Clone(r.vector(i))
	}
	return space
}

// Delta is the distance δ(Q, C) = ‖(I - Π_C) Π_Q‖₂ of two spaces, each the image under
// B = A M⁻¹ of what vectors span: the sine of the largest angle between a vector of Q
// and C, from 0 where C contains Q to 1 where a vector of Q is orthogonal to it, to
// about 1e-8. With the space carried to a system as c and the one it leaves as q, it
// tells how little of what is wanted was there at the start (Parks et al., section 2;
// Wang et al., ICLR 2024, take it for the gain from sorting).
func Delta(a Operator, m Preconditioner, q, c [][]float64) float64 {
	n := a.Dim()
	image := func(u [][]float64) ([]float64, int) {
		rows, z := make([]float64, len(u)*n), make([]float64, n)
		for i, v := range u {
			m.Apply(z, v)
			a.MulVec(rows[i*n:(i+1)*n], z)
		}
		k := gramSchmidt(rows, make([]float64, len(rows)), len(u), n)
		return rows, k
	}
	left, k := image(q)
	right, l := image(c)
	if k == 0 {
		return 0
	}
	if k > l { // some vector of Q is orthogonal to C
		return 1
	}
	cosines := blas64.General{Rows: k, Cols: l, Stride: l, Data: make([]float64, k*l)}
	dense.Gram(cosines.Data, left, k, right, l, n)
	values, work := make([]float64, k), make([]float64, 16*(k+l))
	if !dense.Finite(cosines.Data) || !lapack64.Gesvd(lapack.SVDNone, lapack.SVDNone, cosines, blas64.General{Stride: 1}, blas64.General{Stride: 1}, values, work, len(work)) {
		return math.NaN()
	}
	smallest := values[k-1]
	return math.Sqrt(max(0, 1-smallest*smallest))
}
