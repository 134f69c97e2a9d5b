package table

import (
	"context"
	"fmt"

	"github.com/google/cel-go/common/types"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Filter",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Else, transforms.Rejects},
		New:     newFilter,
	})
}

// FilterConfig parts rows by a condition.
type FilterConfig struct {
	Where string `json:"where"` // CEL, true for the rows of port out
}

type filter struct {
	config FilterConfig
	where  plan[expression]
}

var _ transforms.Row = (*filter)(nil)

func newFilter(config []byte) (transforms.Node, error) {
	f := &filter{}
	if err := transforms.Decode(config, &f.config); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *filter) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	lang, err := newLanguage(s)
	if err != nil {
		return nil, err
	}
	where, err := lang.compile("where", f.config.Where)
	if err != nil {
		return nil, err
	}
	if where.result.Kind() != types.BoolKind {
		return nil, &transforms.FieldError{Field: "where", Code: transforms.BadExpression,
			Message: fmt.Sprintf("a condition must be bool, this is %s", typeName(where.result)),
			Hint:    "compare it with something"}
	}
	f.where.set(where)
	return transforms.Ports{{Name: transforms.Out, Schema: s}, {Name: transforms.Else, Schema: s}}, nil
}

func (f *filter) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	where, err := f.where.get()
	if err != nil {
		return err
	}
	holds, err := where.eval(r)
	if err != nil {
		return err
	}
	switch holds {
	case types.True:
		emit(transforms.Out, r)
	case types.False:
		emit(transforms.Else, r)
	default:
		return where.noResult(r)
	}
	return nil
}
