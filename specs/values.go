package specs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
)

// place is where a value stands: its path, and the position to fall back on.
// Positions of values the author gave are noted in seen, by path below the node.
type place struct {
	path []cue.Selector
	pos  Position
	seen map[string]Position
}

// nodeDepth is the length of a node's path.
const nodeDepth = 3

func (p place) String() string { return cue.MakePath(p.path...).String() }

// name is the last part of the path.
func (p place) name() string { return selectorName(p.path[len(p.path)-1]) }

func selectorName(s cue.Selector) string {
	if s.LabelType() == cue.StringLabel {
		return s.Unquoted()
	}
	return s.String()
}

// child is the place of a field or element.
func (c *checker) child(p place, s cue.Selector, v cue.Value) place {
	inner := place{append(slices.Clip(p.path), s), c.posOr(v, p.pos), p.seen}
	if p.seen != nil && v.Pos().IsValid() {
		var below []string
		for _, s := range inner.path[nodeDepth:] {
			below = append(below, selectorName(s))
		}
		p.seen[strings.Join(below, ".")] = inner.pos
	}
	return inner
}

func (c *checker) posOr(v cue.Value, fallback Position) Position {
	if p := v.Pos(); p.IsValid() {
		return c.position(p)
	}
	return fallback
}

// structure checks a struct against fields and writes its configuration as
// JSON in the order of the fields, defaults filled in.
func (c *checker) structure(v cue.Value, at place, fields []*field) []byte {
	c.unknownFields(v, at, fields)
	var out bytes.Buffer
	out.WriteByte('{')
	for _, f := range fields {
		if !f.config() {
			continue
		}
		text := []byte(f.typ.fallback)
		inner := v.LookupPath(cue.MakePath(cue.Str(f.name)))
		switch {
		case inner.Exists():
			text = c.value(inner, c.child(at, cue.Str(f.name), inner), f.typ)
		case f.required:
			c.missing(at, f)
		case f.typ.form == structForm:
			text = c.structure(inner, at, f.typ.fields)
		}
		if len(text) == 0 {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.Write(quoteJSON(f.name))
		out.WriteByte(':')
		out.Write(text)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// missing reports a required field that is not given; it is the node's mistake.
func (c *checker) missing(at place, f *field) {
	inner := place{path: append(slices.Clip(at.path), cue.Str(f.name))}
	c.report(at.pos, inner.String(), CodeMissing, "missing required field, want "+f.typ.String(), strings.TrimSuffix(f.doc, "."))
}

// gist is what a definition's comment says after naming it.
func gist(doc string) string {
	for _, mark := range []string{": ", " is "} {
		if _, after, found := strings.Cut(doc, mark); found {
			doc = after
			break
		}
	}
	return strings.TrimSuffix(doc, ".")
}

// unknownFields reports the fields of a struct that its definition lacks.
func (c *checker) unknownFields(v cue.Value, at place, fields []*field) {
	list, err := v.Fields()
	if err != nil {
		return
	}
	for list.Next() {
		name := list.Selector().Unquoted()
		if _, known := findField(fields, name); known || len(at.path) == nodeDepth && (name == "kind" || name == "doc") {
			continue
		}
		inner := c.child(place{path: at.path, pos: at.pos}, list.Selector(), list.Value())
		hint := didYouMean(name, fieldNames(fields))
		if hint == "" {
			hint = "fields: " + strings.Join(fieldNames(fields), ", ")
		}
		c.report(inner.pos, inner.String(), CodeUnknown, "unknown field", hint)
	}
}

// value checks a value against its type and writes it as JSON; nil if it does
// not fit.
func (c *checker) value(v cue.Value, at place, t *fieldType) []byte {
	v, _ = v.Default()
	switch t.form {
	case nodesForm:
		c.is(v, at, t, cue.StructKind)
		return nil
	case structForm:
		if c.is(v, at, t, cue.StructKind) {
			return c.structure(v, at, t.fields)
		}
	case openForm:
		if c.is(v, at, t, cue.StructKind) {
			b, err := v.MarshalJSON()
			if err != nil {
				c.reportCUE(err)
			}
			return b
		}
	case mapForm:
		if c.is(v, at, t, cue.StructKind) {
			return c.mapping(v, at, t)
		}
	case listForm:
		if c.is(v, at, t, cue.ListKind) {
			return c.list(v, at, t)
		}
	case stringForm:
		if c.is(v, at, t, cue.StringKind) {
			return c.text(v, at, t)
		}
	case intForm:
		if c.is(v, at, t, cue.IntKind) {
			return c.number(v, at, t)
		}
	case numberForm:
		if c.is(v, at, t, cue.NumberKind) {
			return c.number(v, at, t)
		}
	case boolForm:
		if c.is(v, at, t, cue.BoolKind) {
			b, _ := v.Bool()
			return strconv.AppendBool(nil, b)
		}
	}
	return nil
}

// is reports whether a value is definite and of a kind, and complains if not.
func (c *checker) is(v cue.Value, at place, t *fieldType, want cue.Kind) bool {
	have := kindOf(v)
	switch {
	case have == cue.BottomKind:
		c.reportCUE(v.Err())
		return false
	case have&want == 0:
		c.wrongType(v, at, t)
		return false
	case want != cue.StructKind && want != cue.ListKind && !v.IsConcrete():
		c.noValue(v, at)
		return false
	}
	return true
}

// kindOf is the kind of a value. CUE takes a struct or list that holds an error
// for an error; here it keeps its kind.
func kindOf(v cue.Value) cue.Kind {
	v, _ = v.Default()
	kind := v.IncompleteKind()
	if kind != cue.BottomKind {
		return kind
	}
	if v.LookupPath(cue.MakePath(cue.Index(0))).Exists() {
		return cue.ListKind
	}
	if list, err := v.Fields(); err == nil && list.Next() {
		return cue.StructKind
	}
	return kind
}

// elementsOf lists the elements of a list, those in error too.
func elementsOf(v cue.Value) []cue.Value {
	var elements []cue.Value
	if list, err := v.List(); err == nil {
		for list.Next() {
			elements = append(elements, list.Value())
		}
		return elements
	}
	for i := 0; ; i++ {
		e := v.LookupPath(cue.MakePath(cue.Index(i)))
		if !e.Exists() {
			return elements
		}
		elements = append(elements, e)
	}
}

// noValue reports a value that is not definite. After something was mended such
// values are no mistakes of their own.
func (c *checker) noValue(v cue.Value, at place) {
	if !c.mended {
		c.report(at.pos, at.String(), CodeNoValue, fmt.Sprintf("no definite value, only %v", v), noValueHint)
	}
}

func (c *checker) wrongType(v cue.Value, at place, t *fieldType) {
	c.report(at.pos, at.String(), CodeType, fmt.Sprintf("want %s, have %s", t.plain(), describe(v)), "")
}

// describe is a value as messages quote it: its kind and, if short, its text.
func describe(v cue.Value) string {
	v, _ = v.Default()
	kind := kindOf(v).String()
	switch kind {
	case "struct", "list":
		return "a " + kind
	}
	if b, err := v.MarshalJSON(); err == nil && len(b) <= 60 {
		return kind + " " + string(b)
	}
	return kind
}

// mapping checks the values of a map, in the author's order.
func (c *checker) mapping(v cue.Value, at place, t *fieldType) []byte {
	var out bytes.Buffer
	out.WriteByte('{')
	for list, err := v.Fields(cue.Hidden(true)); err == nil && list.Next(); {
		here := c.child(at, list.Selector(), list.Value())
		if list.Selector().LabelType() != cue.StringLabel {
			name := list.Selector().String()
			c.report(here.pos, here.String(), CodeUnknown, "CUE hides a field whose name begins with _, and drops it here", fmt.Sprintf("write %q, in quotes", name))
			continue
		}
		name := list.Selector().Unquoted()
		text := c.value(list.Value(), here, t.elem)
		if text == nil {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		out.Write(quoteJSON(name))
		out.WriteByte(':')
		out.Write(text)
	}
	out.WriteByte('}')
	return out.Bytes()
}

// list checks the elements of a list.
func (c *checker) list(v cue.Value, at place, t *fieldType) []byte {
	var items [][]byte
	for i, element := range elementsOf(v) {
		if text := c.value(element, c.child(at, cue.Index(i), element), t.elem); text != nil {
			items = append(items, text)
		}
	}
	return slices.Concat([]byte("["), bytes.Join(items, []byte(",")), []byte("]"))
}

// text checks a string against a list of words, a form, or emptiness.
func (c *checker) text(v cue.Value, at place, t *fieldType) []byte {
	s, err := v.String()
	if err != nil {
		return nil
	}
	switch {
	case len(t.enum) > 0 && !slices.Contains(t.enum, s):
		c.report(at.pos, at.String(), CodeEnum, fmt.Sprintf("want %s, have %q", t, s), didYouMean(s, t.enum))
		return nil
	case t.pattern != nil && !t.pattern.MatchString(s):
		c.report(at.pos, at.String(), CodeFormat, fmt.Sprintf("want %s, have %q", t, s), gist(schema().docs[t.name]))
		return nil
	case t.nonEmpty && s == "":
		c.report(at.pos, at.String(), CodeFormat, fmt.Sprintf("want %s, have an empty string", t), "")
		return nil
	}
	return quoteJSON(s)
}

// number checks a number against its bounds; integers have 64 bits.
func (c *checker) number(v cue.Value, at place, t *fieldType) []byte {
	text, err := v.MarshalJSON()
	if err != nil {
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(f, 0) || f < t.min || f > t.max {
		c.report(at.pos, at.String(), CodeRange, fmt.Sprintf("want %s, have %s", t, text), "")
		return nil
	}
	if t.form == intForm {
		if _, err := strconv.ParseInt(string(text), 10, 64); err != nil {
			c.report(at.pos, at.String(), CodeRange, fmt.Sprintf("want %s in 64 bits, have %s", t, text), "")
			return nil
		}
	}
	return text
}

// quoteJSON is a string as JSON, without escapes for HTML.
func quoteJSON(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.AppendQuote(nil, s)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
