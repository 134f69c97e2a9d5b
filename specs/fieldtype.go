package specs

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// form is the shape of a field's value.
type form int

const (
	anyForm form = iota
	stringForm
	intForm
	numberForm
	boolForm
	listForm
	mapForm
	structForm
	openForm   // a struct of any fields
	portForm   // an input: a reference to an output port
	outputForm // an output port
	nodesForm  // the nodes of a graph
)

// fieldType is a field's constraint in the part of CUE the schema keeps to.
type fieldType struct {
	form     form
	name     string // of the definition it comes from, without #; "" for none
	min, max float64
	pattern  *regexp.Regexp
	enum     []string
	nonEmpty bool
	elem     *fieldType // of a list or map
	minItems int
	fields   []*field // of a struct
	fallback string   // default as JSON; "" for none
}

// newType is a type without bounds.
func newType(f form) *fieldType {
	return &fieldType{form: f, min: math.Inf(-1), max: math.Inf(1)}
}

// compile turns a constraint of the schema into a fieldType. It knows the
// forms the schema uses and refuses others.
func (b *builder) compile(e ast.Expr) (*fieldType, error) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return b.compile(x.X)
	case *ast.Ident:
		return b.named(x.Name)
	case *ast.BasicLit:
		return b.literal(x)
	case *ast.UnaryExpr:
		return b.bound(x)
	case *ast.BinaryExpr:
		if x.Op == token.OR {
			return b.disjunction(x)
		}
		return b.conjunction(x)
	case *ast.ListLit:
		return b.list(x)
	case *ast.StructLit:
		return b.structure(x)
	}
	return nil, fmt.Errorf("constraint of unknown form %T", e)
}

func (b *builder) named(name string) (*fieldType, error) {
	switch name {
	case "string":
		return newType(stringForm), nil
	case "int":
		return newType(intForm), nil
	case "number":
		return newType(numberForm), nil
	case "bool":
		return newType(boolForm), nil
	case "#Port":
		return newType(portForm), nil
	case "#Output":
		return newType(outputForm), nil
	case "#Nodes":
		return newType(nodesForm), nil
	}
	name = strings.TrimPrefix(name, "#")
	d, ok := b.definitions[name]
	if !ok {
		return nil, fmt.Errorf("no definition #%s", name)
	}
	t, err := b.compile(d.expr)
	if err != nil {
		return nil, err
	}
	t.name = name
	return t, nil
}

// literal is a field that can have one value alone.
func (b *builder) literal(x *ast.BasicLit) (*fieldType, error) {
	s, err := literal.Unquote(x.Value)
	if err != nil {
		return nil, err
	}
	t := newType(stringForm)
	t.enum = []string{s}
	t.fallback = strconv.Quote(s)
	return t, nil
}

// wordList is a regular expression that lists words: an enumeration.
var wordList = regexp.MustCompile(`^\^\(([\w|-]+)\)\$$`)

func (b *builder) bound(x *ast.UnaryExpr) (*fieldType, error) {
	lit, ok := x.X.(*ast.BasicLit)
	if !ok {
		return nil, fmt.Errorf("bound %s of unknown form", x.Op)
	}
	switch x.Op {
	case token.MAT:
		s, err := literal.Unquote(lit.Value)
		if err != nil {
			return nil, err
		}
		t := newType(stringForm)
		if words := wordList.FindStringSubmatch(s); words != nil {
			t.enum = strings.Split(words[1], "|")
			return t, nil
		}
		t.pattern, err = regexp.Compile(s)
		return t, err
	case token.NEQ:
		t := newType(stringForm)
		t.nonEmpty = true
		return t, nil
	case token.GEQ, token.LEQ:
		limit, err := strconv.ParseFloat(strings.ReplaceAll(lit.Value, "_", ""), 64)
		t := newType(numberForm)
		if x.Op == token.GEQ {
			t.min = limit
		} else {
			t.max = limit
		}
		return t, err
	}
	return nil, fmt.Errorf("bound %s of unknown form", x.Op)
}

func (b *builder) conjunction(x *ast.BinaryExpr) (*fieldType, error) {
	left, err := b.compile(x.X)
	if err != nil {
		return nil, err
	}
	right, err := b.compile(x.Y)
	if err != nil {
		return nil, err
	}
	left.min, left.max = max(left.min, right.min), min(left.max, right.max)
	left.nonEmpty = left.nonEmpty || right.nonEmpty
	if right.pattern != nil {
		left.pattern = right.pattern
	}
	return left, nil
}

