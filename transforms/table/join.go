package table

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// Input ports of Join.
const (
	left  = "left"
	right = "right"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Join",
		Inputs:  []string{left, right},
		Outputs: []string{transforms.Out},
		New:     newJoin,
	})
}

// JoinConfig joins the rows of two inputs that have equal values in the columns
// On; null equals nothing. The left side is streamed in its order, the right
// side is held in memory and should be the smaller. A left row with several
// matches becomes several rows, in the right side's order.
type JoinConfig struct {
	On []string `json:"on"`
	// How is "inner" to keep left rows that have a match, "left" to keep all,
	// with nulls in the right side's columns.
	How string `json:"how"`
}

type join struct {
	config JoinConfig
	plan   plan[joined]
}

// joined is where the key columns and, on the right side, the others are.
type joined struct {
	left, right []int
	rest        []int
	out         *data.Schema
}

var _ transforms.Global = (*join)(nil)

func newJoin(config []byte) (transforms.Node, error) {
	n := &join{config: JoinConfig{How: "inner"}}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if n.config.How != "inner" && n.config.How != "left" {
		return nil, &transforms.FieldError{Field: "how", Message: fmt.Sprintf("%q is neither inner nor left", n.config.How)}
	}
	return n, nil
}

func (n *join) Columns(in transforms.Ports) (transforms.Ports, error) {
	l, r := in.Get(left), in.Get(right)
	if l == nil || r == nil {
		return nil, &transforms.FieldError{Message: "joins two inputs, left and right"}
	}
	p := &joined{}
	var err, errRight error
	if p.left, err = indices(l, "on", n.config.On); err == nil {
		p.right, errRight = indices(r, "on", n.config.On)
	}
	if err := errors.Join(err, errRight); err != nil {
		return nil, err
	}
	var errs []error
	for i, name := range n.config.On {
		a, b := l.Field(p.left[i]), r.Field(p.right[i])
		if a.Type.Kind != b.Type.Kind || isPlain(a.Type) != isPlain(b.Type) {
			errs = append(errs, &transforms.FieldError{Field: fmt.Sprintf("on.%d", i), Code: transforms.ColumnType,
				Message: fmt.Sprintf("column %q is %s on the left and %s on the right", name, a.Type, b.Type),
				Hint:    "convert one with Derive"})
		}
	}
	p.rest = without(r.Len(), p.right)
	fields := l.Fields()
	for _, i := range p.rest {
		f := r.Field(i)
		f.Nullable = f.Nullable || n.config.How == "left"
		if l.Index(f.Name) >= 0 {
			errs = append(errs, &transforms.FieldError{Field: right, Code: transforms.ColumnTwice,
				Message: fmt.Sprintf("both sides have a column %q", f.Name), Hint: "give one another name with Rename, or Drop it"})
			continue
		}
		fields = append(fields, f)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if p.out, err = data.NewSchema(fields...); err != nil {
		return nil, err
	}
	n.plan.set(p)
	return transforms.OutPort(p.out), nil
}

func (n *join) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	p, err := n.plan.get()
	if err != nil {
		return err
	}
	matches := map[string][][]data.Value{} // by key
	for r, err := range rowsOf(ctx, in, right) {
		if err != nil {
			return err
		}
		if !hasNull(r, p.right) {
			key := string(appendKeys(nil, r, p.right))
			matches[key] = append(matches[key], pick(r.Values, p.rest))
		}
	}
	unmatched := make([]data.Value, len(p.rest))
	var key []byte
	for r, err := range rowsOf(ctx, in, left) {
		if err != nil {
			return err
		}
		var found [][]data.Value
		if !hasNull(r, p.left) {
			key = appendKeys(key[:0], r, p.left)
			found = matches[string(key)]
		}
		switch {
		case len(found) == 1:
			emit(transforms.Out, r.Append(p.out, found[0]...))
		case len(found) > 1:
			for i, rest := range found {
				child := r.Append(p.out, rest...)
				child.ID = r.ID.Child(i)
				emit(transforms.Out, child)
			}
		case n.config.How == "left":
			emit(transforms.Out, r.Append(p.out, unmatched...))
		}
	}
	return nil
}

func hasNull(r *data.Record, at []int) bool {
	for _, i := range at {
		if r.Values[i].IsNull() {
			return true
		}
	}
	return false
}
