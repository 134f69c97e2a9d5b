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
// the text: the first complaint about a line is the cause of the others, and
// one about the end of the text is the consequence of those before it.
func (l *loader) reportSyntax(file string, err error) {
	seen := map[int]bool{}
	for _, e := range errors.Errors(err) {
		pos := Position{l.display(file), 1, 1}
		if p := firstValid(e); p.IsValid() {
			pos = l.position(p)
		}
		if seen[pos.Line] || len(seen) > 0 && strings.Contains(messageOf(e), "'EOF'") {
			continue
		}
		seen[pos.Line] = true
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

// noValueHint is the cure for a value that is not definite.
const noValueHint = "give it a value or a default"

// wording maps the formats of CUE's errors to codes and messages, the most
// telling first. The formats are pinned by the golden tests.
var wording = []struct {
	match   *regexp.Regexp
	code    string
	message string // "" keeps CUE's
	hint    string
}{
	{regexp.MustCompile(`^undefined field: (.+)$`), CodeReference, `nothing is named $1 there`, ""},
	{regexp.MustCompile(`^invalid value (.+) \(out of bound (.+)\)$`), CodeRange, "want $2, have $1", ""},
	{regexp.MustCompile(`^conflicting values \{.*\} and (.+?) \(mismatched types .* and .*\)$`), CodeType, "want a struct, have $1", ""},
	{regexp.MustCompile(`^conflicting values (.+) and \{.*\} \(mismatched types .* and .*\)$`), CodeType, "want a struct, have $1", ""},
	{regexp.MustCompile(`^conflicting values (.+) and (.+?)( \(mismatched.*\))?$`), CodeConflict, "two values that exclude each other: $1 and $2", ""},
	{regexp.MustCompile(`^field not allowed$`), CodeUnknown, "unknown field", ""},
	{regexp.MustCompile(`^field is required but not present$`), CodeMissing, "missing required field", ""},
	{regexp.MustCompile(`^incomplete value (.*)$`), CodeNoValue, "no definite value, only $1", noValueHint},
	{regexp.MustCompile(`^(structural cycle|cycle error|cycle with field.*)$`), CodeEvaluation, "the value refers to itself", ""},
	{regexp.MustCompile(`^(cannot find package|import failed|package .* not found|.*module not found|.*no dependency provides)`), CodeImport, "", "a graph may import penstock.dev/specs, the CUE standard library and packages of its own module"},
}

// placeInText is a position within the text of an error.
var placeInText = regexp.MustCompile(`\S+:\d+:\d+: `)

// rank is the place of an error's text in the wording, from the front.
func rank(text string) int {
	for i, w := range wording {
		if w.match.MatchString(text) {
			return i
		}
	}
	return len(wording)
}

// reportCUE reports what CUE says of the graph, in words of our own where its
// wording is known. CUE gives one error for each member of a disjunction; the
// most telling of a path, the last of equals, stands for all.
func (l *loader) reportCUE(err error) {
	best := map[string]errors.Error{}
	var paths []string
	for _, e := range errors.Errors(err) {
		text := messageOf(e)
		if strings.HasSuffix(text, " errors in empty disjunction:") {
			continue
		}
		path := strings.Join(e.Path(), ".")
		if path == "" {
			path = "\x00" + text // errors without a path stay apart
		}
		known, seen := best[path]
		if !seen {
			paths = append(paths, path)
		}
		if !seen || rank(text) <= rank(messageOf(known)) {
			best[path] = e
		}
	}
	for _, path := range paths {
		l.reportOne(best[path])
	}
}

// reportOne words one error of CUE.
func (l *loader) reportOne(e errors.Error) {
	text := messageOf(e)
	path := e.Path()
	d := At(l.errorPosition(e), strings.Join(path, "."), CodeEvaluation, text, "")
	if r := rank(text); r < len(wording) {
		w := wording[r]
		d.Code, d.Hint = w.code, w.hint
		if w.message != "" {
			d.Message = w.match.ReplaceAllString(text, w.message)
		}
	}
	switch d.Code {
	case CodeNoValue:
		if l.mended || len(path) > nodeDepth && path[1] == "nodes" {
			return // a mended reference has no value; fields of nodes are looked at one by one
		}
	case CodeImport:
		d.Message = placeInText.ReplaceAllString(e.Error(), "") // with the cause
	case CodeMissing:
		if n := len(path); n > 2 && (path[n-1] == "from" || path[n-1] == "port") {
			d.Path = strings.Join(path[:n-2], ".")
			d.Message, d.Hint = "the node stands where nodes get no names", "declare what holds it as specs.#Nodes & {…}"
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

// errorPosition is where the author can mend an error: where CUE places it,
// else the last of the places that take part in it (a template's use comes
// after its body), else the nearest value that holds it.
func (l *loader) errorPosition(e errors.Error) Position {
	positions := append(errors.Positions(e), e.Position())
	for i := len(positions) - 1; i >= 0; i-- {
		if positions[i].IsValid() {
			return l.position(positions[i])
		}
	}
	selectors := cue.ParsePath(strings.Join(e.Path(), "."))
	for n := len(selectors.Selectors()); n > 0 && selectors.Err() == nil && l.value.Exists(); n-- {
		if p := l.value.LookupPath(cue.MakePath(selectors.Selectors()[:n]...)).Pos(); p.IsValid() {
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
