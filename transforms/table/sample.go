package table

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Sample",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newSample,
	})
}

// SampleConfig keeps a random share of the rows: those whose lot, drawn from
// the row's id, is below Fraction. So the rows of a smaller fraction are among
// those of a larger one of the same seed.
type SampleConfig struct {
	Fraction float64 `json:"fraction"` // 0 to 1
	Seed     int64   `json:"seed"`
	By       string  `json:"by"` // a column whose equal values share a lot
}

type sample struct {
	config SampleConfig
	lots   plan[lottery]
}

var _ transforms.Row = (*sample)(nil)

func newSample(config []byte) (transforms.Node, error) {
	n := &sample{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if err := share("fraction", n.config.Fraction); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *sample) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	lots, err := newLottery("sample", s, n.config.By, n.config.Seed)
	if err != nil {
		return nil, err
	}
	n.lots.set(lots)
	return transforms.OutPort(s), nil
}

func (n *sample) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	lots, err := n.lots.get()
	if err != nil {
		return err
	}
	if lots.draw(r) < n.config.Fraction {
		emit(transforms.Out, r)
	}
	return nil
}

// lottery draws a number for a row, from its id or the value of a column alone.
type lottery struct {
	salt string // so that kinds draw apart even with one seed
	seed int64
	by   int // the column's position, -1 to draw by id
}

func newLottery(salt string, s *data.Schema, by string, seed int64) (*lottery, error) {
	l := &lottery{salt: salt + "\x00", seed: seed, by: -1}
	if by != "" {
		if err := transforms.NeedColumn(s, "by", by); err != nil {
			return nil, err
		}
		l.by = s.Index(by)
	}
	return l, nil
}

// draw is uniform in [0, 1).
func (l *lottery) draw(r *data.Record) float64 {
	var key string
	if l.by >= 0 {
		key = string(appendKey(nil, r.Values[l.by]))
	} else {
		key = r.ID.String()
	}
	return float64(data.Hash(l.salt+key, l.seed)>>11) / (1 << 53)
}
