package transforms

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"penstock.dev/data"
)

// Columns are columns that a graph declares, in the graph's order. The fields are
// nullable, for a declaration says nothing of nulls.
type Columns []data.Field

// UnmarshalJSON reads an object of column names and types.
func (c *Columns) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return &FieldError{Field: "columns", Message: "want an object of column names and types"}
	}
	*c = Columns{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var spelling string
		field := fmt.Sprintf("columns.%s", name)
		if err := d.Decode(&spelling); err != nil {
			return &FieldError{Field: field, Message: "want the name of a type"}
		}
		typ, err := data.ParseType(spelling)
		if err != nil {
			return &FieldError{Field: field, Code: ColumnType, Message: err.Error()}
		}
		*c = append(*c, data.Field{Name: name.(string), Type: typ, Nullable: true})
	}
	return nil
}

// Input is the schema at the port in. That nothing is connected there is an error.
func Input(in Ports) (*data.Schema, error) {
	if s := in.Get(In); s != nil {
		return s, nil
	}
	return nil, &FieldError{Field: In, Message: "takes rows, but nothing is connected"}
}

// NeedColumn checks that a schema has a column that holds one of the given kinds
// of value (any kind if none is given). field is the configuration's field that
// names the column.
func NeedColumn(s *data.Schema, field, column string, kinds ...data.Kind) error {
	f, ok := s.Lookup(column)
	if !ok {
		return &FieldError{Field: field, Code: MissingColumn, Message: fmt.Sprintf("no column %q in the input", column), Hint: suggest(s, column)}
	}
	if len(kinds) > 0 && !slices.Contains(kinds, f.Type.Kind) {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.String()
		}
		return &FieldError{Field: field, Code: ColumnType, Message: fmt.Sprintf("column %q is %s, want %s", column, f.Type, strings.Join(names, " or "))}
	}
	return nil
}

func suggest(s *data.Schema, column string) string {
	if near, ok := s.Nearest(column); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it has " + strings.Join(s.Names(), ", ")
}

// AddColumns makes the schema of a node that adds columns to its input; a column
// that is there already is an error at the configuration's field.
func AddColumns(s *data.Schema, field string, add ...data.Field) (*data.Schema, error) {
	var errs []error
	for _, f := range add {
		if s.Index(f.Name) >= 0 {
			errs = append(errs, &FieldError{Field: field, Code: ColumnTwice, Message: fmt.Sprintf("the input has a column %q already", f.Name), Hint: "rename or drop it first"})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s.Append(add...)
}
