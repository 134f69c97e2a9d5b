package solve

import (
	"context"
	"fmt"

	"penstock.dev/transforms/pde/dense"
	"penstock.dev/transforms/pde/direct"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/sparse"
)

// factor is a factorisation that is kept for the next system.
type factor struct {
	of     *sparse.Matrix // nil while there is none
	solver interface {
		Factor(context.Context, *sparse.Matrix) error
		krylov.Preconditioner
	}
}

// refinements bounds the steps of GMRES that follow a factor whose residual falls
// short.
const refinements = 50

func (w *Worker) direct(ctx context.Context, a *sparse.Matrix, x, b []float64, o krylov.Options) (krylov.Result, string, error) {
	if err := w.factorise(ctx, a); err != nil {
		return krylov.Result{}, "", err
	}
	reason := ""
	if w.plan.problem.Constant {
		if w.span == nil {
			w.span = &span{}
		}
		reason = w.span.solve(w.factor.solver, x, b, 0.1*o.Tolerance)
	} else {
		w.factor.solver.Apply(x, b)
	}
	if !dense.Finite(x) {
		clear(x)
		if dense.Finite(b) {
			return krylov.Result{}, "", fmt.Errorf("%w: the factor gives no finite solution", direct.ErrSingular)
		}
	}
	o.MaxIterations = min(o.MaxIterations, refinements)
	result, err := krylov.GMRES(ctx, a, w.factor.solver, x, b, refinements, o)
	return result, reason, err
}

func (w *Worker) factorise(ctx context.Context, a *sparse.Matrix) error {
	if w.factor != nil && w.factor.of != nil && w.plan.problem.Constant && w.factor.of.Equal(a) {
		return nil
	}
	if w.factor == nil {
		analysis, err := w.plan.analyse(a)
		if err != nil {
			return err
		}
		w.factor = &factor{}
		if w.plan.problem.Definite {
			w.factor.solver = direct.NewCholesky(analysis)
		} else {
			w.factor.solver = direct.NewLU(analysis)
		}
	}
	w.factor.of = nil
	if err := w.factor.solver.Factor(ctx, a); err != nil {
		return err
	}
	w.factor.of = a
	return nil
}

// span is the right-hand sides of one matrix that were solved so far: many problems
// have but a few independent ones, and their other solutions are combinations.
type span struct {
	sides     [][]float64 // orthonormal
	solutions [][]float64 // for them
	useless   bool
}

// widest is how many independent right-hand sides are kept before the search for
// dependent ones ends.
const widest = 8

// solve sets x to a combination of solutions if b is one of right-hand sides to
// within tol, and to the factor's solution otherwise.
func (s *span) solve(m krylov.Preconditioner, x, b []float64, tol float64) (reason string) {
	norm := dense.Norm(b)
	if s.useless || norm == 0 || norm-norm != 0 {
		m.Apply(x, b)
		return ""
	}
	rest := append([]float64(nil), b...)
	along := make([]float64, len(s.sides))
	for range 2 {
		for i, q := range s.sides {
			f := dense.Dot(q, rest)
			dense.Axpy(rest, -f, q)
			along[i] += f
		}
	}
	combination := make([]float64, len(b))
	for i, f := range along {
		dense.Axpy(combination, f, s.solutions[i])
	}
	left := dense.Norm(rest)
	if left <= tol*norm {
		copy(x, combination)
		return fmt.Sprintf("a combination of %d solutions", len(s.sides))
	}
	m.Apply(x, b)
	if len(s.sides) == widest {
		*s = span{useless: true}
		return ""
	}
	for i, v := range x {
		combination[i] = v - combination[i]
	}
	dense.Scale(combination, 1/left)
	dense.Scale(rest, 1/left)
	s.sides, s.solutions = append(s.sides, rest), append(s.solutions, combination)
	return ""
}
