package krylov

import (
	"context"
	"fmt"

	"penstock.dev/transforms/pde/dense"
)

// CG is the preconditioned conjugate gradient method (Hestenes and Stiefel, J. Res.
// Nat. Bur. Stand. 49, 1952; Saad, algorithm 9.1) for a symmetric positive definite
// operator and preconditioner. A direction that shows either not to be fails with
// ErrIndefinite.
func CG(ctx context.Context, a Operator, m Preconditioner, x, b []float64, o Options) (Result, error) {
	s, done, err := begin(ctx, a, m, x, b, o)
	if done || err != nil {
		return s.result, err
	}
	n := len(b)
	room := make([]float64, 3*n)
	z, p, q := room[:n], room[n:2*n], room[2*n:]
	var watch stalled
	for {
		if err := s.conjugate(z, p, q); err != nil {
			return s.finish(err)
		}
		if err := s.residual(); err != nil || s.converged() {
			return s.result, err
		}
		if err := watch.check(s); err != nil { // the recurrence claims what x does not hold
			return s.result, err
		}
	}
}

// conjugate iterates from r = b - A x until the recurrence says that the residual is
// small enough.
func (s *run) conjugate(z, p, q []float64) error {
	clear(p)
	last := 1.0
	for s.size > s.target {
		if err := s.next(); err != nil {
			return err
		}
		s.m.Apply(z, s.r)
		rz := dense.Dot(s.r, z)
		if !(rz > 0) {
			return indefinite("preconditioner", rz)
		}
		beta := rz / last
		for i, v := range z {
			p[i] = v + beta*p[i]
		}
		last = rz
		s.multiply(q, p)
		pq := dense.Dot(p, q)
		if !(pq > 0) {
			return indefinite("matrix", pq)
		}
		alpha := rz / pq
		dense.Axpy(s.x, alpha, p)
		dense.Axpy(s.r, -alpha, q)
		if s.size = dense.Norm(s.r); s.size-s.size != 0 {
			return fmt.Errorf("%w: the residual after %d iterations", ErrNotFinite, s.result.Iterations)
		}
	}
	return nil
}

func indefinite(what string, form float64) error {
	if form-form != 0 {
		return fmt.Errorf("%w: the %s gives %v", ErrNotFinite, what, form)
	}
	return fmt.Errorf("%w: the %s has a direction with quadratic form %.3g", ErrIndefinite, what, form)
}
