package multigrid

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/sparse"
)

// darcy is the finite volume matrix of -∇·(K∇u), u = 0 on the boundary, times h².
func darcy(k func(i int) float64, shape ...int) *sparse.Matrix {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	var list []sparse.Entry
	stride := n
	for _, extent := range shape {
		stride /= extent
		for i := range n {
			c := i / stride % extent
			if c == 0 || c == extent-1 {
				list = append(list, sparse.Entry{Row: i, Col: i, Val: 2 * k(i)})
			}
			if extent == 1 {
				list = append(list, sparse.Entry{Row: i, Col: i, Val: 2 * k(i)})
			}
			if c == 0 {
				continue
			}
			j := i - stride
			t := 2 * k(i) * k(j) / (k(i) + k(j))
			list = append(list,
				sparse.Entry{Row: i, Col: i, Val: t}, sparse.Entry{Row: j, Col: j, Val: t},
				sparse.Entry{Row: i, Col: j, Val: -t}, sparse.Entry{Row: j, Col: i, Val: -t})
		}
	}
	a, err := sparse.FromEntries(n, list)
	if err != nil {
		panic(err)
	}
	return a
}

func constant(int) float64 { return 1 }

// rough is a coefficient that jumps from cell to cell between 1 and contrast.
func rough(contrast float64) func(i int) float64 {
	return func(i int) float64 {
		return math.Pow(contrast, rand.New(rand.NewPCG(uint64(i), 1)).Float64())
	}
}

// blocks are squares of 8×8 cells of 1 and contrast, as on a chequerboard.
func blocks(m int, contrast float64) func(i int) float64 {
	return func(i int) float64 {
		if (i%m/8+i/m/8)%2 == 0 {
			return contrast
		}
		return 1
	}
}

func sines(n int) []float64 {
	b := make([]float64, n)
	for i := range b {
		b[i] = math.Sin(float64(i + 1))
	}
	return b
}

