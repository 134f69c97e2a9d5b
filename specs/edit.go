package specs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	cuejson "cuelang.org/go/encoding/json"
)

// TestEdit gives a field of a test another value.
type TestEdit struct {
	Path []string // below tests: the test's name, "expect" and the port, for instance
	Text string   // CUE
}

// FileEdit is a file before and after edits. Old is nil for a file that is not there.
type FileEdit struct {
	Path     string // as the caller may open it
	Old, New []byte
}

// Write writes the file as it is after the edits.
func (f *FileEdit) Write() error { return os.WriteFile(f.Path, f.New, 0o644) }

// EditTests makes edits to the tests of a graph without writing them. The files come
// out formatted. Only fields that are written out can be edited, not those that come
// from a comprehension or a reference.
func EditTests(path string, o Options, edits []TestEdit) ([]FileEdit, error) {
	e, err := newEditor(path, o)
	if err != nil {
		return nil, err
	}
	for _, edit := range edits {
		f := e.find(edit.Path)
		if f == nil {
			return nil, fmt.Errorf("tests.%s is not written out in a file: edit what it is made of", joinPath(edit.Path))
		}
		if f.Value, err = parser.ParseExpr("", edit.Text); err != nil {
			return nil, err
		}
	}
	return e.edited()
}

// AddTest adds a test to those of a graph, in its test file if they do not stand
// elsewhere, without writing it. A test of that name gets a number.
func AddTest(path string, o Options, name, text string) (FileEdit, error) {
	e, err := newEditor(path, o)
	if err != nil {
		return FileEdit{}, err
	}
	value, err := parser.ParseExpr("", text)
	if err != nil {
		return FileEdit{}, err
	}
	body := e.body()
	if body == nil {
		return e.newFile(name, value)
	}
	numbered := name
	for n := 2; slices.Contains(declaredNames(body.Elts), numbered); n++ {
		numbered = name + " " + strconv.Itoa(n)
	}
	added := &ast.Field{Label: ast.NewStringLabel(numbered), Value: value}
	ast.SetRelPos(added.Label, token.NewSection)
	body.Elts = append(body.Elts, added)
	files, err := e.edited()
	if err != nil {
		return FileEdit{}, err
	}
	return files[0], nil
}

// editor edits the syntax trees of a graph's files.
type editor struct {
	*source
	trees   []*ast.File // of the files that are CUE
	touched []*ast.File
}

func newEditor(path string, o Options) (*editor, error) {
	s, d := locate(path, o.Dir)
	if d == nil {
		d = s.addTests()
	}
	if d != nil {
		return nil, Diagnostics{*d}
	}
	e := &editor{source: s}
	for _, file := range s.files {
		if filepath.Ext(file) != ".cue" {
			continue
		}
		f, err := parser.ParseFile(file, s.text[file], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		e.trees = append(e.trees, f)
	}
	return e, nil
}

// touch notes that a file is edited.
func (e *editor) touch(f *ast.File) {
	if !slices.Contains(e.touched, f) {
		e.touched = append(e.touched, f)
	}
}

// edited are the files that were edited.
func (e *editor) edited() ([]FileEdit, error) {
	var files []FileEdit
	for _, f := range e.touched {
		text, err := format.Node(f)
		if err != nil {
			return nil, err
		}
		files = append(files, FileEdit{e.display(f.Filename), e.text[f.Filename], text})
	}
	return files, nil
}

// newFile is a test file of one test.
func (e *editor) newFile(name string, value ast.Expr) (FileEdit, error) {
	clause := ""
	if e.pkg != "" {
		clause = "package " + e.pkg + "\n\n"
	}
	test, err := format.Node(value)
	if err != nil {
		return FileEdit{}, err
	}
	text := fmt.Sprintf("%simport %q\n\ntests: specs.#Tests & {\n%s: %s\n}\n", clause, ImportPath, Label(name), test)
	file := testFile(e.files[0])
	formatted, err := format.Source([]byte(text))
	return FileEdit{e.display(file), e.text[file], formatted}, err
}

// body is the struct of all tests, to be added to; nil if there is none.
func (e *editor) body() *ast.StructLit {
	for _, f := range e.trees {
		for _, tests := range fieldsNamed(f.Decls, "tests") {
			if bodies := structsOf(tests.Value); len(bodies) > 0 {
				e.touch(f)
				return bodies[0]
			}
		}
	}
	return nil
}

// find finds the field of a path below tests, to be edited; nil if there is none.
func (e *editor) find(path []string) *ast.Field {
	for _, f := range e.trees {
		if found := findBelow(f.Decls, append([]string{"tests"}, path...)); found != nil {
			e.touch(f)
			return found
		}
	}
	return nil
}

func findBelow(decls []ast.Decl, path []string) *ast.Field {
	for _, f := range fieldsNamed(decls, path[0]) {
		if len(path) == 1 {
			return f
		}
		for _, body := range structsOf(f.Value) {
			if found := findBelow(body.Elts, path[1:]); found != nil {
				return found
			}
		}
	}
	return nil
}

func fieldsNamed(decls []ast.Decl, name string) []*ast.Field {
	var fields []*ast.Field
	for _, decl := range decls {
		if f, ok := decl.(*ast.Field); ok && labelName(f.Label) == name {
			fields = append(fields, f)
		}
	}
	return fields
}

// structsOf lists the struct literals that a value is the conjunction of.
func structsOf(e ast.Expr) []*ast.StructLit {
	switch x := e.(type) {
	case *ast.StructLit:
		return []*ast.StructLit{x}
	case *ast.BinaryExpr:
		if x.Op == token.AND {
			return append(structsOf(x.X), structsOf(x.Y)...)
		}
	}
	return nil
}

// Label writes the name of a field, with quotes if it needs them.
func Label(name string) string {
	if ast.StringLabelNeedsQuoting(name) {
		return Quote(name)
	}
	return name
}

// Quote writes a text as a CUE string.
func Quote(text string) string { return literal.String.Quote(text) }

// Layout lays out the text of a CUE file in the one way that the language has.
func Layout(text []byte) ([]byte, error) { return format.Source(text) }

// Rows writes rows as a CUE list, a row a line.
func Rows(rows []json.RawMessage) (string, error) {
	if len(rows) == 0 {
		return "[]", nil
	}
	var b strings.Builder
	b.WriteString("[\n")
	for _, row := range rows {
		expr, err := cuejson.Extract("", row)
		if err != nil {
			return "", err
		}
		text, err := format.Node(onOneLine(expr))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\t%s,\n", text)
	}
	b.WriteString("]")
	return b.String(), nil
}

// onOneLine keeps the formatter from giving the fields of structs lines of their own.
func onOneLine(e ast.Expr) ast.Expr {
	ast.Walk(e, func(n ast.Node) bool {
		if s, ok := n.(*ast.StructLit); ok {
			for _, decl := range s.Elts {
				ast.SetRelPos(decl, token.Blank)
			}
			s.Lbrace, s.Rbrace = token.Blank.Pos(), token.Blank.Pos()
		}
		return true
	}, nil)
	return e
}
