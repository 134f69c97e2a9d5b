package specs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cuelang.org/go/cue"
)

// Paths that are looked up often.
var (
	graphPath = cue.ParsePath("graph")
	runPath   = cue.ParsePath("run")
	nodesPath = cue.ParsePath("nodes")
	kindPath  = cue.ParsePath("kind")
	docPath   = cue.ParsePath("doc")
	fromPath  = cue.ParsePath("from")
	portPath  = cue.ParsePath("port")
)

// checker compares evaluated values with the definitions they should follow
// and reads them into a Graph.
type checker struct {
	*loader
	kinds map[string]*kind // of the graph's nodes; nil for a kind that is not known
	names []string         // of the graph's nodes, in order
}

// check reads the graph out of an evaluated file and reports what the schema
// does not allow in it.
func (l *loader) check() *Graph {
	c := &checker{loader: l, kinds: map[string]*kind{}}
	root := l.value.LookupPath(graphPath)
	if !root.Exists() {
		if !l.ds.Failed() {
			l.report(l.start(), "", CodeNoGraph, "no field named graph", "write graph: specs.#Graph & {…}")
		}
		return nil
	}
	if !root.LookupPath(runPath).Exists() {
		l.report(c.posOr(root, l.start()), "graph", CodeNoGraph, "graph is not a specs.#Graph", "write graph: specs.#Graph & {…}")
		return nil
	}
	g := &Graph{File: l.path, Source: l.sourceText(), Silence: map[string]map[string]string{}}
	for _, file := range l.files {
		g.Files = append(g.Files, l.display(file))
	}
	c.settings(root, g)
	c.nodes(root.LookupPath(nodesPath), g)
	c.silences(root, g)
	c.tests(g)
	return g
}

// settings reads the fields of the graph itself.
func (c *checker) settings(root cue.Value, g *Graph) {
	body := c.structure(root, place{path: graphPath.Selectors(), pos: c.posOr(root, c.start())}, schema().graph)
	var read struct {
		APIVersion      string `json:"apiVersion"`
		Name, Doc, Mode string
		Run             Run
	}
	if err := json.Unmarshal(body, &read); err == nil { // a failure has been reported by field
		g.APIVersion, g.Name, g.Doc, g.Mode, g.Run = read.APIVersion, read.Name, read.Doc, read.Mode, read.Run
	}
}

// nodeName is what a node may be called: reports, metrics and references of
// the form "node.port" use the name.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*$`)

// nodes reads the nodes, once the kinds of all are known.
func (c *checker) nodes(nodes cue.Value, g *Graph) {
	list, err := nodes.Fields()
	if err != nil {
		return // not a struct, or absent: reported with the graph's fields
	}
	type entry struct {
		name  string
		value cue.Value
	}
	var entries []entry
	for list.Next() {
		name := list.Selector().Unquoted()
		entries = append(entries, entry{name, list.Value()})
		c.names = append(c.names, name)
		kindName, _ := list.Value().LookupPath(kindPath).String()
		c.kinds[name] = schema().byName[kindName]
	}
	for _, e := range entries {
		if n, ok := c.node(e.name, e.value); ok {
			g.Nodes = append(g.Nodes, n)
		}
	}
}

// node reads one node.
func (c *checker) node(name string, v cue.Value) (Node, bool) {
	at := place{path: cue.MakePath(cue.Str("graph"), cue.Str("nodes"), cue.Str(name)).Selectors(), pos: c.posOr(v, c.start())}
	if !nodeName.MatchString(name) {
		c.report(at.pos, at.String(), CodeNodeName, fmt.Sprintf("%q is no name for a node", name), "use letters, digits, hyphens and underscores")
	}
	k := c.kind(v, at)
	if k == nil {
		return Node{}, false
	}
	n := Node{Name: name, Kind: k.Name, Pos: at.pos, fields: map[string]Position{}}
	n.Doc, _ = v.LookupPath(docPath).String()
	at.seen = n.fields
	n.Config = c.structure(v, at, k.fields)
	for _, f := range k.fields {
		if f.input() {
			n.Inputs = append(n.Inputs, c.inputs(v, at, f)...)
		}
	}
	return n, true
}

// kind finds the kind of a node or reports why it has none.
func (c *checker) kind(v cue.Value, at place) *kind {
	field := v.LookupPath(kindPath)
	if !field.Exists() {
		hint := "write " + at.name() + ": specs.#Filter & {…}, with the definition of the kind"
		if c.isData() {
			hint = "give it a kind, such as Filter"
		}
		if kindOf(v) == cue.StructKind {
			c.report(at.pos, at.String(), CodeKind, "the node has no kind", hint)
		} else if v.Err() == nil && !c.mended {
			c.report(at.pos, at.String(), CodeType, fmt.Sprintf("want a node, have %s", describe(v)), hint)
		}
		return nil
	}
	name, err := field.String()
	if err != nil || name == unknownKind {
		return nil // conflicting kinds, reported by CUE
	}
	k, ok := schema().byName[name]
	if !ok {
		c.report(c.posOr(field, at.pos), at.String(), CodeKind, fmt.Sprintf("no kind %q", name), kindHint(name))
	}
	return k
}

// kindHint names the kind nearest to a misspelt one, or where to find them.
func kindHint(name string) string {
	var names []string
	for _, k := range schema().kinds {
		names = append(names, k.Name)
	}
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	return "penstock nodes lists the kinds"
}

// silences reads which lints the graph keeps quiet, and why.
func (c *checker) silences(root cue.Value, g *Graph) {
	v := root.LookupPath(cue.ParsePath("silence"))
	if !v.Exists() {
		return
	}
	lints := slices.DeleteFunc(Codes(), func(code string) bool { return !strings.HasPrefix(code, "W") })
	c.each(v, place{path: cue.ParsePath("graph.silence").Selectors(), pos: c.posOr(v, c.start())}, func(node string, v cue.Value, at place) {
		if !c.nodeNamed(node, at) {
			return
		}
		reasons := map[string]string{}
		c.each(v, at, func(code string, v cue.Value, at place) {
			reason, _ := v.String() // otherwise it was reported
			if !slices.Contains(lints, code) {
				c.report(at.pos, at.String(), CodeEnum, fmt.Sprintf("no lint has the code %q", code), "lints: "+strings.Join(lints, ", "))
			}
			reasons[code] = reason
		})
		g.Silence[node] = reasons
	})
}
