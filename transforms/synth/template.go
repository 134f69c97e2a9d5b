package synth

import (
	"strings"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// template is a text with columns in braces: "Document: {text}". A brace that is
// meant as such is written twice.
type template []part

// part is a text as it is, or the value of a column.
type part struct {
	text   string
	column string // empty for text
	index  int
	typ    data.Type
}

// parseTemplate reads a template whose columns are among those of the schema; field is
// the configuration's that holds it.
func parseTemplate(field, text string, s *data.Schema) (template, error) {
	var t template
	var plain strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			break
		}
		plain.WriteString(text[:i])
		brace := text[i]
		text = text[i+1:]
		if text != "" && text[0] == brace {
			plain.WriteByte(brace)
			text = text[1:]
			continue
		}
		if brace == '}' {
			return nil, &transforms.FieldError{Field: field, Message: "a brace closes nothing", Hint: "write }} for a brace"}
		}
		column, after, closed := strings.Cut(text, "}")
		if !closed {
			return nil, &transforms.FieldError{Field: field, Message: "a brace is not closed", Hint: `columns stand in braces: "Document: {text}"; write {{ for a brace`}
		}
		if err := transforms.NeedColumn(s, field, column, data.Bool, data.Int64, data.Float32, data.Float64, data.String, data.Timestamp); err != nil {
			return nil, err
		}
		if plain.Len() > 0 {
			t = append(t, part{text: plain.String()})
			plain.Reset()
		}
		i = s.Index(column)
		t = append(t, part{column: column, index: i, typ: s.Field(i).Type})
		text = after
	}
	if plain.WriteString(text); plain.Len() > 0 {
		t = append(t, part{text: plain.String()})
	}
	return t, nil
}

// hasColumn reports whether the text differs from row to row.
func (t template) hasColumn() bool {
	for _, p := range t {
		if p.column != "" {
			return true
		}
	}
	return false
}

// fill puts the values of a row in place of the columns.
func (t template) fill(r *data.Record) (string, error) {
	var b []byte
	for _, p := range t {
		if p.column == "" {
			b = append(b, p.text...)
			continue
		}
		v := r.Values[p.index]
		if v.IsNull() {
			return "", transforms.Reject("null", "column %s is null", p.column)
		}
		from := len(b)
		if b = data.AppendText(b, v, p.typ); !utf8.Valid(b[from:]) {
			return "", transforms.Reject("utf8", "column %s is not valid UTF-8", p.column)
		}
	}
	return string(b), nil
}
