package table

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Select",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newSelect,
	})
	transforms.Register(transforms.Kind{
		Name:    "Drop",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newDrop,
	})
}

// SelectConfig keeps the named columns, in the order named.
type SelectConfig struct {
	Columns []string `json:"columns"`
}

// DropConfig removes the named columns.
type DropConfig struct {
	Columns []string `json:"columns"`
}

// projection keeps the columns at some positions of its input.
type projection struct {
	choose func(*data.Schema) ([]int, error)
	plan   plan[projected]
}

type projected struct {
	keep []int
	out  *data.Schema
}

var _ transforms.Row = (*projection)(nil)

func newSelect(config []byte) (transforms.Node, error) {
	var c SelectConfig
	if err := transforms.Decode(config, &c); err != nil {
		return nil, err
	}
	return &projection{choose: func(s *data.Schema) ([]int, error) {
		return indices(s, "columns", c.Columns)
	}}, nil
}

func newDrop(config []byte) (transforms.Node, error) {
	var c DropConfig
	if err := transforms.Decode(config, &c); err != nil {
		return nil, err
	}
	return &projection{choose: func(s *data.Schema) ([]int, error) {
		drop, err := indices(s, "columns", c.Columns)
		if err == nil && len(drop) == s.Len() {
			err = &transforms.FieldError{Field: "columns", Message: "no column would be left"}
		}
		return without(s.Len(), drop), err
	}}, nil
}

// without lists the positions below n that are not among drop.
func without(n int, drop []int) []int {
	dropped := make([]bool, n)
	for _, i := range drop {
		if i >= 0 {
			dropped[i] = true
		}
	}
	var keep []int
	for i := range n {
		if !dropped[i] {
			keep = append(keep, i)
		}
	}
	return keep
}

func (p *projection) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	keep, err := p.choose(s)
	if err != nil {
		return nil, err
	}
	fields := make([]data.Field, len(keep))
	for i, j := range keep {
		fields[i] = s.Field(j)
	}
	out, err := data.NewSchema(fields...)
	if err != nil {
		return nil, err
	}
	p.plan.set(&projected{keep, out})
	return transforms.OutPort(out), nil
}

func (p *projection) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	to, err := p.plan.get()
	if err != nil {
		return err
	}
	emit(transforms.Out, r.With(to.out, pick(r.Values, to.keep)))
	return nil
}

// pick copies the values at some positions.
func pick(values []data.Value, at []int) []data.Value {
	picked := make([]data.Value, len(at))
	for i, j := range at {
		picked[i] = values[j]
	}
	return picked
}
