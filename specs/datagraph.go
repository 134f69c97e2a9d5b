package specs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	cueerrors "cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/token"
	cuejson "cuelang.org/go/encoding/json"
	"cuelang.org/go/encoding/yaml"
)

// parseJSON reads a JSON graph as the CUE graph it stands for.
func parseJSON(file string, text []byte) (*ast.File, error) {
	var syntax *json.SyntaxError
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); errors.As(err, &syntax) {
		return nil, cueerrors.Newf(offset(file, text, int(syntax.Offset)-1), "%s", syntax.Error())
	}
	expr, err := cuejson.Extract(file, text)
	if err != nil {
		return nil, err
	}
	body, ok := expr.(*ast.StructLit)
	if !ok {
		return nil, errors.New("a graph is a JSON object")
	}
	return dataGraph(file, body)
}

// offset is the position of a byte of a text.
func offset(file string, text []byte, at int) token.Pos {
	f := token.NewFile(file, -1, len(text))
	f.SetLinesForContent(text)
	return f.Pos(min(max(at, 0), len(text)), token.NoRelPos)
}

// parseYAML reads a YAML graph as the CUE graph it stands for.
func parseYAML(file string, text []byte) (*ast.File, error) {
	f, err := yaml.Extract(file, text)
	if err != nil {
		line, cause := cutLine(strings.TrimPrefix(err.Error(), file+":"))
		return nil, cueerrors.Newf(offset(file, text, lineStart(text, line)), "%s", cause)
	}
	for _, decl := range f.Decls {
		if _, ok := decl.(*ast.Field); !ok {
			return nil, errors.New("a graph is one YAML mapping")
		}
	}
	return dataGraph(file, &ast.StructLit{Elts: f.Decls})
}

// cutLine takes the line number off an error of the YAML decoder, which writes
// "line: cause"; the number is 1 if there is none.
func cutLine(text string) (line int, cause string) {
	number, cause, found := strings.Cut(text, ": ")
	line, err := strconv.Atoi(number)
	if !found || err != nil {
		return 1, strings.TrimSpace(text)
	}
	return line, cause
}

// lineStart is the offset of the first byte of a line, counted from 1.
func lineStart(text []byte, line int) int {
	at := 0
	for ; line > 1; line-- {
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return at
}

// schemaName is what the schema is called in a data graph's syntax tree.
const schemaName = "specs"

// dataGraph turns plain data into a CUE graph: the object itself or its field
// graph becomes specs.#Graph & {…}, a node of kind K becomes specs.#K & {…},
// and ports written "node.port" become references. Positions stay those of the
// data, so every later check points into it.
func dataGraph(file string, body *ast.StructLit) (*ast.File, error) {
	graph := &ast.Field{Label: ast.NewIdent("graph"), Value: body}
	if wrapped, ok := fieldOf(body, "graph"); ok {
		graph = wrapped
		if body, ok = wrapped.Value.(*ast.StructLit); !ok {
			return nil, errors.New("graph is not an object")
		}
	}
	if nodes, ok := fieldOf(body, "nodes"); ok {
		if all, ok := nodes.Value.(*ast.StructLit); ok {
			for _, decl := range all.Elts {
				if f, ok := decl.(*ast.Field); ok {
					dataNode(f)
				}
			}
		}
	}
	graph.Value = unifyWith("Graph", body)
	f := &ast.File{Filename: cueName(file), Decls: []ast.Decl{
		&ast.ImportDecl{Specs: []*ast.ImportSpec{ast.NewImport(nil, ImportPath)}},
		graph,
	}}
	var unresolved error
	astutil.Resolve(f, func(_ token.Pos, msg string, args ...any) { unresolved = fmt.Errorf(msg, args...) })
	return f, unresolved
}

// dataNode gives a node of a known kind its definition and reads its ports.
func dataNode(f *ast.Field) {
	body, ok := f.Value.(*ast.StructLit)
	if !ok {
		return
	}
	kindField, ok := fieldOf(body, "kind")
	if !ok {
		return
	}
	name, ok := stringOf(kindField.Value)
	if !ok {
		return
	}
	k, ok := schema().byName[name]
	if !ok {
		return
	}
	for _, input := range k.Inputs {
		if port, ok := fieldOf(body, input); ok {
			port.Value = dataPort(port.Value)
		}
	}
	f.Value = unifyWith(name, body)
}

// dataPort turns "node.port" into {from: "node", port: "port"}, also in lists.
func dataPort(e ast.Expr) ast.Expr {
	if list, ok := e.(*ast.ListLit); ok {
		for i := range list.Elts {
			list.Elts[i] = dataPort(list.Elts[i])
		}
		return list
	}
	s, ok := stringOf(e)
	if !ok {
		return e
	}
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return e
	}
	from, port := ast.NewString(s[:i]), ast.NewString(s[i+1:])
	ast.SetPos(from, e.Pos())
	ast.SetPos(port, e.Pos())
	ref := ast.NewStruct(ast.NewIdent("from"), from, ast.NewIdent("port"), port)
	ast.SetPos(ref, e.Pos())
	ref.Lbrace = e.Pos()
	return ref
}

// unifyWith is specs.#Name & body, at the body's position.
func unifyWith(name string, body *ast.StructLit) ast.Expr {
	pkg := ast.NewIdent(schemaName)
	ast.SetPos(pkg, body.Pos())
	return ast.NewBinExpr(token.AND, &ast.SelectorExpr{X: pkg, Sel: ast.NewIdent("#" + name)}, body)
}

// fieldOf finds a field of a struct by name, the last if it is repeated.
func fieldOf(body *ast.StructLit, name string) (found *ast.Field, ok bool) {
	for _, decl := range body.Elts {
		f, isField := decl.(*ast.Field)
		if !isField {
			continue
		}
		if label, _, err := ast.LabelName(f.Label); err == nil && label == name {
			found, ok = f, true
		}
	}
	return found, ok
}

func stringOf(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := literal.Unquote(lit.Value)
	return s, err == nil
}
