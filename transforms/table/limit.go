package table

import (
	"context"

	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Limit",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newLimit,
	})
}

// LimitConfig keeps the first rows by order.
type LimitConfig struct {
	Rows int64 `json:"rows"`
}

type limit struct{ config LimitConfig }

var _ transforms.Global = (*limit)(nil)

func newLimit(config []byte) (transforms.Node, error) {
	n := &limit{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if n.config.Rows < 0 {
		return nil, &transforms.FieldError{Field: "rows", Message: "a number of rows is at least 0"}
	}
	return n, nil
}

func (n *limit) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	return transforms.OutPort(s), err
}

func (n *limit) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	left := n.config.Rows
	if left == 0 {
		return nil
	}
	for r, err := range rowsOf(ctx, in, transforms.In) {
		if err != nil {
			return err
		}
		emit(transforms.Out, r)
		if left--; left == 0 {
			return nil
		}
	}
	return nil
}
