package pde

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/pde/direct"
	"penstock.dev/transforms/pde/krylov"
	"penstock.dev/transforms/pde/problem"
	"penstock.dev/transforms/pde/solve"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "SolvePDE", Inputs: []string{transforms.In}, Outputs: []string{transforms.Out, transforms.Rejects},
		New: newSolve,
	})
}

// SolveConfig solves the rows of SamplePDE, or others with the same columns, and adds
// solution (a tensor of rhs's shape), solver, reason, iterations, residual (true,
// relative), seconds and converged. A row that no solver brings within the tolerance
// is rejected.
//
// Rows are taken in chunks of the input's order. Chunks are solved side by side, the
// rows of a chunk one after the other, sorted if that is asked for; what a solver
// carries from row to row ends with the chunk. So solutions do not depend on how many
// processors there are.
type SolveConfig struct {
	Solver        string              `json:"solver"`
	Tolerance     float64             `json:"tolerance"`
	MaxIterations int                 `json:"maxIterations"`
	Timeout       transforms.Duration `json:"timeout"`
	Restart       int                 `json:"restart"`
	Keep          int                 `json:"keep"`
	Sort          string              `json:"sort"` // none, all or low
	Chunk         int                 `json:"chunk"`
	Shape         []int               `json:"shape"` // of the grid, for columns that are lists
}

type solver struct {
	config SolveConfig
	mutex  sync.Mutex
	schema *data.Schema
	solved map[string]int64 // rows by solver
}

var (
	_ transforms.Global  = (*solver)(nil)
	_ transforms.Metered = (*solver)(nil)
)

func newSolve(config []byte) (transforms.Node, error) {
	n := &solver{solved: map[string]int64{}}
	return n, transforms.Decode(config, &n.config)
}

var solutionFields = []data.Field{
	{Name: "solver", Type: data.StringType},
	{Name: "reason", Type: data.StringType},
	{Name: "iterations", Type: data.Int64Type},
	{Name: "residual", Type: data.Float64Type},
	{Name: "seconds", Type: data.Float64Type},
	{Name: "converged", Type: data.BoolType},
}

// Columns checks that the input has a problem's columns, and adds those of the
// solution.
func (n *solver) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	if n.config.Keep > 0 && n.config.Keep >= n.config.Restart {
		return nil, &transforms.FieldError{Field: "keep", Message: fmt.Sprintf("keeps %d of %d vectors, want fewer than restart", n.config.Keep, n.config.Restart)}
	}
	err = errors.Join(
		transforms.NeedColumn(s, transforms.In, columnProblem, data.String),
		transforms.NeedColumn(s, transforms.In, columnCoefficient, data.Tensor, data.List),
		transforms.NeedColumn(s, transforms.In, columnRHS, data.Tensor, data.List),
		transforms.NeedColumn(s, transforms.In, columnParameters, data.List),
	)
	if err != nil {
		return nil, err
	}
	rhs, _ := s.Lookup(columnRHS)
	solution := data.Field{Name: "solution", Type: tensorOf(rhs.Type.Shape)}
	out, err := transforms.AddColumns(s, transforms.In, append([]data.Field{solution}, solutionFields...)...)
	if err != nil {
		return nil, err
	}
	n.mutex.Lock()
	n.schema = out
	n.mutex.Unlock()
	return transforms.OutPort(out), nil
}

// Metrics tell how many rows each solver solved.
func (n *solver) Metrics() []transforms.Metric {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	var metrics []transforms.Metric
	for _, name := range solve.Names {
		if rows := n.solved[name]; rows > 0 {
			metrics = append(metrics, transforms.Metric{Name: "solved by " + name, Value: float64(rows), Unit: "rows"})
		}
	}
	return metrics
}

// system is a row as its problem sees it.
type system struct {
	row                          *data.Record
	problem                      string
	shape                        []int // of the grid
	coefficient, rhs, parameters []float64
}

// read takes a row apart. The error rejects it.
func (n *solver) read(r *data.Record) (*system, error) {
	s := &system{row: r, problem: r.Get(columnProblem).Text()}
	for _, c := range []struct {
		column string
		into   *[]float64
		shape  *[]int
	}{{columnCoefficient, &s.coefficient, &s.shape}, {columnRHS, &s.rhs, nil}, {columnParameters, &s.parameters, nil}} {
		values, shape, err := floats(r.Get(c.column))
		if err != nil {
			return nil, transforms.Reject("value", "column %s %v", c.column, err)
		}
		*c.into = values
		if c.shape != nil {
			*c.shape = shape
		}
	}
	if s.shape == nil {
		s.shape = n.config.Shape
	} else if s.problem == problem.ConvectionDiffusion {
		s.shape = s.shape[min(1, len(s.shape)):]
	}
	if len(s.shape) == 0 {
		return nil, transforms.Reject("value", "column %s is a list: set shape to the extents of the grid", columnCoefficient)
	}
	return s, nil
}

