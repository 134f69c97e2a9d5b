package precond

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"penstock.dev/transforms/pde/sparse"
)

// dominant makes a random diagonally dominant matrix, symmetric if asked.
func dominant(rng *rand.Rand, n, perRow int, symmetric bool) *sparse.Matrix {
	var list []sparse.Entry
	sum := make([]float64, n)
	add := func(i, j int, v float64) {
		list = append(list, sparse.Entry{Row: i, Col: j, Val: v})
		sum[i] += math.Abs(v)
	}
	for i := range n {
		for range perRow {
			j := rng.IntN(n)
			if j == i {
				continue
			}
			v := rng.NormFloat64()
			add(i, j, v)
			if symmetric {
				add(j, i, v)
			}
		}
	}
	for i := range n {
		add(i, i, sum[i]+0.5)
	}
	m, err := sparse.FromEntries(n, list)
	if err != nil {
		panic(err)
	}
	return m
}

func toDense(a *sparse.Matrix) *mat.Dense {
	d := mat.NewDense(a.N, a.N, nil)
	for i := range a.N {
		for k := a.Start[i]; k < a.Start[i+1]; k++ {
			d.Set(i, int(a.Col[k]), a.Val[k])
		}
	}
	return d
}

type preconditioner interface{ Apply(dst, src []float64) }

// inverse is the matrix of p.
func inverse(p preconditioner, n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for j := range n {
		e, z := make([]float64, n), make([]float64, n)
		e[j] = 1
		p.Apply(z, e)
		m.SetCol(j, z)
	}
	return m
}

func distance(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	return mat.Norm(&d, math.Inf(1))
}

func identity(n int) *mat.DiagDense {
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	return mat.NewDiagDense(n, ones)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestEachIsTheInverseOfItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 5, 12, 20} {
		a := dominant(rng, n, 2, false)
		d := toDense(a)
		diag, lower, upper := mat.NewDense(n, n, nil), mat.NewDense(n, n, nil), mat.NewDense(n, n, nil)
		const omega = 1.3
		blocks := mat.NewDense(n, n, nil)
		for i := range n {
			for j := range n {
				switch v := d.At(i, j); {
				case i == j:
					diag.Set(i, i, v)
					lower.Set(i, i, v/omega)
					upper.Set(i, i, v/omega)
				case j < i:
					lower.Set(i, j, v)
				default:
					upper.Set(i, j, v)
				}
				if i/4 == j/4 {
					blocks.Set(i, j, d.At(i, j))
				}
			}
		}
		middle := mat.NewDense(n, n, nil)
		for i := range n {
			middle.Set(i, i, omega/((2-omega)*d.At(i, i)))
		}
		var ssor mat.Dense
		ssor.Product(lower, middle, upper)
		for name, c := range map[string]struct {
			p preconditioner
			m mat.Matrix
		}{
			"identity":     {Identity{}, identity(n)},
			"Jacobi":       {must(NewJacobi(a)), diag},
			"SSOR":         {must(NewSSOR(a, omega)), &ssor},
			"block Jacobi": {must(NewBlockJacobi(a, 4)), blocks},
		} {
			var product mat.Dense
			product.Mul(inverse(c.p, n), c.m)
			if e := distance(&product, identity(n)); e > 1e-12 {
				t.Errorf("%s of order %d: M⁻¹M is off by %g", name, n, e)
			}
		}
	}
}

// The product of the factors equals the matrix wherever the matrix has entries
// (Saad, proposition 10.2).
func TestIncompleteFactorsAgreeOnThePattern(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 7, 25} {
		for _, symmetric := range []bool{false, true} {
			a := dominant(rng, n, 2, symmetric)
			check := func(name string, p preconditioner) {
				var m mat.Dense
				if err := m.Inverse(inverse(p, n)); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					for k := a.Start[i]; k < a.Start[i+1]; k++ {
						if e := math.Abs(m.At(i, int(a.Col[k])) - a.Val[k]); e > 1e-10 {
							t.Errorf("%s of order %d: entry (%d, %d) is off by %g", name, n, i, a.Col[k], e)
						}
					}
				}
			}
			check("ILU(0)", must(NewILU0(a)))
			if symmetric {
				ic := must(NewIC0(a))
				if ic.Shift != 0 {
					t.Errorf("a dominant matrix is shifted by %g", ic.Shift)
				}
				check("IC(0)", ic)
			}
		}
	}
}

