package krylov

import (
	"math"
	"testing"

	"penstock.dev/transforms/pde/sparse"
)

// unit is the vector e_i of length 6, times f.
func unit(i int, f float64) []float64 {
	v := make([]float64, 6)
	v[i] = f
	return v
}

func TestDeltaIsTheSineOfTheLargestAngle(t *testing.T) {
	var list []sparse.Entry
	for i := range 6 { // B only stretches
		list = append(list, sparse.Entry{Row: i, Col: i, Val: float64(i + 1)})
	}
	a, err := sparse.FromEntries(6, list)
	if err != nil {
		t.Fatal(err)
	}
	const angle = 0.3
	tilted := unit(0, math.Cos(angle))
	tilted[2] = math.Sin(angle) / 3
	both := unit(0, 1)
	both[1] = 7
	for _, c := range []struct {
		name string
		q, c [][]float64
		want float64
	}{
		{"the same, by other vectors", [][]float64{unit(0, 2), both}, [][]float64{unit(1, 3), unit(0, -1)}, 0},
		{"contained", [][]float64{both}, [][]float64{unit(1, 1), unit(0, 1), unit(4, 1)}, 0},
		{"tilted", [][]float64{unit(0, 1), unit(1, 1)}, [][]float64{tilted, unit(1, 1)}, math.Sin(angle)},
		{"one vector is orthogonal", [][]float64{unit(0, 1), unit(5, 1)}, [][]float64{unit(0, 1), unit(1, 1), unit(2, 1)}, 1},
		{"too small a C", [][]float64{unit(0, 1), unit(1, 1)}, [][]float64{unit(0, 1)}, 1},
		{"nothing carried", [][]float64{unit(0, 1)}, nil, 1},
		{"vectors that depend on each other", [][]float64{unit(0, 1), unit(0, 2)}, [][]float64{unit(0, 1)}, 0},
	} {
		if got := Delta(a, identity{}, c.q, c.c); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// What a recycler carries is no farther from itself than rounding, and far from the
// space that another matrix leaves.
func TestDeltaTellsHowMuchWasThere(t *testing.T) {
	matrices := sequence(24, 2)
	r, err := NewRecycler(20, 6)
	if err != nil {
		t.Fatal(err)
	}
	solve := func(a *sparse.Matrix) [][]float64 {
		if _, err := r.Solve(t.Context(), a, nil, make([]float64, a.N), sines(a.N), Options{}); err != nil {
			t.Fatal(err)
		}
		return r.Space()
	}
	if len(r.Space()) != 0 {
		t.Error("a space before the first system")
	}
	carried := solve(matrices[0])
	if len(carried) < 6 || len(carried) != r.Kept() {
		t.Fatalf("a space of %d vectors", len(carried))
	}
	if own := Delta(matrices[0], identity{}, carried, carried); own > 1e-7 {
		t.Errorf("δ to itself is %g", own)
	}
	if other := Delta(matrices[1], identity{}, solve(matrices[1]), carried); !(other > 1e-3 && other <= 1) {
		t.Errorf("δ to another is %g", other)
	}
}
