package krylov

import (
	"context"
	"fmt"

	"penstock.dev/transforms/pde/dense"
)

// GMRES is restarted GMRES(m) (Saad and Schultz, SIAM J. Sci. Stat. Comput. 7, 1986),
// preconditioned from the right. restart is m, at least 1; a basis of m+1 vectors is
// held. Three cycles in a row that each reduce the residual by less than one per cent
// are ErrStagnation.
func GMRES(ctx context.Context, a Operator, m Preconditioner, x, b []float64, restart int, o Options) (Result, error) {
	return gmres(ctx, a, m, x, b, restart, o, false)
}

// FGMRES is GMRES for a preconditioner that may differ from step to step, such as
// another iteration (Saad, SIAM J. Sci. Comput. 14, 1993). It holds m more vectors.
func FGMRES(ctx context.Context, a Operator, m Preconditioner, x, b []float64, restart int, o Options) (Result, error) {
	return gmres(ctx, a, m, x, b, restart, o, true)
}

func gmres(ctx context.Context, a Operator, m Preconditioner, x, b []float64, restart int, o Options, flexible bool) (Result, error) {
	if restart < 1 {
		return Result{}, fmt.Errorf("krylov: restart is %d, want at least 1", restart)
	}
	s, done, err := begin(ctx, a, m, x, b, o)
	if done || err != nil {
		return s.result, err
	}
	c := newCycle(len(b), min(restart, len(b)))
	if flexible {
		c.flexible = make([]float64, c.steps*c.n)
	}
	var watch stalled
	for {
		steps, err := c.run(s, 0, c.steps)
		if err != nil {
			return s.finish(err)
		}
		clear(c.t)
		y := c.solve(steps)
		if flexible {
			dense.Combine(s.x, y, c.flexible, c.n)
		} else {
			dense.Combine(c.t, y, c.basis, c.n)
			s.m.Apply(c.z, c.t)
			dense.Axpy(s.x, 1, c.z)
		}
		if err := s.residual(); err != nil || s.converged() {
			return s.result, err
		}
		if err := watch.check(s); err != nil {
			return s.result, err
		}
	}
}
