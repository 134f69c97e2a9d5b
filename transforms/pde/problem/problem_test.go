package problem

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/field"
	"penstock.dev/transforms/pde/sparse"
)

func TestThePapersMatricesAreAsPublished(t *testing.T) {
	text, err := os.ReadFile("testdata/paper.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Points int
		Wave   float64
		Matrix []float64
		RHS    float64
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		k := make([]float64, c.Points*c.Points)
		for i := range k {
			k[i] = 0.5 + float64(i*37%101)/101
		}
		a, b, err := Paper(k, c.Points, c.Wave)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sparse.New(a.N, a.Start, a.Col, a.Val); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i := range a.N {
			for j := range a.N {
				worst = max(worst, math.Abs(a.At(i, j)-c.Matrix[i*a.N+j]))
			}
			if b[i] != c.RHS {
				t.Fatalf("right-hand side %g, want %g", b[i], c.RHS)
			}
		}
		if len(c.Matrix) != a.N*a.N || worst != 0 {
			t.Errorf("%d points, wave %g: the largest difference is %g", c.Points, c.Wave, worst)
		}
	}
}

func generator(row int64, draw int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(row), uint64(draw)))
}

var small = map[string][]int{
	Darcy: {10, 14}, Poisson: {10, 14}, Thermal: {32, 20}, ConvectionDiffusion: {10, 14}, Helmholtz: {10, 14},
	PaperDarcy: {12, 12}, PaperHelmholtz: {12, 12},
}

func settings(p string) Settings {
	return Settings{Spectrum: field.Spectrum{Alpha: 2.5, Tau: 3}, Scale: 0.5, Wave: 10, Speed: 5}
}

func product(shape []int) int {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	return n
}

// What is drawn for a row fits the problem, is solved, and is the same when drawn
// again in another order.
func TestInstancesFitTheirProblems(t *testing.T) {
	cases := map[string][]int{}
	for _, name := range Names {
		cases[name] = small[name]
	}
	for name, shape := range cases {
		for _, shape := range [][]int{shape, {5, 6, 7}} {
			p, err := New(name, shape)
			if err != nil {
				if len(shape) == 2 || name != Thermal && !strings.HasPrefix(name, "paper") {
					t.Error(name, err)
				}
				continue
			}
			s, err := NewSampler(p, settings(name))
			if err != nil {
				t.Fatal(name, err)
			}
			first, err := s.Draw(7, generator)
			if err != nil {
				t.Fatal(name, err)
			}
			second, _ := s.Draw(8, generator)
			again, _ := s.Draw(7, generator)
			if !slices.Equal(first.Coefficient, again.Coefficient) || !slices.Equal(first.RHS, again.RHS) {
				t.Errorf("%s: a row drawn again differs", name)
			}
			if slices.Equal(first.Coefficient, second.Coefficient) && slices.Equal(first.RHS, second.RHS) && !(name == PaperHelmholtz) {
				t.Errorf("%s: two rows are the same", name)
			}
			if len(first.Coefficient) != product(p.CoefficientShape()) || len(first.RHS) != product(p.SolutionShape()) {
				t.Fatalf("%s: %d and %d values for %v and %v", name, len(first.Coefficient), len(first.RHS), p.CoefficientShape(), p.SolutionShape())
			}
			a, err := p.Matrix(first.Coefficient, first.Parameters)
			if err != nil {
				t.Fatal(name, err)
			}
			if a.N != p.Unknowns() || p.Symmetric && !a.Symmetric(1e-14) {
				t.Errorf("%s: order %d of %d, symmetric %v", name, a.N, p.Unknowns(), a.Symmetric(1e-14))
			}
			b, err := p.Matrix(second.Coefficient, second.Parameters)
			if err != nil || !a.SamePattern(b) || p.Constant != a.Equal(b) {
				t.Errorf("%s: the matrices of two rows: %v", name, err)
			}
			rhs := p.Gather(first.RHS)
			x := solveLU(t, a, p.Coordinates(), rhs)
			r := make([]float64, a.N)
			a.Residual(r, rhs, x)
			if res := dense.Norm(r) / dense.Norm(rhs); !(res < 1e-11) {
				t.Errorf("%s: residual %g", name, res)
			}
			if got := p.Gather(p.Scatter(x)); !slices.Equal(got, x) {
				t.Errorf("%s: Scatter and Gather are no inverses", name)
			}
		}
	}
}