func build(t testing.TB, a *sparse.Matrix, shape ...int) *Multigrid {
	m, err := New(a, shape...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSystemsAreSolvedInFewIterations(t *testing.T) {
	for _, c := range []struct {
		name  string
		k     func(i int) float64
		shape []int
		most  int
	}{
		{"constant", constant, []int{64, 64}, 9},
		{"constant", constant, []int{100, 100}, 9},
		{"constant", constant, []int{268, 268}, 10},
		{"odd", constant, []int{37, 81}, 12},
		{"line", constant, []int{1000}, 14},
		{"box", constant, []int{24, 24, 24}, 12},
		{"uneven box", constant, []int{9, 30, 17}, 14},
		{"flat box", constant, []int{1, 40, 40}, 12},
		{"jumps of 4", blocks(100, 4), []int{100, 100}, 12},
		{"jumps of 1e6", blocks(100, 1e6), []int{100, 100}, 40},
		{"noise of 100", rough(100), []int{100, 100}, 25},
		{"noise of 100", rough(100), []int{20, 20, 20}, 25},
		{"one cell", constant, []int{1, 1}, 1},
		{"few cells", constant, []int{5, 6}, 1},
	} {
		a := darcy(c.k, c.shape...)
		m := build(t, a, c.shape...)
		x, b := make([]float64, a.N), sines(a.N)
		got, err := m.Solve(context.Background(), x, b, krylov.Options{})
		if err != nil || got.Iterations > c.most {
			t.Errorf("%s %v: %d iterations, %v", c.name, c.shape, got.Iterations, err)
		}
		r := make([]float64, a.N)
		a.Residual(r, b, x)
		if r := dense.Norm(r) / dense.Norm(b); !(r <= 1.0001e-8) {
			t.Errorf("%s %v: residual %g", c.name, c.shape, r)
		}
	}
}

// The stencil's product is the matrix's, and a cycle is symmetric and positive.
func TestACycleIsASymmetricPreconditioner(t *testing.T) {
	for _, shape := range [][]int{{17, 30}, {9, 10, 11}, {200}} {
		a := darcy(rough(50), shape...)
		m := build(t, a, shape...)
		rng := rand.New(rand.NewPCG(1, 2))
		random := func() []float64 {
			x := make([]float64, a.N)
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			return x
		}
		u, v := random(), random()
		mu, mv, want := make([]float64, a.N), make([]float64, a.N), make([]float64, a.N)
		a.MulVec(want, u)
		m.MulVec(mu, u)
		dense.Axpy(want, -1, mu)
		if e := dense.Norm(want) / dense.Norm(mu); e > 1e-14 {
			t.Errorf("%v: the product is off by %g", shape, e)
		}
		m.Apply(mu, u)
		m.Apply(mv, v)
		if p, q := dense.Dot(mu, v), dense.Dot(mv, u); math.Abs(p-q) > 1e-12*math.Abs(p) {
			t.Errorf("%v: %g and %g", shape, p, q)
		}
		if p := dense.Dot(mu, u); !(p > 0) {
			t.Errorf("%v: quadratic form %g", shape, p)
		}
	}
}

func TestUpdateEqualsNew(t *testing.T) {
	first, second := darcy(constant, 30, 31), darcy(rough(10), 30, 31)
	m := build(t, first, 30, 31)
	if err := m.Update(second); err != nil {
		t.Fatal(err)
	}
	x, y, b := make([]float64, first.N), make([]float64, first.N), sines(first.N)
	m.Apply(x, b)
	build(t, second, 30, 31).Apply(y, b)
	for i := range x {
		if x[i] != y[i] {
			t.Fatalf("differ at %d", i)
		}
	}
}

func TestOtherMatricesAreRefused(t *testing.T) {
	good := darcy(constant, 8, 8)
	with := func(e ...sparse.Entry) *sparse.Matrix {
		var list []sparse.Entry
		for i := range good.N {
			for k := good.Start[i]; k < good.Start[i+1]; k++ {
				list = append(list, sparse.Entry{Row: i, Col: int(good.Col[k]), Val: good.Val[k]})
			}
		}
		a, err := sparse.FromEntries(good.N, append(list, e...))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, a := range map[string]*sparse.Matrix{
		"far coupling": with(sparse.Entry{Row: 0, Col: 2, Val: 1}),
		"wraps around": with(sparse.Entry{Row: 7, Col: 8, Val: 1}),
		"unsymmetric":  with(sparse.Entry{Row: 0, Col: 1, Val: 1}),
		"negative":     with(sparse.Entry{Row: 9, Col: 9, Val: -9}),
		"NaN":          with(sparse.Entry{Row: 9, Col: 9, Val: math.NaN()}),
		"NaN coupling": with(sparse.Entry{Row: 9, Col: 10, Val: math.NaN()}),
		"infinite":     with(sparse.Entry{Row: 9, Col: 9, Val: math.Inf(1)}),
		"indefinite":   with(indefinite(64)...),
	} {
		if _, err := New(a, 8, 8); !errors.Is(err, ErrStencil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, shape := range [][]int{{}, {8}, {8, 9}, {2, 2, 4, 4}, {-8, -8}} {
		if _, err := New(good, shape...); err == nil {
			t.Errorf("shape %v accepted", shape)
		}
	}
}

func indefinite(n int) []sparse.Entry {
	list := make([]sparse.Entry, n)
	for i := range list {
		list[i] = sparse.Entry{Row: i, Col: i, Val: -3}
	}
	return list
}

func BenchmarkSolve(b *testing.B) {
	for name, shape := range map[string][]int{"100x100": {100, 100}, "268x268": {268, 268}, "40x40x40": {40, 40, 40}} {
		a := darcy(rough(10), shape...)
		m := build(b, a, shape...)
		x, rhs := make([]float64, a.N), sines(a.N)
		for i := range rhs {
			rhs[i] = 1
		}
		b.Run(name, func(b *testing.B) {
			iterations := 0
			for b.Loop() {
				if err := m.Update(a); err != nil {
					b.Fatal(err)
				}
				clear(x)
				got, err := m.Solve(context.Background(), x, rhs, krylov.Options{})
				if err != nil {
					b.Fatal(err)
				}
				iterations = got.Iterations
			}
			b.ReportMetric(float64(iterations), "iterations")
		})
	}
}
