package graphs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Builder makes a graph in Go. It is equal to writing CUE: the same kinds and
// fields, the same defaults, the same checks; what is wrong is reported at the
// line of the Go program that added the node.
//
//	b := graphs.NewBuilder("essays")
//	read := b.Add("read", "ReadParquet", graphs.Fields{"path": "essays.parquet"})
//	score := b.Add("score", "Lastde", graphs.Fields{"in": read.Out(), "model": "pocket"})
//	b.Add("save", "WriteParquet", graphs.Fields{"in": score.Out(), "path": "scores.parquet"})
//	plan, diagnostics := b.Plan()
type Builder struct {
	graph map[string]any
	nodes map[string]any
	lines map[string]specs.Position // of the nodes, by name
	start specs.Position
	twice specs.Diagnostics
}

// Fields are the fields of a node by their names in the schema. The value of an
// input is a [Port], or a slice of them where the kind takes several.
type Fields map[string]any

// NodeRef is a node that was added to a builder.
type NodeRef struct{ name string }

// Port is an output port of a node.
type Port struct {
	From string `json:"from"`
	Port string `json:"port"`
}

// Out is the node's output port "out".
func (n NodeRef) Out() Port { return n.Port(transforms.Out) }

// Rejects is the node's output port "rejects".
func (n NodeRef) Rejects() Port { return n.Port(transforms.Rejects) }

// Port is the named output port of the node.
func (n NodeRef) Port(name string) Port { return Port{n.name, name} }

// NewBuilder begins a graph.
func NewBuilder(name string) *Builder {
	nodes := map[string]any{}
	return &Builder{
		graph: map[string]any{"name": name, "nodes": nodes},
		nodes: nodes,
		lines: map[string]specs.Position{},
		start: caller(),
	}
}

// Set gives the graph itself a field, such as "run" or "mode".
func (b *Builder) Set(field string, value any) { b.graph[field] = value }

// Add adds a node of a kind.
func (b *Builder) Add(name, kind string, fields Fields) NodeRef {
	if first, taken := b.lines[name]; taken {
		b.twice = append(b.twice, specs.At(caller(), "graph.nodes."+name, specs.CodeTwice,
			fmt.Sprintf("a node of this name was added at %s", first), ""))
		return NodeRef{name}
	}
	node := map[string]any{"kind": kind}
	for field, value := range fields {
		node[field] = value
	}
	b.nodes[name] = node
	b.lines[name] = caller()
	return NodeRef{name}
}

// Plan checks the graph as [NewPlan] does for a file.
func (b *Builder) Plan() (*Plan, specs.Diagnostics) {
	text, err := json.MarshalIndent(b.graph, "", "  ")
	if err != nil {
		return nil, specs.Diagnostics{specs.At(b.start, "graph", specs.CodeType, err.Error(), "")}
	}
	p, ds := planLoaded(specs.Parse("graph.json", text, specs.Options{}))
	if p != nil {
		p.Graph.File = b.start.File
	}
	for i := range ds {
		b.relocate(&ds[i])
	}
	ds = append(ds, b.twice...).Sorted()
	if ds.Failed() {
		return nil, ds
	}
	return p, ds
}

// relocate moves a diagnostic from the JSON that stands for the graph to the Go
// program.
func (b *Builder) relocate(d *specs.Diagnostic) {
	at := b.start
	if rest, ok := strings.CutPrefix(d.Path, "graph.nodes."); ok {
		name, _, _ := strings.Cut(rest, ".")
		if line, ok := b.lines[name]; ok {
			at = line
		}
	}
	d.File, d.Line, d.Col = at.File, at.Line, at.Col
}

// caller is the line outside this file that called into it.
func caller() specs.Position {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return specs.Position{File: "go"}
	}
	return specs.Position{File: filepath.Base(file), Line: line, Col: 1}
}
