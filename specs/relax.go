package specs

import (
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// relax weakens a file of the schema: definitions keep their names, ports and
// defaults, but accept any field and any value. A graph evaluated against it
// shows what its author wrote, mistakes included, where the true schema would
// show the first mistake of a node and hide the others behind it.
func relax(f *ast.File) {
	structs := structDefinitions(f)
	for _, decl := range f.Decls {
		fd, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		if body, ok := fd.Value.(*ast.StructLit); ok {
			relaxStruct(body, structs)
		}
	}
}

// structDefinitions lists the definitions of a file that are structs of
// settings: a field that refers to one keeps the reference. Ports are not
// among them, for any value may stand where a port belongs.
func structDefinitions(f *ast.File) map[string]bool {
	structs := map[string]bool{"#Output": true}
	for _, decl := range f.Decls {
		fd, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		name, _, err := ast.LabelName(fd.Label)
		if _, isStruct := fd.Value.(*ast.StructLit); err == nil && isStruct && name != "#Port" && name != "#Secret" {
			structs[name] = true
		}
	}
	return structs
}

func relaxStruct(body *ast.StructLit, structs map[string]bool) {
	open := false
	for _, decl := range body.Elts {
		switch x := decl.(type) {
		case *ast.Ellipsis:
			open = true
		case *ast.Field:
			if isPattern(x) {
				continue // the names that #Nodes stamps
			}
			if x.Constraint == token.NOT {
				x.Constraint = token.OPTION
			}
			x.Value = relaxValue(x, structs)
		}
	}
	if !open {
		body.Elts = append(body.Elts, &ast.Ellipsis{})
	}
}

func relaxValue(f *ast.Field, structs map[string]bool) ast.Expr {
	anything := ast.NewIdent("_")
	switch x := f.Value.(type) {
	case *ast.StructLit:
		if len(x.Elts) == 1 {
			if only, ok := x.Elts[0].(*ast.Field); ok && isPattern(only) && f.Constraint != token.ILLEGAL {
				return anything // a map
			}
		}
		relaxStruct(x, structs)
		return x
	case *ast.Ident:
		if structs[x.Name] {
			return x
		}
	case *ast.BasicLit:
		if name, _, err := ast.LabelName(f.Label); err == nil && name == "kind" {
			return x
		}
		return ast.NewBinExpr(token.OR, &ast.UnaryExpr{Op: token.MUL, X: x}, anything)
	case *ast.BinaryExpr:
		for _, e := range operands(x) {
			if star, ok := e.(*ast.UnaryExpr); ok && star.Op == token.MUL {
				return ast.NewBinExpr(token.OR, star, anything)
			}
		}
	}
	return anything
}
