//go:build unix

package solve

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"

	"penstock.dev/transforms/pde/field"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/order"
	"penstock.dev/transforms/pde/precond"
	"penstock.dev/transforms/pde/problem"
)

// TestTable prints the table of README.md: what recycling and sorting are worth, and
// what other solvers do on the same systems.
func TestTable(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes minutes: set PENSTOCK_LONG=1")
	}
	const count = 20
	smooth := problem.Settings{Spectrum: field.Spectrum{Alpha: 2, Tau: 3}, Scale: 2, Wave: 25, Speed: 20}
	correlated := smooth
	correlated.Correlation, correlated.Trajectory = 0.95, count
	medium := smooth
	medium.Scale = 0.2
	for _, c := range []struct {
		title, problem string
		shape          []int
		settings       problem.Settings
	}{
		{"the paper's Darcy matrix", problem.PaperDarcy, []int{102, 102}, smooth},
		{"Darcy", problem.Darcy, []int{100, 100}, smooth},
		{"Darcy, correlation 0.95", problem.Darcy, []int{100, 100}, correlated},
		{"convection–diffusion", problem.ConvectionDiffusion, []int{100, 100}, smooth},
		{"Helmholtz, wave number 25", problem.Helmholtz, []int{100, 100}, medium},
		{"convection–diffusion, 3-D", problem.ConvectionDiffusion, []int{24, 24, 24}, medium},
	} {
		p := newProblem(t, c.problem, c.shape...)
		list, sorted := drawn(t, p, c.settings, count)
		fmt.Printf("| %s |", c.title)
		for _, column := range []struct {
			systems []system
			solve   func(*Worker, system) (Solution, error)
			options Options
		}{
			{list, nil, Options{Solver: GMRES}},
			{list, deflated, Options{}},
			{list, nil, Options{Solver: SKR}},
			{sorted, nil, Options{Solver: SKR}},
			{list, nil, Options{Solver: BiCGStab}},
			{list, nil, Options{Solver: Direct}},
			{list, nil, Options{Solver: Multigrid}},
		} {
			plan, err := NewPlan(p, column.options)
			if err != nil {
				fmt.Printf(" – |")
				continue
			}
			if column.solve == nil {
				column.solve = func(w *Worker, s system) (Solution, error) {
					x := make([]float64, s.a.N)
					result, _, err := w.run(t.Context(), column.options.Solver, s.a, x, s.b)
					return Solution{X: x, Iterations: result.Iterations}, err
				}
			}
			fmt.Printf(" %s |", measure(plan.NewWorker(), column.systems, column.solve))
		}
		fmt.Printf(" %s | %s |\n", distance(t, p, list), distance(t, p, sorted))
	}
}

// distance is the mean δ between the space that SKR carries to a system and the one it
// leaves it with.
func distance(t *testing.T, p *problem.Problem, systems []system) string {
	plan, err := NewPlan(p, Options{Solver: SKR})
	if err != nil {
		t.Fatal(err)
	}
	w := plan.NewWorker()
	var carried [][]float64
	sum := 0.0
	for i, s := range systems {
		if _, _, err := w.run(t.Context(), SKR, s.a, make([]float64, s.a.N), s.b); err != nil {
			return "–"
		}
		m, err := precond.NewILU0(s.a)
		if err != nil {
			t.Fatal(err)
		}
		left := w.recycler.Space()
		if i > 0 {
			sum += krylov.Delta(s.a, m, left[:min(len(left), len(carried))], carried)
		}
		carried = left
	}
	return fmt.Sprintf("%.3f", sum/float64(len(systems)-1))
}

// measure is the mean iterations and milliseconds of processor time of a system, or
// what went wrong.
func measure(w *Worker, systems []system, solve func(*Worker, system) (Solution, error)) string {
	iterations, start := 0, processor()
	for i, s := range systems {
		got, err := solve(w, s)
		if err != nil {
			return fmt.Sprintf("fails on system %d", i)
		}
		iterations += got.Iterations
	}
	n := float64(len(systems))
	return fmt.Sprintf("%.0f / %.1f", float64(iterations)/n, (processor()-start)*1e3/n)
}

// processor is the seconds of processor time that the process has had.
func processor() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// deflated is SKR that carries nothing: GCRO-DR within each system alone.
func deflated(_ *Worker, s system) (Solution, error) {
	m, err := precond.NewILU0(s.a)
	if err != nil {
		return Solution{}, err
	}
	r, err := krylov.NewRecycler(40, 20)
	if err != nil {
		return Solution{}, err
	}
	result, err := r.Solve(context.Background(), s.a, m, make([]float64, s.a.N), s.b, krylov.Options{})
	return Solution{Iterations: result.Iterations}, err
}

// drawn are systems in the order drawn, and sorted.
func drawn(t *testing.T, p *problem.Problem, settings problem.Settings, count int) (list, sorted []system) {
	sampler, err := problem.NewSampler(p, settings)
	if err != nil {
		t.Fatal(err)
	}
	var points [][]float64
	for i := range count {
		in, err := sampler.Draw(int64(i), generator)
		if err != nil {
			t.Fatal(err)
		}
		a, err := p.Matrix(in.Coefficient, in.Parameters)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, system{a, p.Gather(in.RHS)})
		points = append(points, in.Coefficient)
	}
	for _, i := range order.Greedy(points) {
		sorted = append(sorted, list[i])
	}
	return list, sorted
}
