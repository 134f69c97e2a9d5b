package graphs

import (
	"fmt"

	"penstock.dev/data"
	"penstock.dev/graphs/draw"
	"penstock.dev/transforms"
)

// Drawing is the picture of a plan; counts, when given, appear on its nodes and
// edges.
func Drawing(p *Plan, counts []NodeCounts) draw.Graph {
	g := draw.Graph{Name: p.Graph.Name}
	byNode := map[string]NodeCounts{}
	for _, c := range counts {
		byNode[c.Node] = c
	}
	for _, n := range p.Nodes {
		node := draw.Node{Name: n.Name, Kind: n.Kind.Name, Role: n.Role()}
		if c, ok := byNode[n.Name]; ok {
			node.Notes, node.State = countNotes(c)
		}
		g.Nodes = append(g.Nodes, node)
		for _, in := range n.Inputs {
			g.Edges = append(g.Edges, drawnEdge(p, n, in, byNode))
		}
	}
	return g
}

func drawnEdge(p *Plan, n *PlanNode, in PlanInput, counts map[string]NodeCounts) draw.Edge {
	e := draw.Edge{
		From: in.From.Node, FromPort: in.From.Port, To: n.Name, ToPort: in.Port,
		Columns: in.Schema.Names(), Records: -1, Rejects: in.From.Port == transforms.Rejects,
	}
	if from, ok := p.Node(in.From.Node); ok && from.Input() != nil {
		e.Added = added(from.Input(), in.Schema)
	}
	if c, ok := counts[in.From.Node]; ok {
		e.Records = c.Emitted[in.From.Port]
	}
	return e
}

// added are the columns of out that in does not have.
func added(in, out *data.Schema) []string {
	names := []string{}
	for _, name := range out.Names() {
		if in.Index(name) < 0 {
			names = append(names, name)
		}
	}
	return names
}

func countNotes(c NodeCounts) (notes []string, state string) {
	state = "ok"
	notes = append(notes, fmt.Sprintf("%d rows", c.In))
	if c.Filtered > 0 {
		notes = append(notes, fmt.Sprintf("%d filtered", c.Filtered))
	}
	if c.Rejected > 0 {
		notes = append(notes, fmt.Sprintf("%d rejected", c.Rejected))
		state = "warn"
	}
	return notes, state
}
