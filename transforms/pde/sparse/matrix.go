package sparse

import (
	"fmt"
	"math"
	"slices"
)

// Matrix is a square sparse matrix in compressed rows. The entries of row i are
// Val[Start[i]:Start[i+1]] in the columns Col[Start[i]:Start[i+1]], which grow.
// Matrices of one pattern may share Start and Col; solvers recognise that and keep
// what depends on the pattern alone.
type Matrix struct {
	N     int
	Start []int32 // N+1
	Col   []int32
	Val   []float64
}

// Limit is the largest order and number of entries of a matrix.
const Limit = math.MaxInt32

// New makes a matrix from its parts after checking that they fit together.
func New(n int, start, col []int32, val []float64) (*Matrix, error) {
	switch {
	case n < 0 || len(start) != n+1:
		return nil, fmt.Errorf("sparse: order %d needs %d row starts, have %d", n, n+1, len(start))
	case len(col) != len(val) || start[0] != 0 || int(start[n]) != len(col):
		return nil, fmt.Errorf("sparse: %d columns, %d values, row starts from %d to %d", len(col), len(val), start[0], start[n])
	}
	for i := 0; i < n; i++ {
		if start[i] > start[i+1] || int(start[i+1]) > len(col) {
			return nil, fmt.Errorf("sparse: row %d ends before it starts", i)
		}
		last := int32(-1)
		for _, j := range col[start[i]:start[i+1]] {
			if j <= last || int(j) >= n {
				return nil, fmt.Errorf("sparse: row %d: column %d follows %d in a matrix of order %d", i, j, last, n)
			}
			last = j
		}
	}
	return &Matrix{n, start, col, val}, nil
}

// Entry is a value in its place.
type Entry struct {
	Row, Col int
	Val      float64
}

// FromEntries makes a matrix of order n. Entries in the same place are added, in
// the order given.
func FromEntries(n int, entries []Entry) (*Matrix, error) {
	if n < 0 || n >= Limit || len(entries) >= Limit {
		return nil, fmt.Errorf("sparse: order %d with %d entries is beyond the limit of %d", n, len(entries), Limit)
	}
	start := make([]int32, n+1)
	for _, e := range entries {
		if e.Row < 0 || e.Row >= n || e.Col < 0 || e.Col >= n {
			return nil, fmt.Errorf("sparse: entry (%d, %d) lies outside a matrix of order %d", e.Row, e.Col, n)
		}
		start[e.Row+1]++
	}
	for i := range n {
		start[i+1] += start[i]
	}
	rows := make([]Entry, len(entries))
	next := slices.Clone(start)
	for _, e := range entries {
		rows[next[e.Row]] = e
		next[e.Row]++
	}
	m := &Matrix{N: n, Start: make([]int32, n+1), Col: make([]int32, 0, len(entries)), Val: make([]float64, 0, len(entries))}
	for i := range n {
		row := rows[start[i]:start[i+1]]
		slices.SortStableFunc(row, func(a, b Entry) int { return a.Col - b.Col })
		for k, e := range row {
			if k > 0 && e.Col == row[k-1].Col {
				m.Val[len(m.Val)-1] += e.Val
				continue
			}
			m.Col = append(m.Col, int32(e.Col))
			m.Val = append(m.Val, e.Val)
		}
		m.Start[i+1] = int32(len(m.Col))
	}
	return m, nil
}

// Dim is the order.
func (m *Matrix) Dim() int { return m.N }

// MulVec sets dst to m x. dst and x must not overlap.
func (m *Matrix) MulVec(dst, x []float64) {
	start := m.Start[: m.N+1 : m.N+1]
	dst = dst[:m.N]
	from := start[0]
	for i := range dst {
		to := start[i+1]
		col := m.Col[from:to]
		val := m.Val[from:to]
		val = val[:len(col)]
		var s float64
		for k, j := range col {
			s += val[k] * x[j]
		}
		dst[i] = s
		from = to
	}
}

// Residual sets dst to b - m x.
func (m *Matrix) Residual(dst, b, x []float64) {
	m.MulVec(dst, x)
	for i, v := range b[:m.N] {
		dst[i] = v - dst[i]
	}
}

// At is the entry in row i and column j, 0 where there is none.
func (m *Matrix) At(i, j int) float64 {
	from, to := m.Start[i], m.Start[i+1]
	if k, ok := slices.BinarySearch(m.Col[from:to], int32(j)); ok {
		return m.Val[int(from)+k]
	}
	return 0
}

// Diagonal is the main diagonal.
func (m *Matrix) Diagonal() []float64 {
	d := make([]float64, m.N)
	for i := range d {
		d[i] = m.At(i, i)
	}
	return d
}

// Transpose is the transposed matrix.
func (m *Matrix) Transpose() *Matrix {
	t := &Matrix{N: m.N, Start: make([]int32, m.N+1), Col: make([]int32, len(m.Col)), Val: make([]float64, len(m.Val))}
	for _, j := range m.Col {
		t.Start[j+1]++
	}
	for i := range m.N {
		t.Start[i+1] += t.Start[i]
	}
	next := slices.Clone(t.Start)
	for i := range m.N {
		for k := m.Start[i]; k < m.Start[i+1]; k++ {
			at := next[m.Col[k]]
			next[m.Col[k]]++
			t.Col[at], t.Val[at] = int32(i), m.Val[k]
		}
	}
	return t
}

// Symmetric reports whether the matrix equals its transpose to within tol times its
// largest entry. A NaN is never symmetric.
func (m *Matrix) Symmetric(tol float64) bool {
	largest := 0.0
	for _, v := range m.Val {
		largest = max(largest, math.Abs(v))
	}
	for i := range m.N {
		for k := m.Start[i]; k < m.Start[i+1]; k++ {
			if !(math.Abs(m.Val[k]-m.At(int(m.Col[k]), i)) <= tol*largest) {
				return false
			}
		}
	}
	return true
}

// SamePattern reports whether the entries of m and o stand in the same places.
func (m *Matrix) SamePattern(o *Matrix) bool {
	if m.N != o.N || len(m.Col) != len(o.Col) {
		return false
	}
	return same(m.Start, o.Start) && same(m.Col, o.Col)
}

func same(a, b []int32) bool {
	return len(a) == 0 || &a[0] == &b[0] || slices.Equal(a, b)
}

// Equal reports whether m and o have the same entries in the same places.
func (m *Matrix) Equal(o *Matrix) bool {
	return m.SamePattern(o) && (len(m.Val) == 0 || &m.Val[0] == &o.Val[0] || slices.Equal(m.Val, o.Val))
}

// Check reports the first entry that is not finite.
func (m *Matrix) Check() error {
	for k, v := range m.Val {
		if v-v != 0 {
			row, _ := slices.BinarySearch(m.Start, int32(k)+1)
			return fmt.Errorf("entry (%d, %d) of the matrix is %v", row-1, m.Col[k], v)
		}
	}
	return nil
}
