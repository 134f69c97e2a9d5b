package specs

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/literal"
)

// inputs reads an input port of a node, or a list of them.
func (c *checker) inputs(node cue.Value, at place, f *field) []Input {
	v := node.LookupPath(cue.MakePath(cue.Str(f.name)))
	if !v.Exists() {
		if f.required {
			c.missing(at, f)
		}
		return nil
	}
	here := c.child(at, cue.Str(f.name), v)
	if f.typ.form != listForm {
		return c.input(v, here, f.name, 0)
	}
	if kindOf(v) == cue.StructKind {
		c.report(here.pos, here.String(), CodeNotPort, "the input takes a list of ports", "write ["+c.textOr(v, "read.out")+"]")
		return nil
	}
	if !c.is(v, here, f.typ, cue.ListKind) {
		return nil
	}
	var inputs []Input
	elements := elementsOf(v)
	for i, element := range elements {
		inputs = append(inputs, c.input(element, c.child(here, cue.Index(i), element), f.name, i)...)
	}
	if len(elements) < f.typ.minItems {
		c.report(here.pos, here.String(), CodeRange, "want at least one port, have none", "")
	}
	return inputs
}

// input reads one reference to an output port.
func (c *checker) input(v cue.Value, at place, port string, index int) []Input {
	from, output := v.LookupPath(fromPath), v.LookupPath(portPath)
	switch {
	case kindOf(v) != cue.StructKind:
		c.notPort(v, at)
		return nil
	case v.LookupPath(kindPath).Exists():
		c.wholeNode(v, at)
		return nil
	case !from.Exists() && output.Exists():
		c.report(at.pos, at.String(), CodeMissing, "the input is not connected", "give the template a port, such as read.out")
		return nil
	}
	ref := Ref{Port: "out"}
	var err error
	if ref.Node, err = from.String(); err != nil {
		c.notPort(v, at)
		return nil
	}
	if output.Exists() {
		if ref.Port, err = output.String(); err != nil {
			c.notPort(v, at)
			return nil
		}
	}
	k, known := c.kinds[ref.Node]
	switch {
	case !known:
		c.report(at.pos, at.String(), CodeReference, fmt.Sprintf("no node named %q", ref.Node), didYouMean(ref.Node, c.names))
		return nil
	case k != nil && !slices.Contains(k.Outputs, ref.Port):
		c.report(at.pos, at.String(), CodePort, noPort(ref.Node, k, ref.Port), portHint(ref.Node, k, ref.Port))
		return nil
	}
	return []Input{{port, index, ref, at.pos}}
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
	case cue.ListKind:
		hint = "a Union takes a list"
	}
	c.report(at.pos, at.String(), CodeNotPort,
		"an input takes an output port of a node, such as read.out; this is "+describe(v), hint)
}

func (c *checker) wholeNode(v cue.Value, at place) {
	hint := ""
	kindName, _ := v.LookupPath(kindPath).String()
	if k := schema().byName[kindName]; k != nil && len(k.Outputs) > 0 {
		hint = "write " + c.textOr(v, "read") + "." + k.Outputs[0]
	}
	c.report(at.pos, at.String(), CodeWholeNode, "an input takes an output port of a node, not the whole node", hint)
}

// textOr is the reference that stands at a value's position if it starts with
// the name of a node, else an example.
func (c *checker) textOr(v cue.Value, example string) string {
	text := ""
	for _, f := range c.trees() {
		ast.Walk(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if ok && text == "" && e.Pos() == v.Pos() && baseIdent(e) != nil && slices.Contains(c.names, baseIdent(e).Name) {
				if b, err := format.Node(e); err == nil {
					text = string(b)
				}
			}
			return text == ""
		}, nil)
	}
	if text == "" {
		return example
	}
	return text
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
		return fmt.Sprintf("did you mean %s.%s?", node, near)
	}
	return "ports: " + strings.Join(k.Outputs, ", ")
}

// wordPort words the selection of something undefined, mostly a port that a
// node does not have. It reports false when the node's kind is unknown, for
// then so are its ports.
func (l *loader) wordPort(e errors.Error, d *Diagnostic) bool {
	sel := l.selectorAt(e)
	if sel == nil {
		l.wordIndex(e, d)
		return true
	}
	name := labelName(sel.Sel)
	pos := l.position(sel.Sel.Pos())
	d.Line, d.Col = pos.Line, pos.Col
	d.Message = fmt.Sprintf("nothing is named %q there", name)
	node := nodeBehind(sel.X)
	kindName, err := l.value.LookupPath(kindPathOf(node)).String()
	if node == "" || err != nil {
		return true
	}
	k := schema().byName[kindName]
	if k == nil {
		return false
	}
	if taker := l.kindOfNode(e.Path()); taker != nil && isIdent(sel.X, node) && taker.has(node) {
		d.Code, d.Message = CodePort, fmt.Sprintf("%s is here the field of #%s, which hides the node of that name", node, taker.Name)
		d.Hint = fmt.Sprintf("write graph.nodes.%s.%s, or give the node another name", node, name)
		return true
	}
	if slices.Contains(k.Outputs, name) {
		d.Code, d.Message = CodePort, fmt.Sprintf("node %q has no ports, for it sets its kind without the definition", node)
		d.Hint = fmt.Sprintf("write %s: specs.#%s & {…}", node, k.Name)
		return true
	}
	d.Code, d.Message, d.Hint = CodePort, noPort(node, k, name), portHint(node, k, name)
	return true
}

func kindPathOf(node string) cue.Path {
	return cue.MakePath(cue.Str("graph"), cue.Str("nodes"), cue.Str(node), cue.Str("kind"))
}

// kindOfNode is the kind of the node in which a path ends, nil if there is none.
func (l *loader) kindOfNode(path []string) *kind {
	if len(path) < nodeDepth || path[1] != "nodes" {
		return nil
	}
	name, _ := l.value.LookupPath(kindPathOf(path[2])).String()
	return schema().byName[name]
}

// wordIndex words the selection of a node by index, as in graph.nodes["read"].
func (l *loader) wordIndex(e errors.Error, d *Diagnostic) {
	name := undefinedName(e)
	nodes, err := l.value.LookupPath(cue.MakePath(cue.Str("graph"), cue.Str("nodes"))).Fields()
	if path := e.Path(); err != nil || len(path) <= nodeDepth || path[1] != "nodes" {
		return
	}
	var names []string
	for nodes.Next() {
		names = append(names, selectorName(nodes.Selector()))
	}
	d.Message, d.Hint = fmt.Sprintf("no node named %q", name), didYouMean(name, names)
}

// undefinedName is the name an "undefined field" error is about.
func undefinedName(e errors.Error) string {
	name := strings.TrimPrefix(messageOf(e), "undefined field: ")
	if unquoted, err := literal.Unquote(name); err == nil {
		return unquoted
	}
	return name
}

// selectorAt is the selector expression an "undefined field" error is about.
func (l *loader) selectorAt(e errors.Error) *ast.SelectorExpr {
	name := undefinedName(e)
	positions := append(errors.Positions(e), e.Position())
	var found *ast.SelectorExpr
	for _, f := range l.trees() {
		ast.Walk(f, func(n ast.Node) bool {
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

// nodeBehind is the node an expression selects a port of: read,
// nodes["read-en"], graph.nodes.read.
func nodeBehind(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return labelName(x.Sel)
	case *ast.IndexExpr:
		name, _ := stringOf(x.Index)
		return name
	}
	return ""
}
