package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Derive",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newDerive,
	})
}

// DeriveConfig adds columns computed from the input's.
type DeriveConfig struct {
	// Columns maps new columns to CEL expressions. They are added in the order
	// written. An expression sees the input's columns alone, not those derived
	// beside it, so that the order does not matter to their values.
	Columns pairs `json:"columns"`
}

type derive struct {
	config DeriveConfig
	plan   plan[derivation]
}

// derivation is one expression for each new column and the schema with them.
type derivation struct {
	columns []*expression
	out     *data.Schema
}

var _ transforms.Row = (*derive)(nil)

func newDerive(config []byte) (transforms.Node, error) {
	d := &derive{}
	if err := transforms.Decode(config, &d.config); err != nil {
		return nil, err
	}
	if len(d.config.Columns) == 0 {
		return nil, &transforms.FieldError{Field: "columns", Message: "derives no column"}
	}
	return d, nil
}

func (d *derive) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	lang, err := newLanguage(s)
	if err != nil {
		return nil, err
	}
	for _, c := range d.config.Columns {
		lang.derived = append(lang.derived, c.name)
	}
	p := &derivation{out: s}
	var errs []error
	for _, c := range d.config.Columns {
		errs = append(errs, p.add(lang, c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	d.plan.set(p)
	return transforms.OutPort(p.out), nil
}

// add compiles one new column.
func (p *derivation) add(lang *language, c pair) error {
	field := "columns." + c.name
	e, err := lang.compile(field, c.value)
	if err != nil {
		return err
	}
	column, err := e.column(field, c.name)
	if err != nil {
		return err
	}
	out, err := transforms.AddColumns(p.out, field, column)
	if err != nil {
		return err
	}
	p.columns, p.out = append(p.columns, e), out
	return nil
}

// column is the column that holds the expression's results.
func (e *expression) column(field, name string) (data.Field, error) {
	t, ok := columnType(e.result)
	if !ok {
		wrong := &transforms.FieldError{Field: field, Code: transforms.BadExpression,
			Message: fmt.Sprintf("a column cannot hold %s", typeName(e.result))}
		if e.result.IsExactType(cel.DynType) {
			wrong.Message = "the type of the result is not known"
			wrong.Hint = "convert it with double(…), int(…) or string(…)"
		}
		return data.Field{}, wrong
	}
	return data.Field{Name: name, Type: t, Nullable: e.mayBeNull()}, nil
}

func (d *derive) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	p, err := d.plan.get()
	if err != nil {
		return err
	}
	added := make([]data.Value, len(p.columns))
	for i, e := range p.columns {
		result, err := e.eval(r)
		if err != nil {
			return err
		}
		if added[i], err = fromCEL(result); err != nil {
			return err
		}
		if added[i].IsNull() && !p.out.Field(r.Schema.Len()+i).Nullable {
			return e.noResult(r)
		}
	}
	emit(transforms.Out, r.Append(p.out, added...))
	return nil
}