// floats are the numbers of a tensor, with its shape, or of a list.
func floats(v data.Value) ([]float64, []int, error) {
	switch v.Kind() {
	case data.Tensor:
		a := v.Tensor()
		switch values := a.Data.(type) {
		case []float64:
			return values, a.Shape, nil
		case []float32:
			return widen(values), a.Shape, nil
		}
		return nil, nil, fmt.Errorf("holds %T, want float64 or float32", a.Data)
	case data.List:
		values := make([]float64, len(v.List()))
		for i, e := range v.List() {
			switch e.Kind() {
			case data.Float64:
				values[i] = e.Float64()
			case data.Float32:
				values[i] = float64(e.Float32())
			default:
				return nil, nil, fmt.Errorf("holds %s, want float64 or float32", e.Kind())
			}
		}
		return values, nil, nil
	}
	return nil, nil, fmt.Errorf("is %s", v.Kind())
}

func widen(values []float32) []float64 {
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}

// class is the word that rejects are counted by.
func class(err error) string {
	for _, c := range []struct {
		err  error
		word string
	}{
		{krylov.ErrNotFinite, "not-finite"}, {direct.ErrSingular, "singular"}, {direct.ErrIndefinite, "indefinite"},
		{krylov.ErrIndefinite, "indefinite"}, {krylov.ErrStagnation, "stagnation"}, {krylov.ErrBreakdown, "breakdown"},
		{krylov.ErrIterations, "iterations"}, {context.DeadlineExceeded, "time"},
	} {
		if errors.Is(err, c.err) {
			return c.word
		}
	}
	return "unsolved"
}

// key tells apart what needs a plan of its own.
func (s *system) key() string { return s.problem + fmt.Sprint(s.shape) }

// plan makes the solvers' plan for systems like s.
func (n *solver) plan(s *system) (*planned, error) {
	p, err := problem.New(s.problem, s.shape)
	if err != nil {
		return nil, transforms.Reject("value", "%v", err)
	}
	c := n.config
	plan, err := solve.NewPlan(p, solve.Options{
		Solver: c.Solver, Tolerance: c.Tolerance, MaxIterations: c.MaxIterations,
		Timeout: c.Timeout.Duration, Restart: c.Restart, Keep: c.Keep,
	})
	if err != nil {
		return nil, transforms.Fatal(&transforms.FieldError{Field: "solver", Message: err.Error()})
	}
	return &planned{problem: p, plan: plan}, nil
}

// planned is a plan with the workers that are idle.
type planned struct {
	problem *problem.Problem
	plan    *solve.Plan
	mutex   sync.Mutex
	idle    []*solve.Worker
}

func (p *planned) take() *solve.Worker {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if last := len(p.idle) - 1; last >= 0 {
		w := p.idle[last]
		p.idle = p.idle[:last]
		return w
	}
	return p.plan.NewWorker()
}

func (p *planned) give(w *solve.Worker) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.idle = append(p.idle, w)
}

// plausible refuses a shape of more cells than there are values.
func plausible(s *system) error {
	cells := 1
	for _, extent := range s.shape {
		if extent < 1 || extent > len(s.coefficient)/cells {
			return transforms.Reject("value", "column %s has %d values, %s on %s wants more", columnCoefficient, len(s.coefficient), s.problem, extents(s.shape))
		}
		cells *= extent
	}
	return nil
}

// fits reports whether a row's arrays have the sizes of the problem.
func (p *planned) fits(s *system) error {
	want := 1
	for _, extent := range p.problem.SolutionShape() {
		want *= extent
	}
	if len(s.rhs) != want {
		return transforms.Reject("value", "column %s has %d values, %s on %s wants %d", columnRHS, len(s.rhs), s.problem, extents(s.shape), want)
	}
	return nil
}

func extents(shape []int) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for _, e := range shape {
			if !yield(fmt.Sprint(e)) {
				return
			}
		}
	}), "×")
}
