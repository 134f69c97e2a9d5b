package pde

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/pde/field"
	"penstock.dev/transforms/pde/problem"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "SamplePDE", Outputs: []string{transforms.Out, transforms.Rejects},
		New: newSample,
	})
}

// SampleConfig draws instances of a problem, a row each: its name, its coefficient
// and right-hand side as tensors of float64, and the numbers behind them. A row's
// draws depend on its number and the seed alone.
type SampleConfig struct {
	Problem     string      `json:"problem"`
	Compat      string      `json:"compat"` // "skr-paper" or empty
	Shape       []int       `json:"shape"`
	Rows        int64       `json:"rows"`
	Field       RandomField `json:"field"`
	Correlation float64     `json:"correlation"`
	Trajectory  int         `json:"trajectory"`
	Wave        float64     `json:"wave"`
	Speed       float64     `json:"speed"`
	Seed        int64       `json:"seed"`
}

// RandomField is the Gaussian field of a coefficient and what is made of it.
type RandomField struct {
	Boundary string  `json:"boundary"` // neumann or periodic
	Alpha    float64 `json:"alpha"`
	Tau      float64 `json:"tau"`
	Values   string  `json:"values"` // lognormal or threshold
	Scale    float64 `json:"scale"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}

type sample struct {
	config   SampleConfig
	problem  *problem.Problem
	settings problem.Settings
	schema   *data.Schema
}

var _ transforms.Source = (*sample)(nil)

// Columns of SamplePDE, which SolvePDE reads.
const (
	columnProblem     = "problem"
	columnCoefficient = "coefficient"
	columnRHS         = "rhs"
	columnParameters  = "parameters"
)

// paper is the value of compat for the matrices of the paper's code.
const paper = "skr-paper"

func newSample(config []byte) (transforms.Node, error) {
	n := &sample{}
	return n, transforms.Decode(config, &n.config)
}

// Columns makes sure that the problem exists on the grid.
func (n *sample) Columns(transforms.Ports) (transforms.Ports, error) {
	c := n.config
	name := c.Problem
	if c.Compat == paper {
		name = "paper-" + c.Problem
	}
	p, err := problem.New(name, c.Shape)
	if err != nil {
		return nil, &transforms.FieldError{Field: "shape", Message: err.Error()}
	}
	n.problem = p
	n.settings = problem.Settings{
		Periodic: c.Field.Boundary == "periodic",
		Spectrum: field.Spectrum{Alpha: c.Field.Alpha, Tau: c.Field.Tau},
		Scale:    c.Field.Scale, Threshold: c.Field.Values == "threshold", Low: c.Field.Low, High: c.Field.High,
		Correlation: c.Correlation, Trajectory: c.Trajectory,
		Wave: c.Wave, Speed: c.Speed,
	}
	if _, err := problem.NewSampler(p, n.settings); err != nil {
		return nil, &transforms.FieldError{Field: "field", Message: err.Error()}
	}
	n.schema = data.MustSchema(
		data.Field{Name: columnProblem, Type: data.StringType},
		data.Field{Name: columnCoefficient, Type: tensorOf(p.CoefficientShape())},
		data.Field{Name: columnRHS, Type: tensorOf(p.SolutionShape())},
		data.Field{Name: columnParameters, Type: data.ListOf(data.Float64Type, false)},
	)
	return transforms.OutPort(n.schema), nil
}

func tensorOf(shape []int) data.Type {
	return data.Type{Kind: data.Tensor, Elem: &data.Float64Type, Shape: shape}
}

func tensor(shape []int, values []float64) data.Value {
	return data.TensorValue(&data.Array{Shape: shape, Data: values})
}

// splitRows is how many rows are read in one go.
const splitRows = 64

// Splits are runs of rows.
func (n *sample) Splits(context.Context) ([]transforms.Split, error) {
	var splits []transforms.Split
	for from := int64(0); from < n.config.Rows; from += splitRows {
		to := min(from+splitRows, n.config.Rows)
		splits = append(splits, transforms.Split{Name: n.problem.Name, Begin: from, End: to, FirstRow: from, Order: from, Rows: to - from})
	}
	return splits, nil
}

func (n *sample) id(row int64) data.ID { return data.ID{Source: n.problem.Name, Row: row} }

// Read draws the rows of a split, on all processors.
func (n *sample) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	drawn := make([]*problem.Instance, s.End-s.Begin)
	failed := make([]error, len(drawn))
	var wait sync.WaitGroup
	hands := min(runtime.GOMAXPROCS(0), len(drawn))
	for hand := range hands {
		wait.Go(func() {
			sampler, err := problem.NewSampler(n.problem, n.settings)
			for i := hand; i < len(drawn); i += hands {
				if failed[i] = err; err == nil && ctx.Err() == nil {
					drawn[i], failed[i] = sampler.Draw(s.FirstRow+int64(i), func(row int64, draw int) *rand.Rand {
						return data.Draw(n.id(row), n.config.Seed, draw)
					})
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for i, in := range drawn {
		r := &data.Record{Schema: n.schema, ID: n.id(s.FirstRow + int64(i)), Order: s.Order + int64(i)}
		if failed[i] != nil {
			r.Values = make([]data.Value, n.schema.Len())
			reject(transforms.AsRejected(r, fmt.Errorf("%s: %w", n.problem.Name, failed[i])))
			continue
		}
		parameters := make([]data.Value, len(in.Parameters))
		for k, v := range in.Parameters {
			parameters[k] = data.Float64Value(v)
		}
		r.Values = []data.Value{
			data.StringValue(n.problem.Name),
			tensor(n.problem.CoefficientShape(), in.Coefficient),
			tensor(n.problem.SolutionShape(), in.RHS),
			data.ListValue(parameters),
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	return nil
}
