package specs

import (
	"fmt"
	"regexp"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// reportSyntax reports a text that does not parse, one line for every line of
// the text: the first complaint about a line is the cause of the others.
func (l *loader) reportSyntax(file string, err error) {
	seen := map[Position]bool{}
	for _, e := range errors.Errors(err) {
		pos := l.start()
		if p := firstValid(e); p.IsValid() {
			pos = l.position(p)
		}
		line := Position{pos.File, pos.Line, 0}
		if seen[line] {
			continue
		}
		seen[line] = true
		l.report(pos, "", CodeSyntax, "syntax: "+messageOf(e), "")
	}
}

// messageOf is an error's text without positions and path.
func messageOf(e errors.Error) string {
	format, args := e.Msg()
	text := fmt.Sprintf(format, args...)
	if text == "" {
		text = e.Error()
	}
	return text
}

func firstValid(e errors.Error) token.Pos {
	if p := e.Position(); p.IsValid() {
		return p
	}
	for _, p := range errors.Positions(e) {
		if p.IsValid() {
			return p
		}
	}
	return token.NoPos
}

// reportCUE reports what CUE says of the graph, in words of our own where its
// wording is known. CUE gives one error a member of a disjunction; the last one
// of a path stands for all.
func (l *loader) reportCUE(err error) {
	last := map[string]errors.Error{}
	var paths []string
	for _, e := range errors.Errors(err) {
		if format, _ := e.Msg(); format == "%d errors in empty disjunction:" {
			continue
		}
		path := strings.Join(e.Path(), "\x00") + "\x00" + kindOfError(e)
		if _, seen := last[path]; !seen {
			paths = append(paths, path)
		}
		last[path] = e
	}
	for _, path := range paths {
		l.reportOne(last[path])
	}
}

// kindOfError keeps errors without a path apart.
func kindOfError(e errors.Error) string {
	if len(e.Path()) > 0 {
		return ""
	}
	return messageOf(e)
}

// wording maps the formats of CUE's errors to codes and messages. The formats
// are pinned by the golden tests.
var wording = []struct {
	match   *regexp.Regexp
	code    string
	message string // "" keeps CUE's
	hint    string
}{
	{regexp.MustCompile(`^undefined field: (.+)$`), CodeReference, "nothing is named $1 there", ""},
	{regexp.MustCompile(`^conflicting values (.+) and (.+?)( \(mismatched.*\))?$`), CodeConflict, "two values that exclude each other: $1 and $2", ""},
	{regexp.MustCompile(`^field not allowed$`), CodeUnknown, "unknown field", ""},
	{regexp.MustCompile(`^field is required but not present$`), CodeMissing, "missing required field", ""},
	{regexp.MustCompile(`^incomplete value (.*)$`), CodeNoValue, "no definite value, only $1", "give it a value or a default"},
	{regexp.MustCompile(`^(structural cycle|cycle error|cycle with field.*)$`), CodeEvaluation, "the value refers to itself", ""},
	{regexp.MustCompile(`^(no tag for|tag .* not used)`), CodeTag, "", ""},
	{regexp.MustCompile(`invalid value .* for injection tag|injection tag`), CodeTagValue, "", ""},
	{regexp.MustCompile(`^(cannot find package|import failed|package .* not found|.*module not found|.*no dependency provides)`), CodeImport, "", "a graph may import penstock.dev/specs, the CUE standard library and packages of its own module"},
}

// reportOne words one error of CUE.
func (l *loader) reportOne(e errors.Error) {
	text := messageOf(e)
	path := e.Path()
	d := At(l.errorPosition(e), joinErrorPath(path), CodeEvaluation, text, "")
	for _, w := range wording {
		m := w.match.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		d.Code, d.Hint = w.code, w.hint
		if w.message != "" {
			d.Message = string(w.match.ExpandString(nil, w.message, text, m))
		}
		break
	}
	switch d.Code {
	case CodeNoValue:
		if l.mended {
			return // a mended reference has no value
		}
	case CodeReference:
		if !l.wordPort(e, &d) {
			return
		}
	case CodeConflict:
		d.Hint = l.otherPlace(d, e)
	}
	l.ds = append(l.ds, d)
}

// errorPosition is where the author can mend an error: where the error is, or
// where the value at its path is given, or the nearest value that holds it.
func (l *loader) errorPosition(e errors.Error) Position {
	if p := e.Position(); p.IsValid() {
		return l.position(p)
	}
	selectors := errorSelectors(e.Path())
	if l.value.Exists() {
		if p := l.value.LookupPath(cue.MakePath(selectors...)).Pos(); p.IsValid() {
			return l.position(p)
		}
	}
	positions := errors.Positions(e)
	for i := len(positions) - 1; i >= 0; i-- {
		if positions[i].IsValid() {
			return l.position(positions[i])
		}
	}
	for n := len(selectors) - 1; n > 0 && l.value.Exists(); n-- {
		if p := l.value.LookupPath(cue.MakePath(selectors[:n]...)).Pos(); p.IsValid() {
			return l.position(p)
		}
	}
	return l.start()
}

// otherPlace says where else a value is given that conflicts.
func (l *loader) otherPlace(d Diagnostic, e errors.Error) string {
	positions := errors.Positions(e)
	for i := len(positions) - 1; i >= 0; i-- {
		other := l.position(positions[i])
		if positions[i].IsValid() && other != (Position{d.File, d.Line, d.Col}) {
			return fmt.Sprintf("also given at %s", other)
		}
	}
	return ""
}

func errorSelectors(path []string) []cue.Selector {
	parsed := cue.ParsePath(strings.Join(path, "."))
	if parsed.Err() != nil {
		return nil
	}
	return parsed.Selectors()
}

func joinErrorPath(path []string) string { return strings.Join(path, ".") }
