package dense

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
)

var reference gonum.Implementation

func random(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

func far(a, b []float64) float64 {
	worst := 0.0
	for i := range a {
		if d := math.Abs(a[i] - b[i]); !(d <= worst) {
			worst = d
		}
	}
	return worst
}

func TestVectorKernelsAgreeWithBLAS(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 1023, 1024, 1025, 2500} {
		for _, m := range []int{1, 3, 4, 5, 9} {
			stride := n + 3
			v, w, c := random(rng, m*stride), random(rng, n), random(rng, m)
			h, want := make([]float64, m), make([]float64, m)
			Dots(h, v, stride, w)
			if n > 0 {
				reference.Dgemv(blas.NoTrans, m, n, 1, v, stride, w, 1, 0, want, 1)
			}
			if d := far(h, want); d > 1e-11 {
				t.Errorf("Dots %d×%d is off by %g", m, n, d)
			}
			y := random(rng, n)
			wantY := append([]float64(nil), y...)
			Combine(y, c, v, stride)
			if n > 0 {
				reference.Dgemv(blas.Trans, m, n, 1, v, stride, c, 1, 1, wantY, 1)
			}
			if d := far(y, wantY); d > 1e-12 {
				t.Errorf("Combine %d×%d is off by %g", m, n, d)
			}
			if n > 0 {
				a, b := random(rng, m*n), random(rng, 3*n)
				g, wantG := make([]float64, m*3), make([]float64, m*3)
				Gram(g, a, m, b, 3, n)
				reference.Dgemm(blas.NoTrans, blas.Trans, m, 3, n, 1, a, n, b, n, 0, wantG, 3)
				if d := far(g, wantG); d > 1e-11 {
					t.Errorf("Gram %d×3 of length %d is off by %g", m, n, d)
				}
			}
		}
	}
}

func TestMultiplyAgreesWithBLAS(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][3]int{{1, 1, 1}, {4, 8, 3}, {5, 9, 2}, {8, 16, 40}, {20, 1000, 41}, {33, 70, 130}, {7, 300, 9}, {48, 48, 48}} {
		m, n, k := s[0], s[1], s[2]
		a, b, c := random(rng, m*k), random(rng, k*n), random(rng, m*n)
		want := append([]float64(nil), c...)
		reference.Dgemm(blas.NoTrans, blas.NoTrans, m, n, k, -1, a, k, b, n, 1, want, n)
		plain := append([]float64(nil), c...)
		Multiply(m, n, k, -1, View{a, k, 1}, b, n, c, n)
		multiplyPlain(m, n, k, -1, View{a, k, 1}, b, n, plain, n)
		if d := max(far(c, want), far(plain, want)); d > 1e-11 {
			t.Errorf("%v: off by %g", s, d)
		}
		at, got := make([]float64, m*k), append([]float64(nil), want...)
		for i := range m {
			for l := range k {
				at[l*m+i] = a[i*k+l]
			}
		}
		Multiply(m, n, k, 1, View{at, 1, m}, b, n, got, n)
		Multiply(m, n, k, -1, View{a, k, 1}, b, n, got, n)
		if d := far(got, want); d > 1e-11 {
			t.Errorf("%v: transposed is off by %g", s, d)
		}
	}
}

func TestCholeskyGivesTheMatrixBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 15, 16, 17, 40, 100, 131} {
		g := mat.NewDense(n, n, random(rng, n*n))
		var a mat.Dense
		a.Mul(g.T(), g)
		for i := range n {
			a.Set(i, i, a.At(i, i)+float64(n))
		}
		work := append([]float64(nil), a.RawMatrix().Data...)
		if bad := Cholesky(work, n, n); bad >= 0 {
			t.Fatalf("order %d: pivot %d", n, bad)
		}
		var chol mat.Cholesky
		if !chol.Factorize(mat.NewSymDense(n, a.RawMatrix().Data)) {
			t.Fatal("the reference fails")
		}
		var u mat.TriDense
		chol.UTo(&u)
		for i := range n {
			for j := i; j < n; j++ {
				if d := math.Abs(work[i*n+j] - u.At(i, j)); !(d < 1e-10*float64(n)) {
					t.Fatalf("order %d: U[%d,%d] is off by %g", n, i, j, d)
				}
			}
		}
	}
}

