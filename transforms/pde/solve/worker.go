package solve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/multigrid"
	"penstock.dev/transforms/pde/precond"
	"penstock.dev/transforms/pde/sparse"
)

// Solution is how a system was solved, or why it was not.
type Solution struct {
	X          []float64
	Solver     string  // that solved it, or was tried first if none did
	Reason     string  // why that one
	Iterations int     // of that solver; 0 where a factor was enough
	Residual   float64 // true, relative
	Seconds    float64 // with set-up and failed attempts
}

// Worker solves systems. It serves one goroutine.
type Worker struct {
	plan     *Plan
	factor   *factor
	grid     *multigrid.Multigrid
	recycler *krylov.Recycler
	span     *span
	probe    *probe
}

// NewWorker makes a worker. Memory is taken as solvers are first used.
func (p *Plan) NewWorker() *Worker { return &Worker{plan: p} }

// Begin forgets what was carried from system to system.
func (w *Worker) Begin() {
	if w.recycler != nil {
		w.recycler.Reset()
	}
	w.span, w.probe = nil, nil
}

// Solve solves a system of the problem. The error is that of the solver tried first
// where no other helped; it wraps an error of the solvers' packages or the context's.
func (w *Worker) Solve(ctx context.Context, a *sparse.Matrix, b []float64) (Solution, error) {
	start := time.Now()
	if limit := w.plan.options.Timeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	s, err := w.solve(ctx, a, b)
	s.Seconds = time.Since(start).Seconds()
	return s, err
}

func (w *Worker) solve(ctx context.Context, a *sparse.Matrix, b []float64) (Solution, error) {
	first, reason := w.choose()
	if err := a.Check(); err != nil {
		return Solution{Solver: first}, fmt.Errorf("%w: %v", krylov.ErrNotFinite, err)
	}
	if first == "" {
		return w.race(ctx, a, b)
	}
	s, err := w.try(ctx, first, a, b)
	s.Reason = joined(reason, s.Reason)
	if err == nil || ctx.Err() != nil || errors.Is(err, krylov.ErrNotFinite) && !dense.Finite(b) {
		return s, err
	}
	for _, next := range w.fallbacks(first) {
		other, failed := w.try(ctx, next, a, b)
		if failed == nil {
			other.Reason = joined(reason, fmt.Sprintf("%s failed: %v", first, err))
			return other, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return s, err
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// choose is the solver to try first, "" for a race.
func (w *Worker) choose() (solver, reason string) {
	p := w.plan.problem
	switch {
	case w.plan.options.Solver != Auto:
		return w.plan.options.Solver, ""
	case p.Constant:
		return Direct, "one matrix for all rows"
	case p.Stencil != nil:
		return Multigrid, "positive definite on a grid"
	case len(p.Shape) == 2:
		return Direct, "two dimensions"
	case w.probe != nil && w.probe.chosen != "":
		return w.probe.chosen, w.probe.reason
	}
	return "", ""
}

// fallbacks are the solvers to try after one failed, the surest first.
func (w *Worker) fallbacks(failed string) []string {
	var list []string
	for _, s := range []string{Direct, SKR, BiCGStab} {
		if s != failed {
			list = append(list, s)
		}
	}
	return list
}

// try solves a system with one solver.
func (w *Worker) try(ctx context.Context, solver string, a *sparse.Matrix, b []float64) (Solution, error) {
	s := Solution{X: make([]float64, a.N), Solver: solver}
	result, reason, err := w.run(ctx, solver, a, s.X, b)
	s.Iterations, s.Residual, s.Reason = result.Iterations, result.Residual, reason
	return s, err
}

func (w *Worker) run(ctx context.Context, solver string, a *sparse.Matrix, x, b []float64) (krylov.Result, string, error) {
	return w.within(ctx, solver, w.plan.options.MaxIterations, a, x, b)
}

// within is run with another limit of iterations.
func (w *Worker) within(ctx context.Context, solver string, iterations int, a *sparse.Matrix, x, b []float64) (krylov.Result, string, error) {
	o := krylov.Options{Tolerance: w.plan.options.Tolerance, MaxIterations: iterations}
	switch solver {
	case Direct:
		return w.direct(ctx, a, x, b, o)
	case Multigrid:
		if err := w.hierarchy(a); err != nil {
			return krylov.Result{}, "", err
		}
		result, err := w.grid.Solve(ctx, x, b, o)
		return result, "", err
	case CG:
		m, reason := incomplete(a, true)
		result, err := krylov.CG(ctx, a, m, x, b, o)
		return result, reason, err
	}
	m, reason := incomplete(a, false)
	var result krylov.Result
	var err error
	switch solver {
	case BiCGStab:
		result, err = krylov.BiCGStab(ctx, a, m, x, b, o)
	case GMRES:
		result, err = krylov.GMRES(ctx, a, m, x, b, w.plan.options.Restart, o)
	default:
		if w.recycler == nil {
			if w.recycler, err = krylov.NewRecycler(w.plan.options.Restart, w.plan.options.Keep); err != nil {
				return result, "", err
			}
		}
		result, err = w.recycler.Solve(ctx, a, m, x, b, o)
	}
	return result, reason, err
}

func (w *Worker) hierarchy(a *sparse.Matrix) error {
	if w.grid != nil {
		return w.grid.Update(a)
	}
	grid, err := multigrid.New(a, w.plan.problem.Stencil...)
	if err == nil {
		w.grid = grid
	}
	return err
}

// incomplete is the preconditioner of the Krylov solvers: an incomplete factor, the
// diagonal where there is none, nothing where that fails too.
func incomplete(a *sparse.Matrix, symmetric bool) (krylov.Preconditioner, string) {
	if symmetric {
		if m, err := precond.NewIC0(a); err == nil {
			return m, ""
		}
	} else if m, err := precond.NewILU0(a); err == nil {
		return m, ""
	}
	if m, err := precond.NewJacobi(a); err == nil {
		return m, "no incomplete factor: Jacobi"
	}
	return precond.Identity{}, "no incomplete factor: no preconditioner"
}
