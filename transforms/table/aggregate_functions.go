package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// function is an aggregate function of a column.
type function struct {
	column   int // -1 for count()
	result   data.Type
	nullable bool
	state    func() state
}

var functionNames = []string{"count", "sum", "mean", "std", "min", "max", "median", "quantile", "distinct"}

// parseFunction reads name(column) or quantile(column, q). The column's name may
// hold anything, spaces and brackets too; white space around it is dropped.
func parseFunction(s *data.Schema, field, text string) (function, error) {
	name, inside, found := strings.Cut(strings.TrimSpace(text), "(")
	inside, closed := strings.CutSuffix(inside, ")")
	if !found || !closed || !slices.Contains(functionNames, name) {
		return function{}, &transforms.FieldError{Field: field, Code: transforms.BadExpression,
			Message: fmt.Sprintf("%q is not an aggregate function of a column", text),
			Hint:    "want " + strings.Join(functionNames, ", ") + ", such as mean(score)"}
	}
	column := strings.TrimSpace(inside)
	if name == "count" && column == "" {
		return function{-1, data.Int64Type, false, func() state { return &counter{} }}, nil
	}
	q := 0.5
	if name == "quantile" {
		at := strings.LastIndexByte(column, ',')
		var err error
		if q, err = strconv.ParseFloat(strings.TrimSpace(column[at+1:]), 64); at < 0 || err != nil || !(q >= 0 && q <= 1) {
			return function{}, &transforms.FieldError{Field: field, Code: transforms.BadExpression,
				Message: "quantile takes a column and a share between 0 and 1", Hint: "such as quantile(score, 0.95)"}
		}
		column = strings.TrimSpace(column[:at])
	}
	if err := transforms.NeedColumn(s, field, column); err != nil {
		return function{}, err
	}
	return functionOf(name, s.Index(column), s.Field(s.Index(column)), field, q)
}

// functionOf is the function by name for values of the column's type.
func functionOf(name string, column int, f data.Field, field string, q float64) (function, error) {
	switch name {
	case "count":
		return function{column, data.Int64Type, false, func() state { return &counter{} }}, nil
	case "distinct":
		return function{column, data.Int64Type, false, func() state { return distinct{} }}, nil
	case "min":
		return function{column, f.Type, true, func() state { return &extreme{sign: -1} }}, needOrder(f, field)
	case "max":
		return function{column, f.Type, true, func() state { return &extreme{sign: 1} }}, needOrder(f, field)
	}
	kind := f.Type.Kind
	isNumber := kind == data.Int64 || kind == data.Float32 || kind == data.Float64
	if !isNumber || !isPlain(f.Type) || f.Type.IsSpeltOut() {
		return function{}, &transforms.FieldError{Field: field, Code: transforms.ColumnType,
			Message: fmt.Sprintf("%s takes numbers, column %q is %s", name, f.Name, f.Type)}
	}
	switch {
	case name == "sum" && kind == data.Int64:
		return function{column, data.Int64Type, true, func() state { return &intSum{} }}, nil
	case name == "sum":
		return function{column, data.Float64Type, true, func() state { return &floatSum{} }}, nil
	case name == "mean":
		return function{column, data.Float64Type, true, func() state { return &mean{} }}, nil
	case name == "std":
		return function{column, data.Float64Type, true, func() state { return &deviation{} }}, nil
	}
	return function{column, data.Float64Type, true, func() state { return &quantile{q: q} }}, nil
}