func TestCholeskyNamesThePivotThatIsNotPositive(t *testing.T) {
	for _, n := range []int{3, 40} {
		for _, bad := range []float64{-1, 0, math.NaN(), math.Inf(1)} {
			a := make([]float64, n*n)
			for i := range n {
				a[i*n+i] = 2
			}
			a[(n-1)*n+n-1] = bad
			if got := Cholesky(a, n, n); got != n-1 {
				t.Errorf("order %d, pivot %g: reported %d", n, bad, got)
			}
		}
	}
}

func TestLUSolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 8, 9, 17, 40, 100} {
		for _, below := range []int{0, 5} {
			m := n + below
			a := random(rng, m*n)
			work := append([]float64(nil), a...)
			pivots := make([]int, n)
			if bad := LU(work, m, n, n, n, pivots, 0); bad >= 0 {
				t.Fatalf("order %d: pivot %d", n, bad)
			}
			Exchange(a, n, n, pivots)
			product := make([]float64, m*n)
			for i := range m {
				for j := range n {
					for l := 0; l <= min(i, j); l++ {
						f := 1.0
						if l < i {
							f = work[i*n+l]
						}
						product[i*n+j] += f * work[l*n+j]
					}
				}
			}
			if d := far(product, a); d > 1e-9 {
				t.Errorf("%d×%d: LU is off by %g", m, n, d)
			}
		}
	}
	if bad := LU([]float64{1, 2, 2, 4}, 2, 2, 2, 2, make([]int, 2), 1e-14); bad != 1 {
		t.Errorf("a singular matrix: reported %d", bad)
	}
}

func TestTriangularSolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{1, 16, 17, 50} {
		const m = 11
		u := random(rng, n*n)
		for i := range n {
			for j := range n {
				u[i*n+j] /= float64(n)
			}
			u[i*n+i] = 2
		}
		b := random(rng, n*m)
		check := func(name string, got []float64, side blas.Side, ul blas.Uplo, tr blas.Transpose, diag blas.Diag, rows, cols int) {
			want := append([]float64(nil), b...)
			reference.Dtrsm(side, ul, tr, diag, rows, cols, 1, u, n, want, cols)
			if d := far(got, want); d > 1e-12 {
				t.Errorf("%s of order %d is off by %g", name, n, d)
			}
		}
		x := append([]float64(nil), b...)
		SolveUpperTransposed(u, n, n, x, m, m)
		check("SolveUpperTransposed", x, blas.Left, blas.Upper, blas.Trans, blas.NonUnit, n, m)
		copy(x, b)
		SolveUnitLower(u, n, n, x, m, m)
		check("SolveUnitLower", x, blas.Left, blas.Lower, blas.NoTrans, blas.Unit, n, m)
		copy(x, b)
		SolveUpperRight(u, n, n, x, m, n)
		check("SolveUpperRight", x, blas.Right, blas.Upper, blas.NoTrans, blas.NonUnit, m, n)
	}
}

func TestNormStaysInRange(t *testing.T) {
	for _, c := range []struct{ x, want float64 }{{0, 0}, {3e-200, 5e-200}, {3, 5}, {3e200, 5e200}} {
		if got := Norm([]float64{c.x, c.x / 3 * 4}); math.Abs(got-c.want) > 1e-15*c.want {
			t.Errorf("norm of (3, 4)·%g is %g", c.x/3, got)
		}
	}
	if n := Norm([]float64{1, math.NaN()}); !math.IsNaN(n) {
		t.Errorf("norm with NaN is %g", n)
	}
	if Finite([]float64{1, math.Inf(-1)}) || Finite([]float64{math.NaN()}) || !Finite([]float64{1, 2}) {
		t.Error("Finite is wrong")
	}
}

func BenchmarkMultiply(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, s := range [][3]int{{20, 10000, 41}, {100, 100, 100}} {
		m, n, k := s[0], s[1], s[2]
		x, y, z := random(rng, m*k), random(rng, k*n), make([]float64, m*n)
		b.Run(fmt.Sprint(s), func(b *testing.B) {
			for b.Loop() {
				Multiply(m, n, k, 1, View{x, k, 1}, y, n, z, n)
			}
			b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
		})
	}
}
