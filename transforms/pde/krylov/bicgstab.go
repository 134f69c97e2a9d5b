package krylov

import (
	"context"
	"fmt"
	"math"

	"penstock.dev/transforms/pde/dense"
)

// patience is how many iterations BiCGStab may go without a new smallest residual.
const patience = 1000

// BiCGStab is the stabilised bi-conjugate gradient method (van der Vorst, SIAM J.
// Sci. Stat. Comput. 13, 1992), preconditioned from the right. A breakdown restarts
// it from the residual reached; three without progress between them are ErrBreakdown.
// An iteration applies the operator twice.
func BiCGStab(ctx context.Context, a Operator, m Preconditioner, x, b []float64, o Options) (Result, error) {
	s, done, err := begin(ctx, a, m, x, b, o)
	if done || err != nil {
		return s.result, err
	}
	n := len(b)
	w := stabilised{run: s, room: make([]float64, 6*n)}
	var watch stalled
	for {
		broke, err := w.iterate()
		if err != nil {
			return s.finish(err)
		}
		if err := s.residual(); err != nil || s.converged() {
			return s.result, err
		}
		if err := watch.check(s); err != nil {
			if broke {
				err = fmt.Errorf("%w: relative residual %.3g after %d iterations", ErrBreakdown, s.size/s.norm, s.result.Iterations)
			}
			return s.result, err
		}
	}
}

type stabilised struct {
	*run
	room []float64
}

// iterate goes on from r = b - A x until the recurrence says that the residual is
// small enough, or a scalar of the method vanishes.
func (s stabilised) iterate() (broke bool, err error) {
	n := len(s.b)
	shadow, p, v, y, z, t := s.room[:n], s.room[n:2*n], s.room[2*n:3*n], s.room[3*n:4*n], s.room[4*n:5*n], s.room[5*n:]
	copy(shadow, s.r)
	clear(p)
	clear(v)
	rho, alpha, omega := 1.0, 1.0, 1.0
	start := s.size
	best, since := s.size, 0
	for s.size > s.target {
		if err := s.next(); err != nil {
			return false, err
		}
		if since++; since > patience {
			return false, fmt.Errorf("%w: relative residual %.3g was not improved for %d iterations", ErrStagnation, best/s.norm, patience)
		}
		now := dense.Dot(shadow, s.r)
		if math.Abs(now) <= 1e-30*start*s.size {
			return true, nil
		}
		beta := now / rho * (alpha / omega)
		rho = now
		for i := range p {
			p[i] = s.r[i] + beta*(p[i]-omega*v[i])
		}
		s.m.Apply(y, p)
		s.multiply(v, y)
		if alpha = rho / dense.Dot(shadow, v); alpha-alpha != 0 {
			return true, nil
		}
		dense.Axpy(s.r, -alpha, v) // r is now the half step's
		s.m.Apply(z, s.r)
		s.multiply(t, z)
		tt := dense.Dot(t, t)
		omega = 0
		if tt > 0 {
			omega = dense.Dot(t, s.r) / tt
		}
		dense.Axpy(s.x, alpha, y)
		dense.Axpy(s.x, omega, z)
		dense.Axpy(s.r, -omega, t)
		if s.size = dense.Norm(s.r); s.size-s.size != 0 {
			return false, fmt.Errorf("%w: the residual after %d iterations", ErrNotFinite, s.result.Iterations)
		}
		if s.size < best {
			best, since = s.size, 0
		}
		if omega == 0 {
			return true, nil
		}
	}
	return false, nil
}
