package specs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cuelang.org/go/cue"
)

var testsPath = cue.ParsePath("tests")

// Test is a test of a graph, as its author wrote it and with defaults filled in.
type Test struct {
	Name       string
	Pos        Position
	Parameters map[string]string
	Limit      int64 // rows that each source reads; 0 is all
	Given      []PortRows
	Expect     []PortRows
	Mocks      []Mock
	Counts     []Counts
	Tolerance  float64            // largest difference of two numbers, relative to those above 1
	Tolerances map[string]float64 // of single columns
}

// PortRows are the rows that a test names for a port.
type PortRows struct {
	Ref // Port is empty for the rows that reach a sink
	// Key is how the test's field is called.
	Key  string
	Pos  Position
	Rows []TestRow
}

// TestRow is a row as a test writes it: a JSON object of some columns.
type TestRow struct {
	Pos  Position
	JSON json.RawMessage
}

// Mock stands in for a node in a test; one of Answers, File and Stub is set.
type Mock struct {
	Node    string
	Pos     Position
	Answers []TestRow
	File    string
	Stub    bool
}

// Counts are the numbers of rows that a test expects at a node; nil for those that
// it does not look at.
type Counts struct {
	Node                        string
	Pos                         Position
	In, Out, Filtered, Rejected *int64
}

// tests reads the tests of a graph, if there are any, once its nodes are known.
func (c *checker) tests(g *Graph) {
	root := c.loader.value.LookupPath(testsPath)
	if !root.Exists() {
		return
	}
	at := place{path: testsPath.Selectors(), pos: c.posOr(root, c.start())}
	c.value(root, at, schema().tests)
	c.each(root, at, func(name string, v cue.Value, at place) {
		g.Tests = append(g.Tests, c.test(name, v, at))
	})
}

// each calls do with the fields of a struct, in the author's order.
func (c *checker) each(v cue.Value, at place, do func(name string, v cue.Value, at place)) {
	for list, err := v.Fields(); err == nil && list.Next(); {
		do(list.Selector().Unquoted(), list.Value(), c.child(at, list.Selector(), list.Value()))
	}
}

// eachOf is each of a field, which may be absent.
func (c *checker) eachOf(v cue.Value, at place, field string, do func(name string, v cue.Value, at place)) {
	inner := v.LookupPath(cue.MakePath(cue.Str(field)))
	if inner.Exists() {
		c.each(inner, c.child(at, cue.Str(field), inner), do)
	}
}

// test reads a test that follows the schema.
func (c *checker) test(name string, v cue.Value, at place) Test {
	t := Test{Name: name, Pos: at.pos, Tolerances: map[string]float64{}, Parameters: map[string]string{}}
	c.decode(v, "limit", &t.Limit)
	c.decode(v, "tolerance", &t.Tolerance)
	c.decode(v, "tolerances", &t.Tolerances)
	c.decode(v, "parameters", &t.Parameters)
	c.eachOf(v, at, "given", func(key string, v cue.Value, at place) {
		if ref, ok := c.portNamed(key, at, false); ok {
			t.Given = append(t.Given, PortRows{ref, key, at.pos, c.testRows(v, at)})
		}
	})
	c.eachOf(v, at, "expect", func(key string, v cue.Value, at place) {
		if ref, ok := c.portNamed(key, at, true); ok {
			t.Expect = append(t.Expect, PortRows{ref, key, at.pos, c.testRows(v, at)})
		}
	})
	c.eachOf(v, at, "mocks", func(node string, v cue.Value, at place) {
		if c.nodeNamed(node, at) {
			t.Mocks = append(t.Mocks, c.mock(node, v, at))
		}
	})
	c.eachOf(v, at, "counts", func(node string, v cue.Value, at place) {
		if c.nodeNamed(node, at) {
			counts := Counts{Node: node, Pos: at.pos}
			for field, into := range map[string]**int64{"in": &counts.In, "out": &counts.Out, "filtered": &counts.Filtered, "rejected": &counts.Rejected} {
				c.decode(v, field, into)
			}
			t.Counts = append(t.Counts, counts)
		}
	})
	if !v.LookupPath(cue.ParsePath("expect")).Exists() && !v.LookupPath(cue.ParsePath("counts")).Exists() {
		c.report(at.pos, at.String(), CodeConfig, "the test looks at nothing", "give expect or counts")
	}
	return t
}

