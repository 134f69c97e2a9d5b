package krylov

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/transforms/pde/dense"
)

// Operator is a linear map of vectors of length Dim. dst and x never overlap.
type Operator interface {
	Dim() int
	MulVec(dst, x []float64)
}

// Preconditioner approximates the inverse of an operator. dst and src never overlap.
type Preconditioner interface {
	Apply(dst, src []float64)
}

// Options say when to stop. The zero value asks for 1e-8 within 10,000 iterations.
type Options struct {
	Tolerance     float64 // of the true relative residual; 0 is 1e-8
	MaxIterations int     // 0 is 10,000
}

// Result says what a solve took.
type Result struct {
	Iterations int     // steps of the method; an Arnoldi step is one
	Products   int     // applications of the operator, those of set-up and checks included
	Residual   float64 // ‖b - A x‖ / ‖b‖ of the x returned
}

// What can go wrong, apart from the context's errors.
var (
	ErrIterations = errors.New("iteration limit reached")
	ErrStagnation = errors.New("stagnation")
	ErrBreakdown  = errors.New("breakdown")
	ErrIndefinite = errors.New("not positive definite")
	ErrNotFinite  = errors.New("not finite")
)

// run is what all solvers have in common.
type run struct {
	ctx    context.Context
	a      Operator
	m      Preconditioner
	x, b   []float64
	r      []float64 // the residual
	norm   float64   // ‖b‖
	target float64   // ‖r‖ to reach
	limit  int
	size   float64 // ‖r‖
	result Result
}

// begin forms the first residual. done says that there is nothing to solve: x
// already is the solution, or an error came up.
func begin(ctx context.Context, a Operator, m Preconditioner, x, b []float64, o Options) (s *run, done bool, err error) {
	n := a.Dim()
	if len(x) != n || len(b) != n {
		return &run{}, true, fmt.Errorf("krylov: operator of order %d with vectors of %d and %d", n, len(x), len(b))
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 10000
	}
	if m == nil {
		m = identity{}
	}
	s = &run{ctx: ctx, a: a, m: m, x: x, b: b, norm: dense.Norm(b), limit: o.MaxIterations}
	if !dense.Finite(b) {
		return s, true, fmt.Errorf("%w: the right-hand side", ErrNotFinite)
	}
	if !dense.Finite(x) {
		return s, true, fmt.Errorf("%w: the initial guess", ErrNotFinite)
	}
	if s.norm == 0 {
		clear(x)
		return s, true, nil
	}
	s.target = o.Tolerance * s.norm
	s.r = make([]float64, n)
	if err := s.residual(); err != nil {
		return s, true, err
	}
	return s, s.converged(), ctx.Err()
}

type identity struct{}

func (identity) Apply(dst, src []float64) { copy(dst, src) }

func (s *run) multiply(dst, x []float64) {
	s.a.MulVec(dst, x)
	s.result.Products++
}

// residual forms r = b - A x.
func (s *run) residual() error {
	s.multiply(s.r, s.x)
	for i, v := range s.b {
		s.r[i] = v - s.r[i]
	}
	s.size = dense.Norm(s.r)
	s.result.Residual = s.size / s.norm
	if s.size-s.size != 0 {
		return fmt.Errorf("%w: the residual after %d iterations", ErrNotFinite, s.result.Iterations)
	}
	return nil
}

func (s *run) converged() bool { return s.size <= s.target }

// next counts an iteration, unless the limits forbid it.
func (s *run) next() error {
	if err := s.ctx.Err(); err != nil {
		return fmt.Errorf("stopped after %d iterations: %w", s.result.Iterations, err)
	}
	if s.result.Iterations >= s.limit {
		return fmt.Errorf("%w: %d", ErrIterations, s.limit)
	}
	s.result.Iterations++
	return nil
}

// finish is for solvers that were stopped by err: it makes the result tell of the x
// returned.
func (s *run) finish(err error) (Result, error) {
	if again := s.residual(); again != nil && err == nil {
		err = again
	}
	return s.result, err
}

// stalled watches true residuals: three checks in a row, or most where that is more,
// that together leave more than 99 % of what was there are stagnation.
type stalled struct {
	last        float64
	count, most int
}

func (w *stalled) check(s *run) error {
	if s.size <= 0.99*w.last || w.last == 0 {
		w.last, w.count = s.size, 0
		return nil
	}
	if w.count++; w.count < max(w.most, 3) {
		return nil
	}
	return fmt.Errorf("%w: relative residual %.3g after %d iterations", ErrStagnation, s.size/s.norm, s.result.Iterations)
}
