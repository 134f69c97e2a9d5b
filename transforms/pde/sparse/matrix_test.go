package sparse

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func random(rng *rand.Rand, n, entries int) (*Matrix, *mat.Dense) {
	dense := mat.NewDense(n, n, nil)
	var list []Entry
	for range entries {
		e := Entry{rng.IntN(n), rng.IntN(n), rng.NormFloat64()}
		list = append(list, e)
		dense.Set(e.Row, e.Col, dense.At(e.Row, e.Col)+e.Val)
	}
	m, err := FromEntries(n, list)
	if err != nil {
		panic(err)
	}
	return m, dense
}

func TestMatrixAgreesWithDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 30; n++ {
		m, dense := random(rng, n, 3*n)
		if again, err := New(m.N, m.Start, m.Col, m.Val); err != nil || !again.Equal(m) {
			t.Fatal(err)
		}
		x, b, y := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range x {
			x[i], b[i] = rng.NormFloat64(), rng.NormFloat64()
		}
		var want mat.VecDense
		want.MulVec(dense, mat.NewVecDense(n, x))
		m.MulVec(y, x)
		transposed := m.Transpose()
		for i := range n {
			if math.Abs(y[i]-want.AtVec(i)) > 1e-13 {
				t.Errorf("order %d: product differs in row %d", n, i)
			}
			for j := range n {
				if math.Abs(m.At(i, j)-dense.At(i, j)) > 1e-15 || m.At(i, j) != transposed.At(j, i) {
					t.Errorf("order %d: entry (%d, %d)", n, i, j)
				}
			}
			if m.Diagonal()[i] != m.At(i, i) {
				t.Errorf("order %d: diagonal %d", n, i)
			}
		}
		r := make([]float64, n)
		m.Residual(r, b, x)
		for i := range r {
			if r[i] != b[i]-y[i] {
				t.Errorf("order %d: residual %d", n, i)
			}
		}
		if !transposed.Transpose().Equal(m) {
			t.Errorf("order %d: the transpose of the transpose differs", n)
		}
	}
}

func TestSymmetryIsSeen(t *testing.T) {
	m, _ := FromEntries(2, []Entry{{0, 0, 1}, {0, 1, 2}, {1, 0, 2}})
	u, _ := FromEntries(2, []Entry{{0, 0, 1}, {0, 1, 2}})
	nan, _ := FromEntries(1, []Entry{{0, 0, math.NaN()}})
	if !m.Symmetric(0) || u.Symmetric(0.5) || nan.Symmetric(1) {
		t.Error("wrong")
	}
}

func TestMalformedPartsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		n          int
		start, col []int32
	}{
		"few starts":     {2, []int32{0, 1}, []int32{0}},
		"unsorted":       {1, []int32{0, 2}, []int32{0, 0}},
		"column outside": {1, []int32{0, 1}, []int32{1}},
		"negative":       {1, []int32{0, 1}, []int32{-1}},
		"starts fall":    {2, []int32{0, 2, 1}, []int32{0}},
		"first start":    {1, []int32{1, 1}, []int32{0}},
	} {
		if _, err := New(c.n, c.start, c.col, make([]float64, len(c.col))); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, e := range []Entry{{Row: -1}, {Row: 2}, {Col: -1}, {Col: 2}} {
		if _, err := FromEntries(2, []Entry{e}); err == nil {
			t.Errorf("%v accepted", e)
		}
	}
}

func TestTheEntryThatIsNotFiniteIsNamed(t *testing.T) {
	m, _ := FromEntries(4, []Entry{{0, 0, 1}, {2, 1, 3}, {2, 3, math.Inf(1)}, {3, 0, 1}})
	if err := m.Check(); err == nil || err.Error() != "entry (2, 3) of the matrix is +Inf" {
		t.Error(err)
	}
	m.Val[2] = 0
	if err := m.Check(); err != nil {
		t.Error(err)
	}
}

// Entries, in any order, make the same matrix as their parts checked again.
func FuzzFromEntries(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		const n = 9
		var list []Entry
		for ; len(b) >= 2; b = b[2:] {
			list = append(list, Entry{int(b[0]) % 10, int(b[1]) % 10, float64(len(b))})
		}
		m, err := FromEntries(n, list)
		if err != nil {
			if !slices.ContainsFunc(list, func(e Entry) bool { return e.Row == n || e.Col == n }) {
				t.Fatal(err)
			}
			return
		}
		if _, err := New(m.N, m.Start, m.Col, m.Val); err != nil {
			t.Fatal(err)
		}
	})
}
