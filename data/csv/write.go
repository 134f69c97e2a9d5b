package csv

import (
	"bytes"
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
)

// Writer spells rows. The buffer it appends to is the caller's.
type Writer struct {
	schema    *data.Schema
	delimiter []byte
	special   []byte // what makes a field need quotes
	plain     bool   // no quotes
	field     []byte
}

// NewWriter makes a writer for rows of a schema.
func NewWriter(schema *data.Schema, delimiter rune) *Writer {
	d := []byte(string(delimiter))
	return &Writer{schema: schema, delimiter: d, special: append([]byte("\"\r\n"), d...)}
}

// NewPlainWriter makes a writer for readers that split at delimiters and know no
// quotes, such as ColBERT's: a delimiter or line end within a field becomes a space.
func NewPlainWriter(schema *data.Schema, delimiter rune) *Writer {
	w := NewWriter(schema, delimiter)
	w.plain = true
	return w
}

// AppendHeader appends the line of the columns' names.
func (w *Writer) AppendHeader(b []byte) []byte {
	for i, name := range w.schema.Names() {
		b = w.append(b, i, []byte(name))
	}
	return append(b, '\n')
}

// AppendRow appends a row as a line with its end. Null is an empty field, an
// empty string is quoted; scalars are as in data.AppendText, everything nested
// is JSON.
func (w *Writer) AppendRow(b []byte, values []data.Value) []byte {
	for i, v := range values {
		if v.IsNull() {
			b = w.delimit(b, i)
			continue
		}
		t := w.schema.Field(i).Type
		if v.Kind() >= data.List {
			w.field = jsonl.AppendValue(w.field[:0], v, t)
		} else {
			w.field = data.AppendText(w.field[:0], v, t)
		}
		b = w.append(b, i, w.field)
	}
	if len(values) == 1 && values[0].IsNull() && !w.plain {
		b = append(b, `""`...) // an empty line would be no row
	}
	return append(b, '\n')
}

func (w *Writer) delimit(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, w.delimiter...)
	}
	return b
}

func (w *Writer) append(b []byte, i int, field []byte) []byte {
	b = w.delimit(b, i)
	switch {
	case w.plain:
		return w.appendPlain(b, field)
	case len(field) > 0 && !w.needsQuotes(field):
		return append(b, field...)
	}
	b = append(b, '"')
	for {
		quote := bytes.IndexByte(field, '"')
		if quote < 0 {
			break
		}
		b = append(append(b, field[:quote+1]...), '"')
		field = field[quote+1:]
	}
	return append(append(b, field...), '"')
}

// appendPlain appends a field without what would end it.
func (w *Writer) appendPlain(b, field []byte) []byte {
	for len(field) > 0 {
		switch {
		case bytes.HasPrefix(field, w.delimiter):
			b, field = append(b, ' '), field[len(w.delimiter):]
		case field[0] == '\r' || field[0] == '\n':
			b, field = append(b, ' '), field[1:]
		default:
			b, field = append(b, field[0]), field[1:]
		}
	}
	return b
}

func (w *Writer) needsQuotes(field []byte) bool {
	return slices.ContainsFunc(field, func(c byte) bool { return bytes.IndexByte(w.special, c) >= 0 })
}
