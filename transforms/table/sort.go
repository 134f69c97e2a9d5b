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
		Name:    "Sort",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newSort,
	})
}

// SortConfig orders the rows by columns (see data.Compare), nulls last in either
// direction; rows that are equal in them keep their order. All rows are held in
// memory.
type SortConfig struct {
	By         []string `json:"by"`
	Descending bool     `json:"descending"`
}

type sorter struct {
	config SortConfig
	by     plan[[]int]
}

var _ transforms.Global = (*sorter)(nil)

func newSort(config []byte) (transforms.Node, error) {
	n := &sorter{}
	return n, transforms.Decode(config, &n.config)
}

func (n *sorter) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	by, err := indices(s, "by", n.config.By)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, at := range by {
		errs = append(errs, needOrder(s.Field(at), fmt.Sprintf("by.%d", i)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n.by.set(&by)
	return transforms.OutPort(s), nil
}

// needOrder checks that the values of a column have an order.
func needOrder(f data.Field, field string) error {
	if f.Type.Kind.Ordered() && isPlain(f.Type) {
		return nil
	}
	return &transforms.FieldError{Field: field, Code: transforms.ColumnType,
		Message: fmt.Sprintf("column %q is %s, whose values have no order", f.Name, f.Type)}
}

// Run gives the rows a new Order, for sinks write by it.
func (n *sorter) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	by, err := n.by.get()
	if err != nil {
		return err
	}
	var rows []*data.Record
	for r, err := range rowsOf(ctx, in, transforms.In) {
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *data.Record) int {
		for _, i := range *by {
			if c := compareNullsLast(a.Values[i], b.Values[i], n.config.Descending); c != 0 {
				return c
			}
		}
		return 0
	})
	for i, r := range rows {
		moved := *r
		moved.Order = int64(i)
		emit(transforms.Out, &moved)
	}
	return nil
}

func compareNullsLast(a, b data.Value, descending bool) int {
	if descending && !a.IsNull() && !b.IsNull() {
		return data.Compare(b, a)
	}
	return data.Compare(a, b)
}