// The maximum principle: temperatures lie between what the sides impose.
func TestThermalIsLinearBetweenItsInputs(t *testing.T) {
	p, err := New(Thermal, []int{32, 20})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSampler(p, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.Draw(1, generator)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := p.Matrix(nil, nil)
	x := solveLU(t, a, p.Coordinates(), p.Gather(in.RHS))
	if high := slices.Max(x); high > in.Parameters[0] {
		t.Errorf("%g is warmer than the side's %g, though heat only leaves", high, in.Parameters[0])
	}
	if cold := p.Scatter(x)[16*20+10]; cold != 0 || in.Coefficient[16*20+10] != 0 {
		t.Error("the slot is not empty")
	}
}

// Neighbours of a trajectory resemble each other, its first member is as if alone.
func TestTrajectoriesAreCorrelated(t *testing.T) {
	p, _ := New(Darcy, []int{24, 24})
	set := settings(Darcy)
	set.Correlation, set.Trajectory = 0.95, 10
	s, err := NewSampler(p, set)
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := NewSampler(p, settings(Darcy))
	logs := func(s *Sampler, row int64) []float64 {
		in, err := s.Draw(row, generator)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range in.Coefficient {
			in.Coefficient[i] = math.Log(k)
		}
		return in.Coefficient
	}
	if !slices.Equal(logs(s, 20), logs(alone, 20)) {
		t.Error("the first of a trajectory differs from a row drawn alone")
	}
	correlation := func(a, b []float64) float64 { return dense.Dot(a, b) / dense.Norm(a) / dense.Norm(b) }
	if c := correlation(logs(s, 23), logs(s, 24)); c < 0.7 {
		t.Errorf("neighbours have correlation %g", c)
	}
	if c := correlation(logs(s, 19), logs(s, 20)); math.Abs(c) > 0.7 {
		t.Errorf("across trajectories the correlation is %g", c)
	}
}

func TestThresholdGivesTwoValues(t *testing.T) {
	p, _ := New(Darcy, []int{16, 16})
	set := settings(Darcy)
	set.Threshold, set.Low, set.High = true, 3, 12
	s, err := NewSampler(p, set)
	if err != nil {
		t.Fatal(err)
	}
	in, _ := s.Draw(0, generator)
	low, high := 0, 0
	for _, k := range in.Coefficient {
		switch k {
		case 3:
			low++
		case 12:
			high++
		}
	}
	if low == 0 || high == 0 || low+high != 256 {
		t.Errorf("%d of 3, %d of 12", low, high)
	}
}

func TestImpossibleProblemsAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
	}{
		{"heat", []int{4, 4}}, {Darcy, nil}, {Darcy, []int{4}}, {Darcy, []int{0, 4}}, {Darcy, []int{1 << 30, 1 << 30}}, {Darcy, []int{-4, -4}},
		{Thermal, []int{20, 32}}, {Thermal, []int{8, 8, 8}}, {PaperDarcy, []int{9, 10}}, {PaperDarcy, []int{4, 4}}, {PaperHelmholtz, []int{8, 8, 8}},
	} {
		if _, err := New(c.name, c.shape); err == nil {
			t.Errorf("%s on %v accepted", c.name, c.shape)
		}
	}
	for name, change := range map[string]func(*Settings){
		"correlation": func(s *Settings) { s.Correlation = 1 },
		"alpha":       func(s *Settings) { s.Spectrum.Alpha = 0.5 },
		"threshold":   func(s *Settings) { s.Threshold, s.Low, s.High = true, -1, 3 },
	} {
		p, _ := New(Darcy, []int{8, 8})
		s := settings(Darcy)
		change(&s)
		if _, err := NewSampler(p, s); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	p, _ := New(Helmholtz, []int{8, 8})
	for _, s := range []Settings{{Scale: 1, Wave: 3, Spectrum: field.Spectrum{Alpha: 2, Tau: 3}}, {Scale: 0.1, Spectrum: field.Spectrum{Alpha: 2, Tau: 3}}} {
		if _, err := NewSampler(p, s); err == nil {
			t.Errorf("%+v accepted", s)
		}
	}
}

func TestValuesThatTheEquationForbidsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(k []float64)
		want   string
	}{
		{Darcy, func(k []float64) { k[3] = -1 }, "the coefficient of cell 3 is -1, want more than 0"},
		{Darcy, func(k []float64) { k[3] = math.NaN() }, "the coefficient of cell 3 is NaN, want more than 0"},
		{Helmholtz, func(k []float64) { k[3] = math.Inf(1) }, "the coefficient of cell 3 is +Inf, want more than 0"},
		{PaperDarcy, func(k []float64) { k[3] = 0 }, "the coefficient of point 3 is 0, want more than 0"},
		{ConvectionDiffusion, func(k []float64) { k[140+3] = math.NaN() }, "the velocity of cell 3 is NaN"},
	} {
		p, err := New(c.name, small[c.name])
		if err != nil {
			t.Fatal(err)
		}
		k := ones(product(p.CoefficientShape()))
		c.change(k)
		if _, err := p.Matrix(k, []float64{5}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := p.Matrix(k[1:], []float64{5}); err == nil {
			t.Errorf("%s: a short coefficient is accepted", c.name)
		}
	}
	p, _ := New(Helmholtz, []int{8, 8})
	for _, parameters := range [][]float64{nil, {0}, {math.NaN()}, {math.Inf(1)}} {
		if _, err := p.Matrix(ones(64), parameters); err == nil {
			t.Errorf("wave number %v accepted", parameters)
		}
	}
}
