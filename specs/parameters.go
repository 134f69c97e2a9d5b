package specs

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/token"
)

// parameter is a field that can be set from outside.
type parameter struct {
	path string // of the field
	typ  string // string, int, number or bool
	pos  token.Pos
}

// setTags checks the tags against the parameters of the author's files and
// drops those that cannot be set, so that the rest of the graph is checked.
func (l *loader) setTags() bool {
	known := l.parameters()
	names := slices.Sorted(maps.Keys(known))
	kept := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(l.tags)) {
		value := l.tags[name]
		p, ok := known[name]
		switch {
		case !ok:
			l.report(l.start(), "", CodeTag, fmt.Sprintf("no parameter %q", name), knownParameters(name, names))
		case !fits(value, p.typ):
			l.report(l.position(p.pos), p.path, CodeTagValue,
				fmt.Sprintf("parameter %q cannot be %q, want %s", name, value, p.typ), knownParameters("", names))
		default:
			kept[name] = value
		}
	}
	l.tags = kept
	return true
}

// parameters finds the parameters of the author's files by the names of their tags.
func (l *loader) parameters() map[string]parameter {
	known := map[string]parameter{}
	for _, file := range l.files {
		collectParameters(l.parsed[cueName(file)].Decls, "", known)
	}
	return known
}

// settleParameters gives every parameter its default for good. Left open, the
// default of a parameter and that of the field it is given to would both hold,
// and the field would have no value.
func (l *loader) settleParameters() {
	known := l.parameters()
	if len(known) == 0 {
		return
	}
	settled := cuecontext.New().CompileString("{}")
	for _, name := range slices.Sorted(maps.Keys(known)) {
		path := cue.ParsePath(known[name].path)
		value, ok := l.value.LookupPath(path).Default()
		if ok && value.IsConcrete() {
			settled = settled.FillPath(path, value)
		}
	}
	l.value = l.value.Unify(settled)
}

// knownParameters is the hint that lists the parameters a graph has, the one
// nearest to a misspelt name before the others.
func knownParameters(name string, names []string) string {
	if len(names) == 0 {
		return "the graph has no parameters"
	}
	hint := "parameters: " + strings.Join(names, ", ")
	if near := didYouMean(name, names); near != "" {
		return near + " " + hint
	}
	return hint
}

// collectParameters finds the fields with a @tag attribute.
func collectParameters(decls []ast.Decl, prefix string, known map[string]parameter) {
	for _, decl := range decls {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil {
			continue
		}
		path := prefix + name
		for _, a := range f.Attrs {
			if key, body := a.Split(); key == "tag" {
				tag, typ := parseTag(body)
				known[tag] = parameter{path, typ, f.Pos()}
			}
		}
		if body, ok := f.Value.(*ast.StructLit); ok {
			collectParameters(body.Elts, path+".", known)
		}
	}
}

// parseTag reads the body of @tag(name,type=int).
func parseTag(body string) (name, typ string) {
	name, options, _ := strings.Cut(body, ",")
	typ = "string"
	for option := range strings.SplitSeq(options, ",") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(option), "type="); ok {
			typ = value
		}
	}
	return strings.TrimSpace(name), typ
}

// fits reports whether the text can be a value of the type.
func fits(value, typ string) bool {
	switch typ {
	case "int":
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case "number":
		f, err := strconv.ParseFloat(value, 64)
		return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case "bool":
		return value == "true" || value == "false"
	}
	return true
}
