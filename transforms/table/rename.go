package table

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Rename",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newRename,
	})
}

// RenameConfig gives columns other names; they keep their places. All names
// change at once, so two columns may swap theirs.
type RenameConfig struct {
	Columns pairs `json:"columns"` // present name to new name
}

type rename struct {
	config RenameConfig
	out    plan[data.Schema]
}

var _ transforms.Row = (*rename)(nil)

func newRename(config []byte) (transforms.Node, error) {
	n := &rename{}
	return n, transforms.Decode(config, &n.config)
}

func (n *rename) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	fields := slices.Clone(s.Fields())
	var errs []error
	for _, c := range n.config.Columns {
		field := "columns." + c.name
		switch i := s.Index(c.name); {
		case i < 0:
			errs = append(errs, transforms.NeedColumn(s, field, c.name))
		case c.value == "":
			errs = append(errs, &transforms.FieldError{Field: field, Message: "the new name is empty"})
		default:
			fields[i].Name = c.value
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := data.NewSchema(fields...)
	if err != nil {
		return nil, n.clash(fields)
	}
	n.out.set(out)
	return transforms.OutPort(out), nil
}

// clash reports the entry whose new name another column has.
func (n *rename) clash(fields []data.Field) error {
	count := map[string]int{}
	for _, f := range fields {
		count[f.Name]++
	}
	for _, c := range n.config.Columns {
		if count[c.value] > 1 {
			return &transforms.FieldError{Field: "columns." + c.name, Code: transforms.ColumnTwice,
				Message: fmt.Sprintf("two columns would be named %q", c.value)}
		}
	}
	return nil
}

func (n *rename) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	out, err := n.out.get()
	if err != nil {
		return err
	}
	emit(transforms.Out, r.With(out, r.Values))
	return nil
}
