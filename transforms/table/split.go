package table

import (
	"context"
	"errors"
	"fmt"
	"math"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// Output ports of Split.
const (
	train      = "train"
	validation = "validation"
	test       = "test"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Split",
		Inputs:  []string{transforms.In},
		Outputs: []string{train, validation, test},
		New:     newSplit,
	})
}

// SplitConfig parts rows at random, by lots drawn from the row's id. The shares
// must sum to 1 within 1e-9.
type SplitConfig struct {
	Train      float64 `json:"train"`
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
	Seed       int64   `json:"seed"`
	By         string  `json:"by"` // a column whose equal values stay together
}

type split struct {
	config SplitConfig
	lots   plan[lottery]
}

var _ transforms.Row = (*split)(nil)

func newSplit(config []byte) (transforms.Node, error) {
	n := &split{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := n.config
	if err := errors.Join(share(train, c.Train), share(validation, c.Validation), share(test, c.Test)); err != nil {
		return nil, err
	}
	if sum := c.Train + c.Validation + c.Test; math.Abs(sum-1) > 1e-9 {
		return nil, &transforms.FieldError{Message: fmt.Sprintf("train, validation and test sum to %.6g, not 1", sum)}
	}
	return n, nil
}

func (n *split) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := input(in)
	if err != nil {
		return nil, err
	}
	lots, err := newLottery("split", s, n.config.By, n.config.Seed)
	if err != nil {
		return nil, err
	}
	n.lots.set(lots)
	return transforms.Ports{{Name: train, Schema: s}, {Name: validation, Schema: s}, {Name: test, Schema: s}}, nil
}

func (n *split) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	lots, err := n.lots.get()
	if err != nil {
		return err
	}
	emit(n.port(lots.draw(r)), r)
	return nil
}

// port is where a lot falls. Test is counted from the top, so that a set whose
// share is 0 stays empty whatever the rounding of the sums.
func (n *split) port(lot float64) string {
	switch c := n.config; {
	case lot < c.Train:
		return train
	case lot >= 1-c.Test:
		return test
	case c.Validation > 0:
		return validation
	}
	return train
}
