package krylov

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"

	"penstock.dev/transforms/pde/dense"
)

// squareish is a matrix with one row more than columns.
type squareish struct {
	n    int
	data []float64
}

func newSquareish(n int) squareish { return squareish{n, make([]float64, (n+1)*n)} }

func (m squareish) set(i, j int, v float64) { m.data[i*m.n+j] = v }

func (m squareish) general() blas64.General {
	return blas64.General{Rows: m.n + 1, Cols: m.n, Stride: m.n, Data: slices.Clone(m.data)}
}

// recycle finds the k harmonic Ritz vectors of smallest modulus, those z with
// GᵀG z = θ Gᵀ(WᵀV̂) z, and from them P R⁻¹ and Q, where G P = Q R. Both are
// row-major with got columns. A complex pair across the end makes got k+1, or k-1
// where that is more than most; got is 0 where nothing is sound.
//
// With G = Q₁R₁ the problem is R₁⁻¹Q₁ᵀ(WᵀV̂) z = θ⁻¹ z, a standard one, of which the
// largest are wanted.
func recycle(g, wv squareish, k, most int) (q, p []float64, got int) {
	if !dense.Finite(g.data) || !dense.Finite(wv.data) {
		return nil, nil, 0
	}
	vectors := harmonicRitz(g, wv, k, most)
	if vectors == nil {
		return nil, nil, 0
	}
	n, got := g.n, len(vectors)
	p = make([]float64, n*got)
	for j, v := range vectors {
		for i, x := range v {
			p[i*got+j] = x
		}
	}
	q = make([]float64, (n+1)*got)
	dense.Multiply(n+1, got, n, 1, dense.View{Data: g.data, Row: n, Col: 1}, p, got, q, got)
	if !orthonormalColumns(q, p, n+1, n, got) {
		return nil, nil, 0
	}
	return q, p, got
}

// orthonormalColumns makes the columns of q orthonormal by Cholesky-QR twice and
// applies the same operations to p; it reports whether they are independent enough.
func orthonormalColumns(q, p []float64, rowsQ, rowsP, k int) bool {
	for range 2 {
		gram := make([]float64, k*k)
		dense.Multiply(k, k, rowsQ, 1, dense.View{Data: q, Row: 1, Col: k}, q, k, gram, k)
		if dense.Cholesky(gram, k, k) >= 0 || spread(gram, k) < 1e-7 {
			return false
		}
		dense.SolveUpperRight(gram, k, k, q, rowsQ, k)
		dense.SolveUpperRight(gram, k, k, p, rowsP, k)
	}
	return dense.Finite(q) && dense.Finite(p)
}

// harmonicRitz returns k real vectors that span the wanted eigenvectors, of unit
// norm, or none; see choose for those that make a pair.
func harmonicRitz(g, wv squareish, k, most int) [][]float64 {
	n := g.n
	qr, rhs := g.general(), wv.general()
	tau := make([]float64, n)
	work := make([]float64, 64*(n+1))
	lapack64.Geqrf(qr, tau, work, len(work))
	if r := upper(qr.Data, n); !(r > 1e-14) {
		return nil
	}
	lapack64.Ormqr(blas.Left, blas.Trans, qr, tau, rhs, work, len(work))
	s := blas64.General{Rows: n, Cols: n, Stride: n, Data: rhs.Data[:n*n]}
	blas64.Trsm(blas.Left, blas.NoTrans, 1, blas64.Triangular{Uplo: blas.Upper, Diag: blas.NonUnit, N: n, Stride: n, Data: qr.Data}, s)
	if !dense.Finite(s.Data) { // the eigenvalue iteration would not end
		return nil
	}
	re, im := make([]float64, n), make([]float64, n)
	right := blas64.General{Rows: n, Cols: n, Stride: n, Data: make([]float64, n*n)}
	if lapack64.Geev(lapack.LeftEVNone, lapack.RightEVCompute, s, re, im, blas64.General{Stride: 1}, right, work, len(work)) != 0 {
		return nil
	}
	return choose(re, im, right.Data, k, most)
}

// upper is the ratio of the smallest to the largest modulus on the diagonal.
func upper(r []float64, n int) float64 {
	smallest, largest := math.Inf(1), 0.0
	for i := range n {
		d := math.Abs(r[i*n+i])
		smallest, largest = min(smallest, d), max(largest, d)
	}
	return smallest / largest
}

// choose takes the eigenvectors of the k largest moduli. A complex pair is its real
// and its imaginary part; one that does not fit is taken if most allows it.
func choose(re, im, vectors []float64, k, most int) [][]float64 {
	n := len(re)
	order := make([]int, 0, n)
	for i := range n {
		if im[i] >= 0 { // the second of a pair goes with the first
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(math.Hypot(re[j], im[j]), math.Hypot(re[i], im[i]))
	})
	column := func(j int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = vectors[i*n+j]
		}
		dense.Scale(v, 1/dense.Norm(v))
		return v
	}
	var chosen [][]float64
	for _, i := range order {
		switch {
		case len(chosen) >= k:
			return chosen
		case im[i] == 0:
			chosen = append(chosen, column(i))
		case len(chosen)+2 <= most:
			chosen = append(chosen, column(i), column(i+1))
		default:
			return chosen
		}
	}
	return chosen
}
