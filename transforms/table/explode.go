package table

import (
	"context"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Explode",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newExplode,
	})
}

// ExplodeConfig makes a row of every element of a list column. The rows keep the
// other columns and the order of the elements; an empty list gives no row.
type ExplodeConfig struct {
	Column string `json:"column"`
}

type explode struct {
	config ExplodeConfig
	out    plan[explodePlan]
}

// explodePlan is what Columns found out for Process.
type explodePlan struct {
	column int
	schema *data.Schema
}

var _ transforms.Row = (*explode)(nil)

func newExplode(config []byte) (transforms.Node, error) {
	n := &explode{}
	return n, transforms.Decode(config, &n.config)
}

// Columns says what comes out, and refuses an input that does not fit: the error
// names the field, and the checker finds its place in the user's file.
func (n *explode) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	if err := transforms.NeedColumn(s, "column", n.config.Column, data.List); err != nil {
		return nil, err
	}
	i := s.Index(n.config.Column)
	fields := slices.Clone(s.Fields())
	list := fields[i].Type
	fields[i].Type, fields[i].Nullable = *list.Elem, list.Nullable
	out, err := data.NewSchema(fields...)
	if err != nil {
		return nil, err
	}
	n.out.set(&explodePlan{i, out})
	return transforms.OutPort(out), nil
}

// Process may be called from several goroutines at once.
func (n *explode) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	p, err := n.out.get()
	if err != nil {
		return err
	}
	list := r.Values[p.column]
	if list.IsNull() {
		return transforms.Reject("null", "column %s is null", n.config.Column)
	}
	for i, element := range list.List() {
		values := slices.Clone(r.Values)
		values[p.column] = element
		emit(transforms.Out, r.Child(i, p.schema, values))
	}
	return nil
}
