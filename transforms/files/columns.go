package files

import (
	"errors"
	"fmt"
	"strconv"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// columns are the columns a graph declares.
type columns transforms.Columns

// UnmarshalJSON reads an object of column names and types.
func (c *columns) UnmarshalJSON(b []byte) error { return (*transforms.Columns)(c).UnmarshalJSON(b) }

// check compares the declared columns with those of a file.
func (c columns) check(file string, schema *data.Schema) error {
	var errs []error
	for _, want := range c {
		have, ok := schema.Lookup(want.Name)
		field := "columns." + want.Name
		if !ok {
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.MissingColumn,
				Message: fmt.Sprintf("%s has no column %q", file, want.Name), Hint: suggest(schema, want.Name)})
			continue
		}
		if !want.Type.Accepts(have.Type) {
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.ColumnType,
				Message: fmt.Sprintf("declared %s, but in %s it is %s", want.Type, file, have.Type), Hint: castHint(have.Type)})
		}
	}
	return errors.Join(errs...)
}

func suggest(s *data.Schema, name string) string {
	if near, ok := s.Nearest(name); ok {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "it has " + s.String()
}

func castHint(have data.Type) string {
	if have.Kind.String() == have.String() {
		return fmt.Sprintf("declare it %s", have)
	}
	if have.Kind < data.List {
		return fmt.Sprintf("declare it %s, which is how %s is held", have.Kind, have)
	}
	return ""
}

// sameColumns returns an error that names the first difference between the
// schemas of two files of one source; nil if there is none.
func sameColumns(first string, a *data.Schema, other string, b *data.Schema) error {
	if a.Equal(b) {
		return nil
	}
	differ := func(format string, args ...any) error {
		return pathError(fmt.Sprintf("%s and %s have different columns: ", first, other)+fmt.Sprintf(format, args...),
			"read them with two nodes and bring them into line before a Union")
	}
	for _, f := range a.Fields() {
		g, ok := b.Lookup(f.Name)
		switch {
		case !ok:
			return differ("the second has no %q", f.Name)
		case !f.Type.Equal(g.Type):
			return differ("%q is %s in the first, %s in the second", f.Name, f.Type, g.Type)
		case f.Nullable != g.Nullable:
			return differ("%q may be null in one alone", f.Name)
		}
	}
	for _, g := range b.Fields() {
		if a.Index(g.Name) < 0 {
			return differ("the first has no %q", g.Name)
		}
	}
	return differ("they are in another order")
}

// keys identifies the rows of a source.
type keys struct {
	column int // index of the key column, -1 if there is none
	name   string
}

// newKeys checks the key column, whose name may be empty.
func newKeys(schema *data.Schema, key string) (keys, error) {
	if key == "" {
		return keys{column: -1}, nil
	}
	if err := transforms.NeedColumn(schema, "key", key, data.String, data.Int64); err != nil {
		return keys{}, err
	}
	return keys{column: schema.Index(key), name: key}, nil
}

// id is the id of a row: its key, or file and row number. A row without a key is
// rejected; the id is then that of the file and number.
func (k keys) id(file string, row int64, values []data.Value) (data.ID, error) {
	place := data.ID{Source: file, Row: row}
	if k.column < 0 {
		return place, nil
	}
	switch v := values[k.column]; v.Kind() {
	case data.String:
		return data.KeyID(v.Text()), nil
	case data.Int64:
		return data.KeyID(strconv.FormatInt(v.Int64(), 10)), nil
	}
	return place, transforms.Reject("null", "the key column %q is null", k.name)
}

// fileShift leaves 36 bits for the row in a record's Order: 69 thousand million
// rows a file, 134 million files.
const fileShift = 36

// order is the Order of a row of the source's n-th file, counted from 0.
func order(file int, row int64) int64 { return int64(file)<<fileShift | row }