// decode reads a field that has been checked; one that is absent leaves into as it is.
func (c *checker) decode(v cue.Value, field string, into any) {
	text, err := v.LookupPath(cue.MakePath(cue.Str(field))).MarshalJSON()
	if err == nil {
		json.Unmarshal(text, into)
	}
}

// testRows reads the rows of a list.
func (c *checker) testRows(v cue.Value, at place) []TestRow {
	rows := []TestRow{}
	for i, element := range elementsOf(v) {
		if text, err := element.MarshalJSON(); err == nil { // otherwise it was reported
			rows = append(rows, TestRow{c.child(at, cue.Index(i), element).pos, text})
		}
	}
	return rows
}

func (c *checker) mock(node string, v cue.Value, at place) Mock {
	m := Mock{Node: node, Pos: at.pos}
	given := 0
	if answers := v.LookupPath(cue.ParsePath("answers")); answers.Exists() {
		m.Answers = c.testRows(answers, at)
		given++
	}
	if c.decode(v, "file", &m.File); m.File != "" {
		given++
	}
	if c.decode(v, "stub", &m.Stub); m.Stub {
		given++
	}
	if given != 1 {
		c.report(at.pos, at.String(), CodeConfig, "want one of answers, file and stub: true", "")
	}
	if k := c.kinds[node]; k != nil && (k.Role != "row" && k.Role != "batch" || !slices.Contains(k.Inputs, "in")) {
		hint := "give rows at its ports"
		if k.Role == "sink" {
			hint = "a test writes nothing: drop it"
		}
		c.report(at.pos, at.String(), CodeConfig, "a "+k.Name+" has no mock: those are for nodes that make rows of one row", hint)
	}
	return m
}

// nodeNamed reports whether the graph has a node, and complains if not.
func (c *checker) nodeNamed(name string, at place) bool {
	_, known := c.kinds[name]
	if !known {
		c.report(at.pos, at.String(), CodeReference, fmt.Sprintf("no node named %q", name), didYouMean(name, c.names))
	}
	return known
}

// portNamed reads "node.port", or "node" for its port out; a sink is named alone if
// the test may look at it.
func (c *checker) portNamed(key string, at place, sinks bool) (Ref, bool) {
	ref := Ref{Node: key, Port: "out"}
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		ref = Ref{key[:i], key[i+1:]}
	}
	if !c.nodeNamed(ref.Node, at) {
		return ref, false
	}
	k := c.kinds[ref.Node]
	switch {
	case k == nil:
		return ref, false // of an unknown kind, which was reported
	case sinks && len(k.Outputs) == 0 && key == ref.Node:
		return Ref{Node: key}, true
	case !slices.Contains(k.Outputs, ref.Port):
		c.report(at.pos, at.String(), CodePort, noPort(ref.Node, k, ref.Port), portHint(ref.Node, k, ref.Port))
		return ref, false
	}
	return ref, true
}

// testFile is where the tests of a graph's file stand: graph_test.cue for graph.cue.
func testFile(file string) string {
	return strings.TrimSuffix(file, filepath.Ext(file)) + "_test.cue"
}

// addTests takes in the test files: of a package all of them, else that of the
// graph's file.
func (s *source) addTests() *Diagnostic {
	s.tests = true
	files := []string{testFile(s.files[0])}
	if s.pkg != "" {
		files, _ = filepath.Glob(filepath.Join(globEscape(s.dir), "*_test.cue"))
	}
	for _, file := range files {
		if _, err := os.Stat(file); err != nil || s.pkg != packageOf(file) && s.pkg != "" {
			continue
		}
		text, err := readText(file)
		if err != nil {
			d := At(Position{File: s.display(file)}, "", CodeNoFile, err.Error(), "")
			return &d
		}
		s.files, s.text[file] = append(s.files, file), text
	}
	return nil
}
