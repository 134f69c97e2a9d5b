package table

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Union",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newUnion,
	})
}

// union carries the rows of several inputs, which have the same columns; their
// order is that of the first.
type union struct{ plan plan[unified] }

// unified is the schema of all inputs and, for each, where its columns are.
type unified struct {
	out     *data.Schema
	mapping map[uint64][]int // by the input's fingerprint
}

var _ transforms.Row = (*union)(nil)

func newUnion(config []byte) (transforms.Node, error) {
	return &union{}, transforms.Decode(config, &struct{}{})
}

func (n *union) Columns(in transforms.Ports) (transforms.Ports, error) {
	if _, err := transforms.Input(in); err != nil {
		return nil, err
	}
	first := in[0].Schema
	fields := append([]data.Field(nil), first.Fields()...)
	var errs []error
	for i, port := range in[1:] {
		errs = append(errs, compareColumns(first, port.Schema, i+1)...)
		for j := range fields {
			f, _ := port.Schema.Lookup(fields[j].Name)
			fields[j].Nullable = fields[j].Nullable || f.Nullable
			if f.Origin != fields[j].Origin {
				fields[j].Origin = ""
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := data.NewSchema(fields...)
	if err != nil {
		return nil, err
	}
	u := &unified{out, map[uint64][]int{}}
	for _, port := range in {
		at := make([]int, out.Len())
		for i, name := range out.Names() {
			at[i] = port.Schema.Index(name)
		}
		u.mapping[port.Schema.Fingerprint()] = at
	}
	n.plan.set(u)
	return transforms.OutPort(out), nil
}

// compareColumns lists what keeps the input at a position from being united with
// the first; positions count from 0 as in the graph.
func compareColumns(first, other *data.Schema, position int) []error {
	field := fmt.Sprintf("in.%d", position)
	var errs []error
	for _, f := range first.Fields() {
		g, ok := other.Lookup(f.Name)
		switch {
		case !ok:
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.MissingColumn,
				Message: fmt.Sprintf("input %d has no column %q, input 0 has", position, f.Name), Hint: suggestion(other, f.Name)})
		case !sameKind(f.Type, g.Type):
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.ColumnType,
				Message: fmt.Sprintf("column %q is %s in input %d, %s in input 0", f.Name, g.Type, position, f.Type),
				Hint:    "convert it with Derive"})
		}
	}
	for _, g := range other.Fields() {
		if first.Index(g.Name) < 0 {
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.MissingColumn,
				Message: fmt.Sprintf("input 0 has no column %q, input %d has", g.Name, position),
				Hint:    "drop it, or derive it there"})
		}
	}
	return errs
}

func suggestion(s *data.Schema, column string) string {
	if near, ok := s.Nearest(column); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// sameKind reports whether values of one type may stand in a column of the
// other: whether elements may be null does not matter, what they mean does.
func sameKind(a, b data.Type) bool {
	a.Nullable, b.Nullable = false, false
	if a.Elem != nil && b.Elem != nil {
		if !sameKind(*a.Elem, *b.Elem) {
			return false
		}
		a.Elem, b.Elem = nil, nil
	}
	return a.Equal(b)
}

func (n *union) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	u, err := n.plan.get()
	if err != nil {
		return err
	}
	at, ok := u.mapping[r.Schema.Fingerprint()]
	if !ok {
		return transforms.Fatal(fmt.Errorf("a row has columns of no input: %s", r.Schema))
	}
	emit(transforms.Out, r.With(u.out, pick(r.Values, at)))
	return nil
}
