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

// SplitConfig parts rows at random, by lots drawn from the row's id.
type SplitConfig struct {
	Fractions Fractions `json:"fractions"`
	Seed      int64     `json:"seed"`
	By        string    `json:"by"` // a column whose equal values stay together
}

// Fractions are the shares of rows that go to the sets, each 0 to 1. They must
// sum to 1 within 1e-9.
type Fractions struct {
	Train      float64 `json:"train"`
	Validation float64 `json:"validation"`
	Test       float64 `json:"test"`
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
	if err := n.config.Fractions.check(); err != nil {
		return nil, err
	}
	return n, nil
}

func (f Fractions) check() error {
	const field = "fractions"
	if err := errors.Join(
		share(field+"."+train, f.Train),
		share(field+"."+validation, f.Validation),
		share(field+"."+test, f.Test),
	); err != nil {
		return err
	}
	if sum := f.Train + f.Validation + f.Test; math.Abs(sum-1) > 1e-9 {
		return &transforms.FieldError{Field: field, Message: fmt.Sprintf("train, validation and test sum to %.6g, not 1", sum)}
	}
	return nil
}

func (n *split) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
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
	switch f := n.config.Fractions; {
	case lot < f.Train:
		return train
	case lot >= 1-f.Test:
		return test
	case f.Validation > 0:
		return validation
	}
	return train
}
