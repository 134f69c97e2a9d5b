package direct

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/sparse"
)

// laplacian is a grid's Laplacian plus convection (which makes it unsymmetric), with
// varied coefficients.
func laplacian(rng *rand.Rand, convection float64, shape ...int) *sparse.Matrix {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	var list []sparse.Entry
	stride := n
	for _, extent := range shape {
		stride /= extent
		for i := range n {
			if i/stride%extent == 0 {
				list = append(list, sparse.Entry{Row: i, Col: i, Val: 1})
				continue
			}
			j := i - stride
			k := 0.5 + rng.Float64()
			list = append(list,
				sparse.Entry{Row: i, Col: i, Val: k}, sparse.Entry{Row: j, Col: j, Val: k},
				sparse.Entry{Row: i, Col: j, Val: -k - convection}, sparse.Entry{Row: j, Col: i, Val: -k + convection})
		}
	}
	a, err := sparse.FromEntries(n, list)
	if err != nil {
		panic(err)
	}
	return a
}

func sines(n int) []float64 {
	b := make([]float64, n)
	for i := range b {
		b[i] = math.Sin(float64(i + 1))
	}
	return b
}

func relative(a *sparse.Matrix, x, b []float64) float64 {
	r := make([]float64, len(b))
	a.Residual(r, b, x)
	return dense.Norm(r) / dense.Norm(b)
}

type factor interface {
	Factor(context.Context, *sparse.Matrix) error
	Apply(dst, src []float64)
}

func analyse(t testing.TB, a *sparse.Matrix, coordinates [][]float32) *Analysis {
	s, err := Analyse(a, coordinates)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestGridsAreSolved(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{1}, {2}, {24}, {25}, {300}, {5, 5}, {30, 7}, {41, 43}, {1, 90}, {9, 10, 11}} {
		for _, convection := range []float64{0, 0.3} {
			a := laplacian(rng, convection, shape...)
			for _, coordinates := range [][][]float32{nil, Grid(shape...)} {
				s := analyse(t, a, coordinates)
				factors := []factor{NewLU(s)}
				if convection == 0 {
					factors = append(factors, NewCholesky(s))
				}
				for _, f := range factors {
					for range 2 { // memory is used again
						if err := f.Factor(t.Context(), a); err != nil {
							t.Fatal(shape, err)
						}
						b, x := sines(a.N), make([]float64, a.N)
						f.Apply(x, b)
						if r := relative(a, x, b); !(r < 1e-12) {
							t.Errorf("%T on %v: residual %g", f, shape, r)
						}
						f.Apply(b, b)
						if d := mat.Norm(mat.NewVecDense(a.N, sub(x, b)), 2); d != 0 {
							t.Errorf("%T on %v: in place differs by %g", f, shape, d)
						}
					}
				}
			}
		}
	}
}

func sub(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}

// scattered is a random sparse matrix with some empty couplings, several components
// and, if asked, symmetric and dominant.
func scattered(rng *rand.Rand, n, perRow int, definite bool) (*sparse.Matrix, *mat.Dense) {
	d := mat.NewDense(n, n, nil)
	for range n * perRow {
		i := rng.IntN(n)
		j := i/20*20 + rng.IntN(20)
		if j >= n {
			continue
		}
		v := rng.NormFloat64()
		d.Set(i, j, v)
		if definite {
			d.Set(j, i, v)
		}
	}
	var list []sparse.Entry
	for i := range n {
		if definite {
			sum := 0.0
			for j := range n {
				sum += math.Abs(d.At(i, j))
			}
			d.Set(i, i, sum+1)
		} else {
			d.Set(i, i, rng.NormFloat64())
		}
		for j := range n {
			if v := d.At(i, j); v != 0 {
				list = append(list, sparse.Entry{Row: i, Col: j, Val: v})
			}
		}
	}
	a, err := sparse.FromEntries(n, list)
	if err != nil {
		panic(err)
	}
	return a, d
}

func TestAnyPatternAgreesWithDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for trial := range 60 {
		n := 1 + rng.IntN(120)
		definite := trial%2 == 0
		a, d := scattered(rng, n, 1+trial%4, definite)
		s := analyse(t, a, nil)
		b := sines(n)
		var want mat.VecDense
		if err := want.SolveVec(d, mat.NewVecDense(n, b)); err != nil {
			continue
		}
		factors := []factor{NewLU(s)}
		if definite {
			factors = append(factors, NewCholesky(s))
		}
		for _, f := range factors {
			if err := f.Factor(t.Context(), a); err != nil {
				t.Errorf("%T of order %d: %v", f, n, err)
				continue
			}
			x := make([]float64, n)
			f.Apply(x, b)
			tolerance := 1e-10
			if !definite {
				tolerance = 1e-4 // pivots within fronts only
			}
			if e := mat.Norm(mat.NewVecDense(n, sub(x, want.RawVector().Data)), 2); e > tolerance*(1+mat.Norm(&want, 2)) {
				t.Errorf("%T of order %d is off by %g", f, n, e)
			}
		}
	}
}

// Every unknown is eliminated once, and rows of a front lie behind it in the order.
func TestAnalysisIsAnOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, a := range []*sparse.Matrix{laplacian(rng, 0, 20, 31), laplacian(rng, 0, 7, 8, 9)} {
		s := analyse(t, a, nil)
		seen := make([]bool, a.N)
		for _, v := range s.order {
			if seen[v] {
				t.Fatalf("unknown %d comes twice", v)
			}
			seen[v] = true
		}
		if len(s.order) != a.N {
			t.Fatalf("%d of %d unknowns", len(s.order), a.N)
		}
	}
}

// Nested dissection of a square grid has at most 31/4 n log₂ n entries (George 1973)
// when dissected by coordinates; by search alone it must stay near.
func TestFillIsThatOfNestedDissection(t *testing.T) {
	a := laplacian(rand.New(rand.NewPCG(1, 1)), 0, 100, 100)
	bound := 31.0 / 4 * 1e4 * math.Log2(1e4)
	byGrid, bySearch := entries(analyse(t, a, Grid(100, 100))), entries(analyse(t, a, nil))
	if float64(byGrid) > 0.6*bound || float64(bySearch) > 0.8*bound {
		t.Errorf("%d entries by coordinates, %d by search, bound %.0f", byGrid, bySearch, bound)
	}
}

func TestUnsolvableMatricesAreErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	regular := laplacian(rng, 0, 12, 12)
	s := analyse(t, regular, nil)
	change := func(do func(a *sparse.Matrix)) *sparse.Matrix {
		a := *regular
		a.Val = append([]float64(nil), regular.Val...)
		do(&a)
		return &a
	}
	for name, c := range map[string]struct {
		a              *sparse.Matrix
		cholesky, luey error
	}{
		"negative": {change(func(a *sparse.Matrix) {
			for i := range a.Val {
				a.Val[i] = -a.Val[i]
			}
		}), ErrIndefinite, nil},
		"zero": {change(func(a *sparse.Matrix) { clear(a.Val) }), ErrIndefinite, ErrSingular},
		"empty row": {change(func(a *sparse.Matrix) {
			for k := a.Start[50]; k < a.Start[51]; k++ {
				a.Val[k] = 0
				for l, col := range a.Col {
					if col == 50 {
						a.Val[l] = 0
					}
				}
			}
		}), ErrIndefinite, ErrSingular},
		"NaN": {change(func(a *sparse.Matrix) { a.Val[a.Start[77]] = math.NaN() }), nil, nil},
	} {
		for _, f := range []factor{NewCholesky(s), NewLU(s)} {
			want := c.luey
			if _, is := f.(*Cholesky); is {
				want = c.cholesky
			}
			err := f.Factor(t.Context(), c.a)
			if want != nil && !errors.Is(err, want) {
				t.Errorf("%T, %s: %v", f, name, err)
			}
			if name == "NaN" && err == nil {
				x := make([]float64, 144)
				f.Apply(x, sines(144))
				if dense.Finite(x) {
					t.Errorf("%T: NaN is lost", f)
				}
			}
			if err := f.Factor(t.Context(), regular); err != nil {
				t.Errorf("%T after %s: %v", f, name, err)
			}
		}
	}
	if err := NewLU(s).Factor(t.Context(), laplacian(rng, 0, 9, 16)); !errors.Is(err, ErrPattern) {
		t.Errorf("another pattern: %v", err)
	}
	if _, err := Analyse(regular, Grid(5, 5)); err == nil {
		t.Error("coordinates of another grid are accepted")
	}
}

