package table

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

const duplicates = "duplicates"

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Dedupe",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, duplicates},
		New:     newDedupe,
	})
}

// DedupeConfig keeps the first, by order, of the rows that have equal values in
// Columns; null equals null. It holds 16 bytes and some overhead, about 40 bytes
// in all, for each distinct row.
type DedupeConfig struct {
	Columns []string `json:"columns"`
	// Normalise compares strings by NFKC, in lower case, with runs of white space
	// as one.
	Normalise bool `json:"normalise"`
}

type dedupe struct {
	config  DedupeConfig
	columns plan[[]int]
}

var _ transforms.Global = (*dedupe)(nil)

func newDedupe(config []byte) (transforms.Node, error) {
	n := &dedupe{}
	return n, transforms.Decode(config, &n.config)
}

func (n *dedupe) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	at, err := indices(s, "columns", n.config.Columns)
	if err != nil {
		return nil, err
	}
	n.columns.set(&at)
	return transforms.Ports{{Name: transforms.Out, Schema: s}, {Name: duplicates, Schema: s}}, nil
}

func (n *dedupe) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	columns, err := n.columns.get()
	if err != nil {
		return err
	}
	seen := map[digest]struct{}{}
	var key []byte
	for r, err := range rowsOf(ctx, in, transforms.In) {
		if err != nil {
			return err
		}
		key = n.appendKey(key[:0], r, *columns)
		d := digestOf(key)
		if _, again := seen[d]; again {
			emit(duplicates, r)
			continue
		}
		seen[d] = struct{}{}
		emit(transforms.Out, r)
	}
	return nil
}

func (n *dedupe) appendKey(b []byte, r *data.Record, columns []int) []byte {
	for _, i := range columns {
		v := r.Values[i]
		if n.config.Normalise && v.Kind() == data.String {
			v = data.StringValue(normalise(v.Text()))
		}
		b = appendKey(b, v)
	}
	return b
}
