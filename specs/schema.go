package specs

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
)

// ImportPath is the path graphs import the schema by.
const ImportPath = "penstock.dev/specs"

//go:embed *.cue cue.mod/module.cue
var schemaFiles embed.FS

// schemaNames lists the schema's CUE files, sorted.
func schemaNames() []string {
	names, err := fs.Glob(schemaFiles, "*.cue")
	if err != nil {
		panic(err) // the pattern is constant
	}
	return names
}

// schemaText is the text of one file of the schema.
func schemaText(name string) []byte {
	b, err := schemaFiles.ReadFile(name)
	if err != nil {
		panic(err) // the name comes from schemaNames
	}
	return b
}

// parseSchema parses one file of the schema. Its nodes have no positions: what
// CUE then reports or knows of a position can only be in the author's text.
func parseSchema(name string) (*ast.File, error) {
	f, err := parser.ParseFile(name, schemaText(name), parser.ParseComments)
	if err != nil {
		return nil, err
	}
	ast.Walk(f, func(n ast.Node) bool {
		ast.SetPos(n, token.NoPos)
		return true
	}, nil)
	return f, nil
}

// kind is a definition of the schema that nodes can be of.
type kind struct {
	KindDoc
	fields []*field // in the order of the definition, with ports, without kind and doc
}

// has reports whether the kind has a field.
func (k *kind) has(name string) bool {
	return slices.ContainsFunc(k.fields, func(f *field) bool { return f.name == name })
}

// field is a field of a definition.
type field struct {
	name     string
	doc      string
	required bool
	typ      *fieldType
}

// input reports whether the field is an input port or a list of them.
func (f *field) input() bool {
	return f.typ.form == portForm || f.typ.form == listForm && f.typ.elem.form == portForm
}

// config reports whether the field belongs to the node's configuration.
func (f *field) config() bool { return !f.input() && f.typ.form != outputForm }

func findField(fields []*field, name string) (*field, bool) {
	i := slices.IndexFunc(fields, func(f *field) bool { return f.name == name })
	if i < 0 {
		return nil, false
	}
	return fields[i], true
}

// fieldNames lists the fields an author may write.
func fieldNames(fields []*field) []string {
	var names []string
	for _, f := range fields {
		if f.typ.form != outputForm {
			names = append(names, f.name)
		}
	}
	return names
}

// catalogue is the schema as Go data: every kind, and the fields of a graph.
type catalogue struct {
	kinds  []*kind // in the order of files and definitions
	byName map[string]*kind
	graph  []*field
	tests  *fieldType
	names  []string          // of all definitions, without #
	docs   map[string]string // of all definitions
}

// schema compiles the embedded schema once. A schema that does not compile is
// a defect of this package, found by its tests.
var schema = sync.OnceValue(func() *catalogue {
	c, err := compileCatalogue()
	if err != nil {
		panic("specs: embedded schema: " + err.Error())
	}
	return c
})

func compileCatalogue() (*catalogue, error) {
	b := builder{definitions: map[string]*definition{}}
	for _, name := range schemaNames() {
		f, err := parseSchema(name)
		if err != nil {
			return nil, err
		}
		b.collect(strings.TrimSuffix(name, ".cue"), f)
	}
	return b.catalogue()
}

// definition is a definition as it stands in the schema's syntax.
type definition struct {
	name   string
	family string
	doc    string
	expr   ast.Expr
}

// builder compiles definitions into a catalogue.
type builder struct {
	definitions map[string]*definition
	order       []*definition
}

func (b *builder) collect(family string, f *ast.File) {
	for _, decl := range f.Decls {
		fd, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(fd.Label)
		if err != nil {
			continue
		}
		d := &definition{strings.TrimPrefix(name, "#"), family, strings.TrimPrefix(docOf(fd), "#"), fd.Value}
		b.definitions[d.name] = d
		b.order = append(b.order, d)
	}
}

func (b *builder) catalogue() (*catalogue, error) {
	c := &catalogue{byName: map[string]*kind{}, docs: map[string]string{}}
	for _, d := range b.order {
		c.names = append(c.names, d.name)
		c.docs[d.name] = d.doc
		body, ok := d.expr.(*ast.StructLit)
		if !ok || !embedsNode(body) {
			continue
		}
		k, err := b.kind(d, body)
		if err != nil {
			return nil, fmt.Errorf("#%s: %w", d.name, err)
		}
		c.kinds = append(c.kinds, k)
		c.byName[k.Name] = k
	}
	graph, err := b.compile(b.definitions["Graph"].expr)
	if err != nil {
		return nil, fmt.Errorf("#Graph: %w", err)
	}
	c.graph = graph.fields
	if c.tests, err = b.compile(b.definitions["Tests"].expr); err != nil {
		return nil, fmt.Errorf("#Tests: %w", err)
	}
	return c, nil
}

// embedsNode tells the definitions of kinds from the others.
func embedsNode(body *ast.StructLit) bool {
	return slices.ContainsFunc(body.Elts, func(d ast.Decl) bool {
		e, ok := d.(*ast.EmbedDecl)
		if !ok {
			return false
		}
		id, ok := e.Expr.(*ast.Ident)
		return ok && id.Name == "#Node"
	})
}

func (b *builder) kind(d *definition, body *ast.StructLit) (*kind, error) {
	fields, err := b.fields(body)
	if err != nil {
		return nil, err
	}
	k := &kind{KindDoc: KindDoc{Name: d.name, Doc: d.doc, Family: d.family, Role: roleOf(body)}}
	for _, f := range fields {
		if f.name != "kind" {
			k.fields = append(k.fields, f)
		}
	}
	k.document()
	return k, nil
}

// roleOf reads the attribute @role(…) on the field kind.
func roleOf(body *ast.StructLit) string {
	for _, decl := range body.Elts {
		f, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		for _, a := range f.Attrs {
			if name, arg := a.Split(); name == "role" {
				return arg
			}
		}
	}
	return ""
}

// docOf is the comment above a field as one line of prose a paragraph.
func docOf(n ast.Node) string {
	var lines []string
	for _, g := range ast.Comments(n) {
		if g.Doc {
			lines = append(lines, strings.TrimSpace(g.Text()))
		}
	}
	return joinLines(strings.Join(lines, "\n"))
}

// joinLines joins the lines of each paragraph and keeps the paragraphs apart.
func joinLines(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
