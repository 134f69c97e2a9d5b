package specs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a graph's text. Line and Col count from 1, Col in
// bytes; a zero Line means that only the file is known.
type Position struct {
	File string
	Line int
	Col  int
}

func (p Position) String() string {
	switch {
	case p.File == "":
		return "-"
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Diagnostic is one mistake in a graph. File, Line and Col are in the author's
// text, never in the schema; Path names the field, such as
// graph.nodes.score.model; Code is a key of [Explain].
type Diagnostic struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// At makes a diagnostic at a position.
func At(pos Position, path, code, message, hint string) Diagnostic {
	return Diagnostic{pos.File, pos.Line, pos.Col, path, code, message, hint}
}

// Warning reports whether the diagnostic leaves the graph fit to run: its code
// starts with W.
func (d Diagnostic) Warning() bool { return strings.HasPrefix(d.Code, "W") }

// String is the diagnostic on one line:
// "file:line:col: path: message (hint)".
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(Position{d.File, d.Line, d.Col}.String())
	b.WriteString(": ")
	if d.Warning() {
		b.WriteString("warning: ")
	}
	if d.Path != "" {
		b.WriteString(oneLine(d.Path) + ": ")
	}
	b.WriteString(oneLine(d.Message))
	if d.Hint != "" {
		b.WriteString(" (" + oneLine(d.Hint) + ")")
	}
	return b.String()
}

// oneLine keeps text that quotes a file from breaking the line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// Diagnostics are mistakes and warnings, sorted by file, line, column and path.
// As an error they print one line each.
type Diagnostics []Diagnostic

func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Failed reports whether any of them is more than a warning.
func (ds Diagnostics) Failed() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return !d.Warning() })
}

// Sorted returns the diagnostics in order, each once: a mistake in a template
// or comprehension, which shows at many paths, is named at the first.
func (ds Diagnostics) Sorted() Diagnostics {
	sorted := slices.Clone(ds)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col),
			strings.Compare(a.Code, b.Code),
			strings.Compare(a.Message, b.Message),
			strings.Compare(a.Path, b.Path),
		)
	})
	sorted = slices.CompactFunc(sorted, func(a, b Diagnostic) bool {
		sameCol := a.Col == b.Col || a.Code == CodeNoValue // a field and the type it is given
		return a.Line > 0 && a.File == b.File && a.Line == b.Line && sameCol && a.Code == b.Code && a.Message == b.Message
	})
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Col, b.Col),
			strings.Compare(a.Path, b.Path),
		)
	})
	return sorted
}
