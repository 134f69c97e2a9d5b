package table

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"

	"penstock.dev/transforms"
)

// The compiler's messages that are worth putting in the words of a graph.
var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	wrapper    = regexp.MustCompile(`wrapper\(([a-zA-Z._]+)\)`)
	operator   = regexp.MustCompile(`^(?:_?([^_a-zA-Z]+)_?|@(in)|_(in)_)$`)
)

// mistakes turns what is wrong with an expression into one field error: the
// first issue, for those behind it are often its consequences.
func (l *language) mistakes(field, source string, issues *cel.Issues) error {
	errs := issues.Errors()
	if len(errs) == 0 {
		return l.mistake(field, source, issues.Err())
	}
	first := errs[0]
	if m := undeclared.FindStringSubmatch(first.Message); m != nil {
		return l.undeclared(field, source, m[1], first.Location)
	}
	e := &transforms.FieldError{Field: field, Code: transforms.BadExpression}
	e.Message = position(source, first.Location) + ": "
	if m := noOverload.FindStringSubmatch(first.Message); m != nil {
		what, hint := overload(m[1], plainTypes(m[2]))
		e.Message, e.Hint = e.Message+what, hint
	} else {
		e.Message += lowerFirst(syntaxMessage(plainTypes(first.Message)))
	}
	return e
}

// mistake reports an error that has no position.
func (l *language) mistake(field, source string, err error) error {
	return &transforms.FieldError{Field: field, Code: transforms.BadExpression, Message: fmt.Sprintf("%s: %s", clip(source), clip(firstLine(err.Error())))}
}

// plainTypes names types as users do: whether a value may be null is left out.
func plainTypes(message string) string {
	message = wrapper.ReplaceAllString(message, "$1")
	return strings.NewReplacer("google.protobuf.Timestamp", "timestamp", "google.protobuf.Duration", "duration").Replace(message)
}

// undeclared tells an unknown column from an unknown function.
func (l *language) undeclared(field, source, name string, at common.Location) error {
	if _, isColumn := l.schema.Lookup(name); isColumn || !isCalled(source, name) {
		return l.missing(field, source, missingColumn{name, at})
	}
	return &transforms.FieldError{Field: field, Code: transforms.BadExpression,
		Message: fmt.Sprintf("%s: no function %q", position(source, at), name)}
}

// isCalled reports whether the source calls a function of that name.
func isCalled(source, name string) bool {
	for {
		_, after, found := strings.Cut(source, name)
		if !found {
			return false
		}
		if strings.HasPrefix(strings.TrimSpace(after), "(") {
			return true
		}
		source = after
	}
}

// missing reports a column that is not there or cannot be read.
func (l *language) missing(field, source string, m missingColumn) error {
	where := position(source, m.at)
	if f, ok := l.schema.Lookup(m.name); ok {
		return &transforms.FieldError{Field: field, Code: transforms.ColumnType,
			Message: fmt.Sprintf("%s: column %q is %s, which expressions cannot read", where, m.name, f.Type)}
	}
	if m.name == rowName {
		return &transforms.FieldError{Field: field, Code: transforms.BadExpression,
			Message: where + ": row is not a value", Hint: `write row.column or row["column"]`}
	}
	err := transforms.NeedColumn(l.schema, field, m.name).(*transforms.FieldError)
	err.Message = where + ": " + err.Message
	if slices.Contains(l.derived, m.name) {
		err.Hint = "it is derived here; use it in another Derive behind this one"
	}
	return err
}

// position is the place in an expression, counted from 1.
func position(source string, at common.Location) string {
	column := max(at.Column(), 0) + 1
	if strings.Contains(source, "\n") {
		return fmt.Sprintf("line %d, col %d", at.Line(), column)
	}
	return fmt.Sprintf("col %d", column)
}

// overload says that an operator or function does not take the types it got.
func overload(function, types string) (message, hint string) {
	name := function
	if m := operator.FindStringSubmatch(function); m != nil {
		name = m[1] + m[2] + m[3]
	}
	if function == "_?_:_" {
		name = "?:"
	}
	types = strings.TrimPrefix(types, "(")
	types = strings.TrimSuffix(types, ")")
	switch {
	case strings.Contains(types, "double") && strings.Contains(types, "int"):
		hint = "write whole numbers as 2.0, or convert with double(…)"
	case strings.Contains(types, "null"):
		hint = "has(row.column) tells whether there is a value"
	}
	return fmt.Sprintf("%s does not take (%s)", name, types), hint
}

// syntaxMessage drops the parser's list of everything it would have taken.
func syntaxMessage(s string) string {
	s = firstLine(s)
	if head, _, long := strings.Cut(s, " expecting {"); long {
		s = head
	}
	return strings.ReplaceAll(s, "<EOF>", "end")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