// LU of any small matrix says that it is singular or gives a backward stable
// solution, or one whose failure the residual shows; it never panics.
func FuzzLU(f *testing.F) {
	f.Add(uint64(1), 30, 2)
	f.Add(uint64(2), 1, 0)
	f.Add(uint64(3), 80, 5)
	f.Fuzz(func(t *testing.T, seed uint64, n, perRow int) {
		if n < 1 || n > 150 || perRow < 0 || perRow > 6 {
			return
		}
		a, _ := scattered(rand.New(rand.NewPCG(seed, 1)), n, perRow, seed%2 == 0)
		s := analyse(t, a, nil)
		lu, cholesky := NewLU(s), NewCholesky(s)
		if err := lu.Factor(t.Context(), a); err != nil {
			if !errors.Is(err, ErrSingular) || seed%2 == 0 {
				t.Fatal(err)
			}
			return
		}
		x := make([]float64, n)
		lu.Apply(x, sines(n))
		if seed%2 != 0 {
			return
		}
		if r := relative(a, x, sines(n)); !(r < 1e-10) {
			t.Errorf("residual %g", r)
		}
		if err := cholesky.Factor(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		cholesky.Apply(x, sines(n))
		if r := relative(a, x, sines(n)); !(r < 1e-10) {
			t.Errorf("residual %g", r)
		}
	})
}

func BenchmarkGrid(b *testing.B) {
	for _, m := range []int{100, 268} {
		a := laplacian(rand.New(rand.NewPCG(1, 1)), 0, m, m)
		s := analyse(b, a, Grid(m, m))
		x, y := sines(a.N), make([]float64, a.N)
		b.Run(fmt.Sprintf("analyse/%d", a.N), func(b *testing.B) {
			for b.Loop() {
				analyse(b, a, Grid(m, m))
			}
		})
		for _, f := range []factor{NewCholesky(s), NewLU(s)} {
			b.Run(fmt.Sprintf("%T/%d/factor", f, a.N), func(b *testing.B) {
				for b.Loop() {
					f.Factor(b.Context(), a)
				}
			})
			b.Run(fmt.Sprintf("%T/%d/solve", f, a.N), func(b *testing.B) {
				for b.Loop() {
					f.Apply(y, x)
				}
			})
		}
	}
}

// entries is the number of entries of a Cholesky factor.
func entries(s *Analysis) (n int) {
	for i := range s.nodes {
		n += s.nodes[i].count*(s.nodes[i].count+1)/2 + s.nodes[i].count*len(s.nodes[i].rows)
	}
	return n
}

// What Values says is what is taken.
func TestValuesCountTheMemory(t *testing.T) {
	s := analyse(t, laplacian(rand.New(rand.NewPCG(1, 1)), 1, 9, 9, 9), Grid(9, 9, 9))
	lu, cholesky := NewLU(s), NewCholesky(s)
	count := func(lists ...[][]float64) (n int) {
		for _, list := range lists {
			for _, values := range list {
				n += len(values)
			}
		}
		return n
	}
	if got, want := s.Values(true), count(lu.upper, lu.lower, lu.updates[:]); got != want {
		t.Errorf("LU: %d, took %d", got, want)
	}
	if got, want := s.Values(false), count(cholesky.factors, cholesky.updates[:]); got != want {
		t.Errorf("Cholesky: %d, took %d", got, want)
	}
}

func TestAFactorisationCanBeStopped(t *testing.T) {
	a := laplacian(rand.New(rand.NewPCG(1, 1)), 0, 9, 9)
	s := analyse(t, a, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range []factor{NewLU(s), NewCholesky(s)} {
		if err := f.Factor(ctx, a); !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", f, err)
		}
	}
}
