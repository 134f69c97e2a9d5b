package transforms

import (
	"strings"
	"unicode/utf8"

	"penstock.dev/data"
)

// Template is a text with columns in braces: "Document: {text}". A brace that is meant
// as such is written twice.
type Template []part

// part is a text as it is, or the value of a column.
type part struct {
	text   string
	column string // empty for text
	index  int    // of the column
	typ    data.Type
}

// ParseTemplate reads a template whose columns are among those of the schema; field is
// the configuration's field that holds it. The errors are FieldErrors.
func ParseTemplate(field, text string, s *data.Schema) (Template, error) {
	var t Template
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
			return nil, &FieldError{Field: field, Message: "a brace closes nothing", Hint: "write }} for a brace"}
		}
		column, after, closed := strings.Cut(text, "}")
		if !closed {
			return nil, &FieldError{Field: field, Message: "a brace is not closed", Hint: `columns stand in braces, as "{text}"; write {{ for a brace`}
		}
		if err := NeedColumn(s, field, column, data.Bool, data.Int64, data.Float32, data.Float64, data.String, data.Timestamp); err != nil {
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

// HasColumn reports whether the text differs from row to row.
func (t Template) HasColumn() bool {
	for _, p := range t {
		if p.column != "" {
			return true
		}
	}
	return false
}

// Mask is the text with the mark in place of each column.
func (t Template) Mask(mark string) string {
	var b strings.Builder
	for _, p := range t {
		if p.column != "" {
			b.WriteString(mark)
			continue
		}
		b.WriteString(p.text)
	}
	return b.String()
}

// Fill puts the values of a row in place of the columns. A value that is null, no valid
// UTF-8, or that check (if any) finds fault with rejects the row.
func (t Template) Fill(r *data.Record, check func(column, value string) error) (string, error) {
	if len(t) == 1 && t[0].column == "" {
		return t[0].text, nil
	}
	var b []byte
	for _, p := range t {
		if p.column == "" {
			b = append(b, p.text...)
			continue
		}
		v := r.Values[p.index]
		if v.IsNull() {
			return "", Reject("null", "column %s is null", p.column)
		}
		from := len(b)
		b = data.AppendText(b, v, p.typ)
		if !utf8.Valid(b[from:]) {
			return "", Reject("utf8", "column %s is not valid UTF-8", p.column)
		}
		if check == nil {
			continue
		}
		if err := check(p.column, string(b[from:])); err != nil {
			return "", err
		}
	}
	return string(b), nil
}
