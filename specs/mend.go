package specs

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
)

// unknownKind is the kind of a node whose definition does not exist and could
// not be guessed. Nothing more is said of such a node.
const unknownKind = "?"

// mendDefinitions reports definitions that the schema does not have and puts
// the nearest one, or an open struct, in their place.
func (l *loader) mendDefinitions() bool {
	for _, file := range l.files {
		f := l.parsed[cueName(file)]
		local := importName(f)
		if local == "" {
			continue
		}
		l.reportEmbedding(f, local)
		astutil.Apply(f, func(c astutil.Cursor) bool {
			if sel, ok := c.Node().(*ast.SelectorExpr); ok && isIdent(sel.X, local) {
				l.mendDefinition(c, sel)
			}
			return true
		}, nil)
	}
	return true
}

// importName is the name a file gives the schema, "" if it does not import it.
func importName(f *ast.File) string {
	for spec := range f.ImportSpecs() {
		path, err := literal.Unquote(spec.Path.Value)
		if err != nil || strings.SplitN(path, "@", 2)[0] != ImportPath {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return schemaName
	}
	return ""
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// reportEmbedding refuses #Graph embedded at the top of a file: CUE would open
// it, and misspelt fields would pass.
func (l *loader) reportEmbedding(f *ast.File, local string) {
	for _, decl := range f.Decls {
		e, ok := decl.(*ast.EmbedDecl)
		if !ok {
			continue
		}
		x := e.Expr
		for {
			b, ok := x.(*ast.BinaryExpr)
			if !ok {
				break
			}
			x = b.X
		}
		if sel, ok := x.(*ast.SelectorExpr); ok && isIdent(sel.X, local) && labelName(sel.Sel) == "#Graph" {
			l.report(l.position(x.Pos()), "", CodeEmbedded,
				"#Graph is embedded at the top of the file, which would let misspelt fields pass",
				"write graph: specs.#Graph & {…}")
		}
	}
}

func labelName(label ast.Label) string {
	name, _, err := ast.LabelName(label)
	if err != nil {
		return ""
	}
	return name
}

func (l *loader) mendDefinition(c astutil.Cursor, sel *ast.SelectorExpr) {
	name := strings.TrimPrefix(labelName(sel.Sel), "#")
	if slices.Contains(schema().names, name) && strings.HasPrefix(labelName(sel.Sel), "#") {
		return
	}
	near := closest(name, schema().names)
	hint := "penstock nodes lists the kinds"
	if near != "" {
		hint = fmt.Sprintf("did you mean \"#%s\"?", near)
	}
	l.report(l.position(sel.Sel.Pos()), enclosingPath(c), CodeDefinition,
		fmt.Sprintf("no definition %s in %s", labelName(sel.Sel), ImportPath), hint)
	l.mended = true
	if near != "" {
		sel.Sel = ast.NewIdent("#" + near)
		return
	}
	open := ast.NewStruct(ast.NewIdent("kind"), ast.NewString(unknownKind), &ast.Ellipsis{})
	open.Lbrace = sel.Pos()
	c.Replace(open)
}

// enclosingPath is the path of the field a cursor is in, as far as its labels
// are literal.
func enclosingPath(c astutil.Cursor) string {
	var path []string
	for ; c != nil; c = c.Parent() {
		if f, ok := c.Node().(*ast.Field); ok {
			if name := labelName(f.Label); name != "" {
				path = append(path, name)
			}
		}
	}
	slices.Reverse(path)
	return joinPath(path)
}

// mendReferences builds the graph, reports names that nothing declares, and
// replaces the expressions they start by any value.
func (l *loader) mendReferences() bool {
	l.build()
	unresolved := map[token.Pos]bool{}
	for _, e := range errors.Errors(l.value.Err()) {
		if format, _ := e.Msg(); format == "reference %q not found" {
			unresolved[e.Position()] = true
		}
	}
	if len(unresolved) == 0 {
		return true
	}
	for _, file := range l.files {
		astutil.Apply(l.parsed[cueName(file)], func(c astutil.Cursor) bool {
			return !l.mendReference(c, unresolved)
		}, nil)
	}
	l.mended = true
	return true
}

// mendReference mends the expression at the cursor if it starts with an
// unresolved name, and reports whether it did.
func (l *loader) mendReference(c astutil.Cursor, unresolved map[token.Pos]bool) bool {
	expr, ok := c.Node().(ast.Expr)
	if !ok {
		return false
	}
	if f, ok := c.Parent().Node().(*ast.Field); ok && f.Label == c.Node() {
		return false
	}
	id := baseIdent(expr)
	if id == nil || !unresolved[id.Pos()] {
		return false
	}
	l.reportReference(c, id)
	anything := ast.NewIdent("_")
	ast.SetPos(anything, id.Pos())
	c.Replace(anything)
	return true
}

// baseIdent is the name a chain of selectors and indices starts with.
func baseIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func (l *loader) reportReference(c astutil.Cursor, id *ast.Ident) {
	what := "nothing is named %q"
	path := enclosingPath(c)
	if isInput(path) {
		what = "no node named %q"
	}
	l.report(l.position(id.Pos()), path, CodeReference,
		fmt.Sprintf(what, id.Name), didYouMean(id.Name, namesInScope(c)))
}

// isInput reports whether a path ends in the name of an input port.
func isInput(path string) bool {
	last := path[strings.LastIndexByte(path, '.')+1:]
	return slices.ContainsFunc(schema().kinds, func(k *kind) bool { return slices.Contains(k.Inputs, last) })
}

// namesInScope lists the labels, let clauses and imports an expression may
// refer to, the nearest scope first.
func namesInScope(c astutil.Cursor) []string {
	var names []string
	for ; c != nil; c = c.Parent() {
		switch x := c.Node().(type) {
		case *ast.StructLit:
			names = append(names, declaredNames(x.Elts)...)
		case *ast.File:
			names = append(names, declaredNames(x.Decls)...)
			if local := importName(x); local != "" {
				names = append(names, local)
			}
		}
	}
	return names
}

func declaredNames(decls []ast.Decl) []string {
	var names []string
	for _, decl := range decls {
		switch x := decl.(type) {
		case *ast.Field:
			if name := labelName(x.Label); name != "" {
				names = append(names, name)
			}
		case *ast.LetClause:
			names = append(names, x.Ident.Name)
		}
	}
	return names
}

// joinPath writes labels as a CUE path.
func joinPath(labels []string) string {
	selectors := make([]cue.Selector, len(labels))
	for i, label := range labels {
		if strings.HasPrefix(label, "#") {
			selectors[i] = cue.Def(label)
			continue
		}
		selectors[i] = cue.Str(label)
	}
	return cue.MakePath(selectors...).String()
}