func TestTridiagonalFactorsAreExact(t *testing.T) {
	const n = 40
	var list []sparse.Entry
	for i := range n {
		list = append(list, sparse.Entry{Row: i, Col: i, Val: 2})
		if i > 0 {
			list = append(list, sparse.Entry{Row: i, Col: i - 1, Val: -1}, sparse.Entry{Row: i - 1, Col: i, Val: -1})
		}
	}
	a := must(sparse.FromEntries(n, list))
	for name, p := range map[string]preconditioner{"ILU(0)": must(NewILU0(a)), "IC(0)": must(NewIC0(a))} {
		var product mat.Dense
		product.Mul(inverse(p, n), toDense(a))
		if e := distance(&product, identity(n)); e > 1e-10 {
			t.Errorf("%s is off by %g", name, e)
		}
	}
}

func TestIC0IsShiftedWhereItBreaksDown(t *testing.T) {
	// Kershaw's matrix: positive definite, and IC(0) meets a negative pivot.
	rows := [][]float64{{3, -2, 0, 2}, {-2, 3, -2, 0}, {0, -2, 3, -2}, {2, 0, -2, 3}}
	var list []sparse.Entry
	for i, row := range rows {
		for j, v := range row {
			if v != 0 {
				list = append(list, sparse.Entry{Row: i, Col: j, Val: v})
			}
		}
	}
	p := must(NewIC0(must(sparse.FromEntries(4, list))))
	if p.Shift == 0 {
		t.Error("no shift")
	}
}

func TestUnusablePivotsAreErrors(t *testing.T) {
	for name, list := range map[string][]sparse.Entry{
		"zero":    {{Row: 0, Col: 0, Val: 1}, {Row: 1, Col: 1, Val: 0}},
		"missing": {{Row: 0, Col: 0, Val: 1}},
		"NaN":     {{Row: 0, Col: 0, Val: math.NaN()}, {Row: 1, Col: 1, Val: 1}},
		"Inf":     {{Row: 0, Col: 0, Val: math.Inf(1)}, {Row: 1, Col: 1, Val: 1}},
	} {
		a := must(sparse.FromEntries(2, list))
		for kind, err := range map[string]error{
			"Jacobi": second(NewJacobi(a)), "SSOR": second(NewSSOR(a, 1)), "ILU(0)": second(NewILU0(a)),
			"IC(0)": second(NewIC0(a)), "block Jacobi": second(NewBlockJacobi(a, 2)),
		} {
			if !errors.Is(err, ErrPivot) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
	negative := must(sparse.FromEntries(1, []sparse.Entry{{Val: -1}}))
	if _, err := NewIC0(negative); !errors.Is(err, ErrPivot) {
		t.Errorf("IC(0) of -1: %v", err)
	}
	for _, omega := range []float64{0, 2, -1, math.NaN()} {
		if _, err := NewSSOR(negative, omega); err == nil {
			t.Errorf("relaxation %v accepted", omega)
		}
	}
	if _, err := NewBlockJacobi(negative, 0); err == nil {
		t.Error("blocks of 0 accepted")
	}
}

func second[T any](_ T, err error) error { return err }

func TestApplyAllocatesNothing(t *testing.T) {
	a := dominant(rand.New(rand.NewPCG(1, 1)), 50, 2, true)
	x, y := make([]float64, 50), make([]float64, 50)
	for name, p := range map[string]preconditioner{
		"Jacobi": must(NewJacobi(a)), "SSOR": must(NewSSOR(a, 1)), "ILU(0)": must(NewILU0(a)), "IC(0)": must(NewIC0(a)), "block Jacobi": must(NewBlockJacobi(a, 8)),
	} {
		if n := testing.AllocsPerRun(5, func() { p.Apply(y, x) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