// disjunction is a type with a default, or a list of words.
func (b *builder) disjunction(x *ast.BinaryExpr) (*fieldType, error) {
	var base *fieldType
	var words []string
	fallback := ""
	for _, e := range operands(x) {
		if star, ok := e.(*ast.UnaryExpr); ok && star.Op == token.MUL {
			e = star.X
			var err error
			if fallback, err = literalJSON(e); err != nil {
				return nil, err
			}
		} else if _, lit := e.(*ast.BasicLit); !lit {
			t, err := b.compile(e)
			if err != nil {
				return nil, err
			}
			base = t
			continue
		}
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, err := literal.Unquote(lit.Value)
			if err != nil {
				return nil, err
			}
			words = append(words, s)
		}
	}
	if base == nil {
		base = newType(stringForm)
		base.enum = words
	}
	base.fallback = fallback
	return base, nil
}

// operands lists the operands of a chain of |, in order.
func operands(e ast.Expr) []ast.Expr {
	if x, ok := e.(*ast.BinaryExpr); ok && x.Op == token.OR {
		return append(operands(x.X), operands(x.Y)...)
	}
	return []ast.Expr{e}
}

func (b *builder) list(x *ast.ListLit) (*fieldType, error) {
	t := newType(listForm)
	for _, e := range x.Elts {
		if ellipsis, ok := e.(*ast.Ellipsis); ok {
			e = ellipsis.Type
		} else {
			t.minItems++
		}
		var err error
		if t.elem, err = b.compile(e); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (b *builder) structure(x *ast.StructLit) (*fieldType, error) {
	if len(x.Elts) == 1 {
		if _, any := x.Elts[0].(*ast.Ellipsis); any {
			return newType(openForm), nil
		}
		if f, ok := x.Elts[0].(*ast.Field); ok && isPattern(f) {
			elem, err := b.compile(f.Value)
			if err != nil {
				return nil, err
			}
			t := newType(mapForm)
			t.elem = elem
			return t, nil
		}
	}
	fields, err := b.fields(x)
	if err != nil {
		return nil, err
	}
	t := newType(structForm)
	t.fields = fields
	return t, nil
}

func isPattern(f *ast.Field) bool {
	_, ok := f.Label.(*ast.ListLit)
	return ok
}

// fields compiles the named fields of a struct.
func (b *builder) fields(body *ast.StructLit) ([]*field, error) {
	var fields []*field
	for _, decl := range body.Elts {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(f.Label)
		if err != nil {
			return nil, err
		}
		t, err := b.compile(f.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fields = append(fields, &field{name: name, doc: docOf(f), required: f.Constraint == token.NOT, typ: t})
	}
	return fields, nil
}

// literalJSON writes a literal of the schema as JSON.
func literalJSON(e ast.Expr) (string, error) {
	switch x := e.(type) {
	case *ast.BasicLit:
		if x.Kind != token.STRING {
			return strings.ReplaceAll(x.Value, "_", ""), nil
		}
		s, err := literal.Unquote(x.Value)
		return strconv.Quote(s), err
	case *ast.ListLit:
		items := make([]string, len(x.Elts))
		for i, elt := range x.Elts {
			var err error
			if items[i], err = literalJSON(elt); err != nil {
				return "", err
			}
		}
		return "[" + strings.Join(items, ",") + "]", nil
	}
	return "", fmt.Errorf("default of unknown form %T", e)
}

// String describes the type for people: "int, 1 to 1024", "list of column
// names", `"words", "sentences" or "characters"`.
func (t *fieldType) String() string {
	switch {
	case len(t.enum) > 0:
		return orList(t.enum)
	case t.name != "" && t.form != structForm:
		return spaced(t.name)
	}
	switch t.form {
	case stringForm:
		if t.nonEmpty {
			return "non-empty string"
		}
		return "string"
	case intForm:
		return "int" + t.bounds()
	case numberForm:
		return "number" + t.bounds()
	case boolForm:
		return "bool"
	case listForm:
		return "list of " + t.elem.String()
	case mapForm:
		return "map of " + t.elem.String()
	case portForm:
		return "port"
	case outputForm:
		return "output port"
	case nodesForm:
		return "nodes"
	case structForm, openForm:
		return "struct"
	}
	return "any value"
}

// plain describes the type without the name of its definition, for a value of
// another form altogether.
func (t *fieldType) plain() string {
	unnamed := *t
	unnamed.name = ""
	if unnamed.form == stringForm && len(unnamed.enum) == 0 {
		return "string"
	}
	return unnamed.String()
}

func (t *fieldType) bounds() string {
	low, high := strconv.FormatFloat(t.min, 'f', -1, 64), strconv.FormatFloat(t.max, 'f', -1, 64)
	switch {
	case math.IsInf(t.min, -1) && math.IsInf(t.max, 1):
		return ""
	case math.IsInf(t.max, 1):
		return ", at least " + low
	case math.IsInf(t.min, -1):
		return ", at most " + high
	}
	return ", " + low + " to " + high
}

// orList writes words as `"a", "b" or "c"`.
func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

var humps = regexp.MustCompile(`([a-z])([A-Z])`)

// spaced writes a definition's name as words: ColumnType is "column type".
func spaced(name string) string {
	return strings.ToLower(humps.ReplaceAllString(name, "$1 $2"))
}
