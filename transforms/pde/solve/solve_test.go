package solve

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/direct"
	"penstock.dev/transforms/pde/field"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/multigrid"
	"penstock.dev/transforms/pde/problem"
	"penstock.dev/transforms/pde/sparse"
)

func generator(row int64, draw int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(row), uint64(draw)))
}

type system struct {
	a *sparse.Matrix
	b []float64
}

// systems draws some systems of a problem.
func systems(t testing.TB, p *problem.Problem, count int) []system {
	s, err := problem.NewSampler(p, problem.Settings{Spectrum: field.Spectrum{Alpha: 2.5, Tau: 3}, Scale: 0.5, Wave: 12, Speed: 3})
	if err != nil {
		t.Fatal(err)
	}
	list := make([]system, count)
	for i := range list {
		in, err := s.Draw(int64(i), generator)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.Matrix(in.Coefficient, in.Parameters)
		if err != nil {
			t.Fatal(err)
		}
		list[i] = system{a, p.Gather(in.RHS)}
	}
	return list
}

func newProblem(t testing.TB, name string, shape ...int) *problem.Problem {
	p, err := problem.New(name, shape)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPlan(t testing.TB, p *problem.Problem, o Options) *Plan {
	plan, err := NewPlan(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func relative(s system, x []float64) float64 {
	r := make([]float64, len(s.b))
	s.a.Residual(r, s.b, x)
	return dense.Norm(r) / dense.Norm(s.b)
}

var problems = []struct {
	name  string
	shape []int
	auto  string // the solver that auto takes
}{
	{problem.Darcy, []int{24, 30}, Multigrid},
	{problem.Darcy, []int{10, 11, 12}, Multigrid},
	{problem.Poisson, []int{24, 30}, Direct},
	{problem.Thermal, []int{32, 20}, Direct},
	{problem.ConvectionDiffusion, []int{24, 30}, Direct},
	{problem.ConvectionDiffusion, []int{10, 11, 12}, BiCGStab},
	{problem.Helmholtz, []int{24, 30}, Direct},
	{problem.PaperDarcy, []int{26, 26}, Direct},
	{problem.PaperHelmholtz, []int{26, 26}, Direct},
}

// Every problem is solved to the tolerance by every solver that takes it, and by the
// solver that auto should take.
func TestEveryProblemIsSolved(t *testing.T) {
	for _, c := range problems {
		p := newProblem(t, c.name, c.shape...)
		list := systems(t, p, 4)
		for _, solver := range Names {
			plan, err := NewPlan(p, Options{Solver: solver, Tolerance: 1e-9})
			if err != nil {
				if solver != Multigrid && solver != CG || p.Definite && p.Stencil != nil {
					t.Error(err)
				}
				continue
			}
			w := plan.NewWorker()
			w.Begin()
			for i, s := range list {
				got, err := w.Solve(t.Context(), s.a, s.b)
				if err != nil {
					t.Errorf("%s %v, %s, system %d: %v", c.name, c.shape, solver, i, err)
					continue
				}
				if r := relative(s, got.X); r > 1e-9 || math.Abs(r-got.Residual) > 1e-14 {
					t.Errorf("%s %v, %s, system %d: residual %g, said to be %g", c.name, c.shape, solver, i, r, got.Residual)
				}
				want := solver
				if solver == Auto {
					want = c.auto
				}
				if got.Solver != want && !strings.Contains(got.Reason, "failed") {
					t.Errorf("%s %v, %s, system %d: solved by %s (%s)", c.name, c.shape, solver, i, got.Solver, got.Reason)
				}
				if solver == Auto && (got.Solver != c.auto || got.Reason == "") {
					t.Errorf("%s %v, system %d: solved by %s, reason %q", c.name, c.shape, i, got.Solver, got.Reason)
				}
			}
		}
	}
}

// A chunk's solutions are the same bits for a new worker, and for one that has worked
// on others.
func TestSolutionsDependOnTheChunkAlone(t *testing.T) {
	for _, c := range problems {
		p := newProblem(t, c.name, c.shape...)
		list := systems(t, p, 4)
		for _, solver := range []string{Auto, SKR} {
			plan := newPlan(t, p, Options{Solver: solver})
			run := func(w *Worker) (xs [][]float64) {
				w.Begin()
				for _, s := range list[:3] {
					got, err := w.Solve(t.Context(), s.a, s.b)
					if err != nil {
						t.Fatal(c.name, solver, err)
					}
					xs = append(xs, got.X)
				}
				return xs
			}
			used := plan.NewWorker()
			used.Begin()
			for _, s := range slices.Backward(list) {
				if _, err := used.Solve(t.Context(), s.a, s.b); err != nil {
					t.Fatal(err)
				}
			}
			a, b := run(plan.NewWorker()), run(used)
			for i := range a {
				if !slices.Equal(a[i], b[i]) {
					t.Errorf("%s %v, %s: system %d differs", c.name, c.shape, solver, i)
				}
			}
		}
	}
}

// Two numbers drive all thermal rows: from the third on, solutions are combinations.
func TestDependentRightHandSidesAreSeen(t *testing.T) {
	p := newProblem(t, problem.Thermal, 64, 40)
	w := newPlan(t, p, Options{}).NewWorker()
	for i, s := range systems(t, p, 5) {
		got, err := w.Solve(t.Context(), s.a, s.b)
		if err != nil {
			t.Fatal(err)
		}
		if combined := strings.Contains(got.Reason, "combination of 2"); combined != (i >= 2) {
			t.Errorf("system %d: %s", i, got.Reason)
		}
	}
	// Poisson's are independent beyond what is kept: the search ends.
	p = newProblem(t, problem.Poisson, 12, 12)
	w = newPlan(t, p, Options{}).NewWorker()
	for _, s := range systems(t, p, widest+3) {
		if _, err := w.Solve(t.Context(), s.a, s.b); err != nil {
			t.Fatal(err)
		}
	}
	if !w.span.useless || w.span.sides != nil {
		t.Error("the search goes on")
	}
}

func TestFaultsHaveTheirReason(t *testing.T) {
	p := newProblem(t, problem.Darcy, 12, 12)
	good := systems(t, p, 1)[0]
	change := func(do func(s *system)) system {
		a := *good.a
		a.Val = slices.Clone(a.Val)
		s := system{&a, slices.Clone(good.b)}
		do(&s)
		return s
	}
	singular := change(func(s *system) {
		for i := range s.a.N { // couplings to and of unknown 30
			for k := s.a.Start[i]; k < s.a.Start[i+1]; k++ {
				if i == 30 || s.a.Col[k] == 30 {
					s.a.Val[k] = 0
				}
			}
		}
	})
	indefinite := change(func(s *system) {
		for i := range s.a.N {
			for k := s.a.Start[i]; k < s.a.Start[i+1]; k++ {
				if int(s.a.Col[k]) == i {
					s.a.Val[k] -= 1
				}
			}
		}
	})
	for name, c := range map[string]struct {
		s    system
		o    Options
		want []error // one of them; none for a solution
	}{
		"NaN in the matrix":     {change(func(s *system) { s.a.Val[5] = math.NaN() }), Options{}, []error{krylov.ErrNotFinite}},
		"NaN in b":              {change(func(s *system) { s.b[5] = math.NaN() }), Options{}, []error{krylov.ErrNotFinite}},
		"singular":              {singular, Options{}, []error{krylov.ErrStagnation, krylov.ErrIndefinite, multigrid.ErrStencil}},
		"singular, direct":      {singular, Options{Solver: Direct}, []error{direct.ErrIndefinite}},
		"tolerance below reach": {good, Options{Tolerance: 1e-19}, []error{krylov.ErrStagnation}},
		"indefinite, CG":        {indefinite, Options{Solver: CG}, nil}, // a fall-back solves it
		"indefinite, multigrid": {indefinite, Options{Solver: Multigrid}, nil},
		"too few iterations":    {good, Options{Solver: CG, MaxIterations: 1}, nil},
		"zero b":                {change(func(s *system) { clear(s.b) }), Options{}, nil},
	} {
		w := newPlan(t, p, c.o).NewWorker()
		got, err := w.Solve(t.Context(), c.s.a, c.s.b)
		ok := err == nil && len(c.want) == 0
		for _, want := range c.want {
			ok = ok || errors.Is(err, want)
		}
		if !ok {
			t.Errorf("%s: %v, by %s (%s)", name, err, got.Solver, got.Reason)
		}
		if err == nil && name != "zero b" && relative(c.s, got.X) > 1e-8 {
			t.Errorf("%s: residual %g", name, relative(c.s, got.X))
		}
		if name == "zero b" && (dense.Norm(got.X) != 0 || got.Iterations != 0) {
			t.Errorf("zero b: ‖x‖ = %g after %d", dense.Norm(got.X), got.Iterations)
		}
		// The next system does not suffer.
		if got, err := w.Solve(t.Context(), good.a, good.b); c.o.Tolerance == 0 && (err != nil || relative(good, got.X) > 1e-8) {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

func TestTimeIsBounded(t *testing.T) {
	p := newProblem(t, problem.Darcy, 60, 60)
	s := systems(t, p, 1)[0]
	plan := newPlan(t, p, Options{Timeout: time.Nanosecond})
	if _, err := plan.NewWorker().Solve(t.Context(), s.a, s.b); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, solver := range Names {
		if _, err := newPlan(t, p, Options{Solver: solver}).NewWorker().Solve(ctx, s.a, s.b); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", solver, err)
		}
	}
}

func TestImpossiblePlansAreRefused(t *testing.T) {
	darcy, wave := newProblem(t, problem.Darcy, 8, 8), newProblem(t, problem.Helmholtz, 8, 8)
	for _, c := range []struct {
		p *problem.Problem
		o Options
	}{
		{darcy, Options{Solver: "magic"}}, {darcy, Options{Tolerance: -1}}, {darcy, Options{Tolerance: math.NaN()}}, {darcy, Options{Tolerance: 1}},
		{darcy, Options{Restart: 5, Keep: 5}}, {darcy, Options{Restart: 1}}, {darcy, Options{MaxIterations: -1}}, {darcy, Options{Timeout: -1}},
		{wave, Options{Solver: Multigrid}}, {wave, Options{Solver: CG}},
	} {
		if _, err := NewPlan(c.p, c.o); err == nil {
			t.Errorf("%s with %+v accepted", c.p.Name, c.o)
		}
	}
}

// A race that both lose goes to the factorisation.
func TestARaceHasAFallBack(t *testing.T) {
	p := newProblem(t, problem.ConvectionDiffusion, 6, 6, 6)
	w := newPlan(t, p, Options{MaxIterations: 1}).NewWorker()
	for i, s := range systems(t, p, 3) {
		got, err := w.Solve(t.Context(), s.a, s.b)
		if err != nil || got.Solver != Direct || got.Reason == "" {
			t.Errorf("system %d: %s (%s), %v", i, got.Solver, got.Reason, err)
		}
	}
}
