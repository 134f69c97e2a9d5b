package specs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
)

// inputs reads an input port of a node, or a list of them.
func (c *checker) inputs(node cue.Value, at place, f *field) []Input {
	v := node.LookupPath(cue.MakePath(cue.Str(f.name)))
	if !v.Exists() {
		c.missing(at, f)
		return nil
	}
	here := c.child(at, f.name, v)
	if f.typ.form != listForm {
		return c.input(v, here, f.name, 0)
	}
	if !c.is(v, here, f.typ, cue.ListKind) {
		return nil
	}
	var inputs []Input
	elements := elementsOf(v)
	for i, element := range elements {
		inputs = append(inputs, c.input(element, c.child(here, strconv.Itoa(i), element), f.name, i)...)
	}
	if len(elements) < f.typ.minItems {
		c.report(here.pos, here.String(), CodeRange, "want at least one port, have none", "")
	}
	return inputs
}

// input reads one reference to an output port.
func (c *checker) input(v cue.Value, at place, port string, index int) []Input {
	from, fromErr := v.LookupPath(fromPath).String()
	source, portErr := v.LookupPath(portPath).String()
	switch {
	case kindOf(v) != cue.StructKind:
		c.notPort(v, at)
		return nil
	case v.LookupPath(kindPath).Exists():
		c.wholeNode(v, at)
		return nil
	case fromErr != nil || portErr != nil && source == "" && v.LookupPath(portPath).Exists():
		c.notPort(v, at)
		return nil
	case portErr != nil:
		source = "out"
	}
	k, known := c.kinds[from]
	switch {
	case !known:
		c.report(at.pos, at.String(), CodeReference, fmt.Sprintf("no node named %q", from), didYouMean(from, c.names))
		return nil
	case k != nil && !slices.Contains(k.Outputs, source):
		c.report(at.pos, at.String(), CodePort, noPort(from, k, source), portHint(from, k, source))
		return nil
	}
	return []Input{{port, index, Ref{from, source}, at.pos}}
}

// notPort reports a value that is no reference to a port.
func (c *checker) notPort(v cue.Value, at place) {
	hint := ""
	switch kindOf(v) {
	case cue.BottomKind:
		c.reportCUE(v.Err())
		return
	case cue.TopKind:
		return // a mended reference
	case cue.StringKind:
		hint = "write the reference without quotes"
		if s, err := v.String(); err == nil && !strings.Contains(s, ".") {
			hint = `write the node and its port, such as read.out`
		}
	case cue.IntKind, cue.FloatKind, cue.NumberKind, cue.StructKind:
		hint = "the ports of a Split are its parts: split.parts.train"
	case cue.ListKind:
		hint = "a Union takes a list"
	}
	c.report(at.pos, at.String(), CodeNotPort,
		"an input takes an output port of a node, such as read.out; this is "+describe(v), hint)
}

func (c *checker) wholeNode(v cue.Value, at place) {
	name, hint := "read", ""
	kindName, _ := v.LookupPath(kindPath).String()
	if sel := c.referenceAt(v.Pos()); sel != "" {
		name = sel
	}
	if k := schema().byName[kindName]; k != nil && len(k.Outputs) > 0 {
		hint = "write " + name + "." + outputPath(k, k.Outputs[0])
	}
	c.report(at.pos, at.String(), CodeWholeNode, "an input takes an output port of a node, not the whole node", hint)
}

// referenceAt is the name written at a position, "" if it is no plain name.
func (c *checker) referenceAt(pos token.Pos) string {
	name := ""
	for _, f := range c.parsed {
		ast.Walk(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Pos() == pos && name == "" {
				name = id.Name
			}
			return name == ""
		}, nil)
	}
	return name
}

// outputPath is how a reference to a port continues after the node's name.
func outputPath(k *kind, port string) string {
	if f, ok := k.field("parts"); ok {
		if _, part := findField(f.typ.fields, port); part {
			return "parts." + port
		}
	}
	return port
}

func noPort(node string, k *kind, port string) string {
	if len(k.Outputs) == 0 {
		return fmt.Sprintf("node %q has no output ports: %s is a sink", node, k.Name)
	}
	return fmt.Sprintf("node %q has no output port %q", node, port)
}

// portHint names the nearest port of a node, or all of them.
func portHint(node string, k *kind, port string) string {
	if len(k.Outputs) == 0 {
		return ""
	}
	if near := closest(port, k.Outputs); near != "" {
		return fmt.Sprintf("did you mean %s.%s?", node, outputPath(k, near))
	}
	var ports []string
	for _, p := range k.Outputs {
		ports = append(ports, outputPath(k, p))
	}
	return "ports: " + strings.Join(ports, ", ")
}

// wordPort words the selection of something undefined, mostly a port that a
// node does not have. It reports false when the node's kind is unknown, for
// then so are its ports.
func (l *loader) wordPort(e errors.Error, d *Diagnostic) bool {
	sel := l.selectorAt(e)
	if sel == nil {
		return true
	}
	name := labelName(sel.Sel)
	pos := l.position(sel.Sel.Pos())
	d.Line, d.Col = pos.Line, pos.Col
	d.Message = fmt.Sprintf("nothing is named %q there", name)
	node := nodeBehind(sel.X)
	nodePath := cue.MakePath(cue.Str("graph"), cue.Str("nodes"), cue.Str(node), cue.Str("kind"))
	kindName, err := l.value.LookupPath(nodePath).String()
	if node == "" || err != nil {
		return true
	}
	k := schema().byName[kindName]
	if k == nil {
		return false
	}
	d.Code, d.Message, d.Hint = CodePort, noPort(node, k, name), portHint(node, k, name)
	return true
}

// selectorAt is the selector expression an "undefined field" error is about.
func (l *loader) selectorAt(e errors.Error) *ast.SelectorExpr {
	name := strings.TrimPrefix(messageOf(e), "undefined field: ")
	positions := append(errors.Positions(e), e.Position())
	var found *ast.SelectorExpr
	for _, file := range l.files {
		ast.Walk(l.parsed[cueName(file)], func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if ok && labelName(sel.Sel) == name &&
				(slices.Contains(positions, sel.Sel.Pos()) || slices.Contains(positions, sel.Pos())) {
				found = sel
			}
			return found == nil
		}, nil)
	}
	return found
}

// nodeBehind is the node an expression selects a port of: read, split.parts,
// nodes["read-en"], graph.nodes.read.
func nodeBehind(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if name := labelName(x.Sel); name != "parts" {
			return name
		}
		return nodeBehind(x.X)
	case *ast.IndexExpr:
		name, _ := stringOf(x.Index)
		return name
	}
	return ""
}
