package events

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// template is a text with columns in braces: "results.{lang}".
type template []part

// part is a text as it is, or the value of a column.
type part struct {
	text   string
	column string // empty for text
	index  int    // of the column
	typ    data.Type
}

// newTemplate reads a template whose columns are among those of the schema.
func newTemplate(field, text string, s *data.Schema) (template, error) {
	var t template
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if before != "" {
			t = append(t, part{text: before})
		}
		if !found {
			break
		}
		column, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, &transforms.FieldError{Field: field, Message: "a brace is not closed", Hint: `columns stand in braces: "results.{lang}"`}
		}
		if err := transforms.NeedColumn(s, field, column, data.Bool, data.Int64, data.Float32, data.Float64, data.String, data.Timestamp); err != nil {
			return nil, err
		}
		i := s.Index(column)
		t = append(t, part{column: column, index: i, typ: s.Field(i).Type})
		text = after
	}
	return t, nil
}

// filter is the subject with a wildcard for each token that holds a column.
func (t template) filter() string {
	var b strings.Builder
	for _, p := range t {
		if p.column != "" {
			b.WriteByte('{')
			continue
		}
		b.WriteString(p.text)
	}
	tokens := strings.Split(b.String(), ".")
	for i, tok := range tokens {
		if strings.Contains(tok, "{") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// fill puts the values of a row in place of the columns. check refuses a value
// that does not fit.
func (t template) fill(r *data.Record, check func(value string) bool, what string) (string, error) {
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
			return "", transforms.Reject("null", "column %q, a part of %s, is null", p.column, what)
		}
		value := string(data.AppendText(nil, v, p.typ))
		if !check(value) {
			return "", transforms.Reject("subject", "column %q is %s, which cannot be a part of %s", p.column, quoted(value), what)
		}
		b = append(b, value...)
	}
	return string(b), nil
}

func quoted(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// isToken reports whether a value can be a token of a subject, or a part of one.
func isToken(s string) bool {
	return s != "*" && token.MatchString(s) && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isHeader reports whether a value can be that of a header.
func isHeader(s string) bool { return !strings.ContainsAny(s, "\r\n") }
