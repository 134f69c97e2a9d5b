package solve

import (
	"context"
	"fmt"

	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/sparse"
)

// probe compares solvers on the first systems of a chunk.
type probe struct {
	seen   int
	chosen string
	reason string
}

// trials is how many systems are solved twice: the second shows what SKR carries.
const trials = 2

// race solves a system with BiCGStab and with SKR, and after some systems decides for
// the one that does less. Work is counted, not timed, so that the decision is the same
// in every run.
func (w *Worker) race(ctx context.Context, a *sparse.Matrix, b []float64) (Solution, error) {
	if w.probe == nil {
		w.probe = &probe{}
	}
	w.probe.seen++
	var best Solution
	var work [2]float64
	var failed error
	for i, solver := range []string{BiCGStab, SKR} {
		x := make([]float64, a.N)
		limit := w.plan.options.MaxIterations
		if i == 1 && work[0] > 0 {
			limit = min(limit, w.worth(work[0], a))
		}
		result, _, err := w.within(ctx, solver, limit, a, x, b)
		if ctx.Err() != nil {
			return Solution{Solver: solver}, err
		}
		work[i] = w.work(solver, result, a)
		if err != nil {
			failed, work[i] = err, 0
			continue
		}
		if best.X == nil {
			best = Solution{X: x, Solver: solver, Reason: "first systems, solved by both", Iterations: result.Iterations, Residual: result.Residual}
		}
	}
	if w.probe.seen == trials {
		w.probe.decide(work)
	}
	if best.X != nil {
		return best, nil
	}
	if s, err := w.try(ctx, Direct, a, b); err == nil {
		s.Reason = fmt.Sprintf("%s and %s failed: %v", BiCGStab, SKR, failed)
		return s, nil
	}
	return Solution{Solver: SKR}, failed
}

// worth is how many iterations of SKR are as much work as BiCGStab had: more cannot win.
// A first system, which SKR meets with nothing carried, gets half as many again.
func (w *Worker) worth(work float64, a *sparse.Matrix) int {
	if w.probe.seen == 1 {
		work *= 1.5
	}
	one := w.work(SKR, krylov.Result{Iterations: 1, Products: 1}, a)
	return max(1, int(work/one))
}

// decide chooses by the work on the last system; 0 is a failure.
func (p *probe) decide(work [2]float64) {
	switch {
	case work[0] == 0 && work[1] == 0:
		p.chosen, p.reason = Direct, "three dimensions; the iterations failed on the first systems"
	case work[1] == 0 || work[0] != 0 && work[0] <= work[1]:
		p.chosen = BiCGStab
	default:
		p.chosen = SKR
	}
	if p.reason == "" {
		p.reason = fmt.Sprintf("three dimensions; work on system %d: %s %.0f, %s %.0f", trials, BiCGStab, work[0], SKR, work[1])
	}
}

// work is about the memory traffic of a solve, in bytes an unknown: products and
// preconditioners read the matrix, and the rest reads vectors. What limits these
// solvers is memory.
func (w *Worker) work(solver string, r krylov.Result, a *sparse.Matrix) float64 {
	perRow := float64(len(a.Val)) / float64(max(a.N, 1))
	pass := 2 * (12*perRow + 24)
	traffic := pass * float64(r.Products)
	if solver == BiCGStab {
		return traffic + 150*float64(r.Iterations)
	}
	basis := float64(w.plan.options.Restart+w.plan.options.Keep) / 2
	return traffic + (2*8+6)*basis*float64(r.Iterations) // read twice; 6 for the update of the space
}
