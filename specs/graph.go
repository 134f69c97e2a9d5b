package specs

import (
	"encoding/json"
	"strings"
)

// Graph is a graph as its author wrote it, checked against the schema and with
// defaults filled in. It holds plain values: nothing of CUE outlives a load.
type Graph struct {
	File       string // the file that was loaded, or the folder
	APIVersion string
	Name       string
	Doc        string
	Mode       string // "batch" or "stream"
	Run        Run
	Nodes      []Node                       // in the order of the file
	Silence    map[string]map[string]string // reasons to silence lints, by node and code
	Tests      []Test                       // in the order of the file
	Source     []byte                       // text of the author's files, for provenance
	Files      []string                     // the author's files
}

// Run holds the settings that belong to the whole graph.
type Run struct {
	MaxRejects float64 `json:"maxRejects"` // share of rows, 0 to 1
	Seed       int64   `json:"seed"`
}

// Node is a step of a graph.
type Node struct {
	Name string
	Kind string // name of the definition, without #
	Doc  string
	// Config is a JSON object of the node's fields in the order of the schema:
	// all but ports, kind and doc, with defaults filled in. Optional fields
	// that the author left out are absent.
	Config json.RawMessage
	Inputs []Input // in the order of the schema
	Pos    Position

	fields map[string]Position // of the author's fields, by path joined with dots
}

// Input is an edge that enters a node.
type Input struct {
	Port  string // name of the input port
	Index int    // place in a port that takes a list (Union), else 0
	From  Ref
	Pos   Position
}

// Ref names an output port of a node.
type Ref struct {
	Node string
	Port string
}

// String is the reference as a graph writes it: "read.out".
func (r Ref) String() string { return r.Node + "." + r.Port }

// FieldPos is the position of the value the author gave to a field of the
// node, such as FieldPos("columns", "score") or FieldPos("in"). A field that
// the author left to its default has the position of what holds it, in the end
// the node's.
func (n *Node) FieldPos(path ...string) Position {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if pos, ok := n.fields[strings.Join(path, ".")]; ok {
			return pos
		}
	}
	return n.Pos
}

// Node finds a node by name.
func (g *Graph) Node(name string) (*Node, bool) {
	for i := range g.Nodes {
		if g.Nodes[i].Name == name {
			return &g.Nodes[i], true
		}
	}
	return nil, false
}
