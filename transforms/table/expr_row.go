package table

import (
	"slices"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"penstock.dev/data"
)

const rowName = "row"

// hidden is the variable behind row["name"]: no identifier, so no loop variable
// can take its place.
func hidden(column string) string { return "@" + column }

// presence is the variable behind has(row.name).
func presence(column string) string { return "@has " + column }

// rowResolver replaces row.name, row["name"] and has(row.name) in a parsed
// expression by the variables of the column, so that they are typed.
type rowResolver struct {
	schema  *data.Schema
	tree    *ast.AST
	factory ast.ExprFactory
	loops   bool
	missing *missingColumn // the first that was not found
}

type missingColumn struct {
	name string
	at   common.Location
}

// visit resolves an expression in which the variables bound belong to loops.
func (v *rowResolver) visit(e ast.Expr, bound []string) {
	switch e.Kind() {
	case ast.SelectKind:
		s := e.AsSelect()
		switch {
		case !v.isRow(s.Operand(), bound):
			v.visit(s.Operand(), bound)
		case s.IsTestOnly():
			v.replace(e, s.FieldName(), presence)
		default:
			v.replace(e, s.FieldName(), hidden)
		}
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() == operators.Index && v.isRow(c.Args()[0], bound) && c.Args()[1].Kind() == ast.LiteralKind {
			if name, ok := c.Args()[1].AsLiteral().(types.String); ok {
				v.replace(e, string(name), hidden)
				return
			}
		}
		if c.IsMemberFunction() {
			v.visit(c.Target(), bound)
		}
		v.visitAll(c.Args(), bound)
	case ast.ListKind:
		v.visitAll(e.AsList().Elements(), bound)
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			v.visit(entry.AsMapEntry().Key(), bound)
			v.visit(entry.AsMapEntry().Value(), bound)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			v.visit(field.AsStructField().Value(), bound)
		}
	case ast.ComprehensionKind:
		v.loops = true
		c := e.AsComprehension()
		v.visit(c.IterRange(), bound)
		inner := append(bound[:len(bound):len(bound)], c.IterVar(), c.IterVar2(), c.AccuVar())
		v.visitAll([]ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}, inner)
	}
}

func (v *rowResolver) visitAll(es []ast.Expr, bound []string) {
	for _, e := range es {
		v.visit(e, bound)
	}
}

func (v *rowResolver) isRow(e ast.Expr, bound []string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == rowName && !slices.Contains(bound, rowName)
}

func (v *rowResolver) replace(e ast.Expr, column string, variable func(string) string) {
	if f, ok := v.schema.Lookup(column); !ok || !readable(f.Type) {
		if v.missing == nil {
			v.missing = &missingColumn{column, v.tree.SourceInfo().GetStartLocation(e.ID())}
		}
		return
	}
	e.SetKindCase(v.factory.NewIdent(e.ID(), variable(column)))
}
