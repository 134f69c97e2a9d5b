package dense

import "math"

// small is the order below which the recursive forms below work row by row.
const small = 16

// Cholesky overwrites the upper triangle of the n×n matrix a, rows lda apart, with
// U where UᵀU = a. Only the upper triangle is read, and what lies below it is not
// written. It returns -1, or the number of the first pivot that is not positive, a
// NaN included; a is spoilt then.
//
// Recursive and row-major after Gustavson, Recursion leads to automatic variable
// blocking for dense linear-algebra algorithms, IBM J. Res. Dev. 41 (1997).
func Cholesky(a []float64, n, lda int) int {
	if n <= small {
		return choleskyRows(a, n, lda)
	}
	h := n / 2 &^ 3
	if bad := Cholesky(a, h, lda); bad >= 0 {
		return bad
	}
	right, corner := a[h:], a[h*lda+h:]
	SolveUpperTransposed(a, h, lda, right, n-h, lda)
	SubtractGram(corner, n-h, lda, right, h, lda)
	if bad := Cholesky(corner, n-h, lda); bad >= 0 {
		return h + bad
	}
	return -1
}

func choleskyRows(a []float64, n, lda int) int {
	for i := 0; i < n; i++ {
		row := a[i*lda:][:n]
		d := row[i]
		if !(d > 0) || math.IsInf(d, 1) {
			return i
		}
		d = math.Sqrt(d)
		row[i] = d
		for j := i + 1; j < n; j++ {
			row[j] /= d
		}
		for l := i + 1; l < n; l++ {
			if f := row[l]; f != 0 {
				axpyPlain(a[l*lda+l:][:n-l], -f, row[l:])
			}
		}
	}
	return -1
}

// SubtractGram subtracts bᵀb from the upper triangle of the n×n matrix c, where b
// is k×n; rows are ldc and ldb apart. Some of what lies below the diagonal is
// written too.
func SubtractGram(c []float64, n, ldc int, b []float64, k, ldb int) {
	const rows = 48
	for i := 0; i < n; i += rows {
		m := min(rows, n-i)
		Multiply(m, n-i, k, -1, View{b[i:], 1, ldb}, b[i:], ldb, c[i*ldc+i:], ldc)
	}
}

// SolveUpperTransposed overwrites the n×m matrix b with U⁻ᵀb, where the upper
// triangle of u, n×n, is U.
func SolveUpperTransposed(u []float64, n, ldu int, b []float64, m, ldb int) {
	if n <= small {
		for i := 0; i < n; i++ {
			row := b[i*ldb:][:m]
			for l := 0; l < i; l++ {
				axpy(row, -u[l*ldu+i], b[l*ldb:])
			}
			Scale(row, 1/u[i*ldu+i])
		}
		return
	}
	h := n / 2 &^ 3
	SolveUpperTransposed(u, h, ldu, b, m, ldb)
	Multiply(n-h, m, h, -1, View{u[h:], 1, ldu}, b, ldb, b[h*ldb:], ldb)
	SolveUpperTransposed(u[h*ldu+h:], n-h, ldu, b[h*ldb:], m, ldb)
}

// SolveUnitLower overwrites the n×m matrix b with L⁻¹b, where L has the strict lower
// triangle of l, n×n, and ones on its diagonal.
func SolveUnitLower(l []float64, n, ldl int, b []float64, m, ldb int) {
	if n <= small {
		for i := 1; i < n; i++ {
			row := b[i*ldb:][:m]
			for j := 0; j < i; j++ {
				axpy(row, -l[i*ldl+j], b[j*ldb:])
			}
		}
		return
	}
	h := n / 2 &^ 3
	SolveUnitLower(l, h, ldl, b, m, ldb)
	Multiply(n-h, m, h, -1, View{l[h*ldl:], ldl, 1}, b, ldb, b[h*ldb:], ldb)
	SolveUnitLower(l[h*ldl+h:], n-h, ldl, b[h*ldb:], m, ldb)
}

// SolveUpperRight overwrites the m×n matrix b with bU⁻¹, where the upper triangle of
// u, n×n, is U.
func SolveUpperRight(u []float64, n, ldu int, b []float64, m, ldb int) {
	if n <= small/2 {
		var inverses [small / 2]float64
		for j := range n {
			inverses[j] = 1 / u[j*ldu+j]
		}
		for i := 0; i < m; i++ {
			row := b[i*ldb:][:n]
			for j := range row {
				f := row[j] * inverses[j]
				row[j] = f
				above := u[j*ldu:][:n]
				for l := j + 1; l < n; l++ {
					row[l] -= f * above[l]
				}
			}
		}
		return
	}
	h := (n/2 + 3) &^ 3
	SolveUpperRight(u, h, ldu, b, m, ldb)
	Multiply(m, n-h, h, -1, View{b, ldb, 1}, u[h:], ldu, b[h:], ldb)
	SolveUpperRight(u[h*ldu+h:], n-h, ldu, b[h:], m, ldb)
}

// LU overwrites the m×n matrix a, m ≥ n, rows lda apart, with its factors L (unit
// lower, below the diagonal) and U, after exchanging rows: pivots[i] is the row that
// was exchanged with row i. Rows from limit on are never chosen as pivots. It
// returns -1, or the number of the first pivot no larger than tiny or not finite;
// a is spoilt then.
//
// Recursive after Toledo, Locality of reference in LU decomposition with partial
// pivoting, SIAM J. Matrix Anal. Appl. 18 (1997).
func LU(a []float64, m, n, limit, lda int, pivots []int, tiny float64) int {
	if n <= small/2 {
		return luColumns(a, m, n, limit, lda, pivots, tiny)
	}
	h := n / 2 &^ 3
	if bad := LU(a, m, h, limit, lda, pivots, tiny); bad >= 0 {
		return bad
	}
	Exchange(a[h:], n-h, lda, pivots[:h])
	SolveUnitLower(a, h, lda, a[h:], n-h, lda)
	Multiply(m-h, n-h, h, -1, View{a[h*lda:], lda, 1}, a[h:], lda, a[h*lda+h:], lda)
	if bad := LU(a[h*lda+h:], m-h, n-h, limit-h, lda, pivots[h:n], tiny); bad >= 0 {
		return h + bad
	}
	Exchange(a[h*lda:], h, lda, pivots[h:n])
	for i := h; i < n; i++ {
		pivots[i] += h
	}
	return -1
}

func luColumns(a []float64, m, n, limit, lda int, pivots []int, tiny float64) int {
	for j := 0; j < n; j++ {
		best, largest := j, math.Abs(a[j*lda+j])
		for i := j + 1; i < limit; i++ {
			if v := math.Abs(a[i*lda+j]); v > largest {
				best, largest = i, v
			}
		}
		if !(largest > tiny) || math.IsInf(largest, 0) {
			return j
		}
		pivots[j] = best
		if best != j {
			swap(a[j*lda:][:n], a[best*lda:][:n])
		}
		row := a[j*lda:][:n]
		for i := j + 1; i < m; i++ {
			other := a[i*lda:][:n]
			f := other[j] / row[j]
			other[j] = f
			if f != 0 {
				axpyPlain(other[j+1:], -f, row[j+1:])
			}
		}
	}
	return -1
}

// Exchange applies row exchanges, as LU found them, to the first n columns of b.
func Exchange(b []float64, n, ldb int, pivots []int) {
	for i, p := range pivots {
		if p != i {
			swap(b[i*ldb:][:n], b[p*ldb:][:n])
		}
	}
}

func swap(x, y []float64) {
	for i := range x {
		x[i], y[i] = y[i], x[i]
	}
}
