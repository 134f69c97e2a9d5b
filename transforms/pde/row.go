package pde

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/pde/solve"
	"penstock.dev/transforms/pde/sparse"
)

// solveRow solves a row and counts its solver.
func (n *solver) solveRow(ctx context.Context, p *planned, run func(context.Context, *sparse.Matrix, []float64) (solve.Solution, error), s *system, solved map[string]int64) (r result) {
	defer func() {
		if fault := recover(); fault != nil {
			r = result{err: &panicked{fault}}
		}
	}()
	a, err := p.problem.Matrix(s.coefficient, s.parameters)
	if err != nil {
		return result{err: transforms.Reject("value", "%v", err)}
	}
	got, err := run(ctx, a, p.problem.Gather(s.rhs))
	if err != nil {
		return result{err: transforms.Reject(class(err), "%s: %v", got.Solver, err)}
	}
	solved[got.Solver]++
	return result{record: s.row.Append(n.schema,
		tensor(p.problem.SolutionShape(), p.problem.Scatter(got.X)),
		data.StringValue(got.Solver),
		data.StringValue(got.Reason),
		data.Int64Value(int64(got.Iterations)),
		data.Float64Value(got.Residual),
		data.Float64Value(got.Seconds),
		data.BoolValue(true),
	)}
}
