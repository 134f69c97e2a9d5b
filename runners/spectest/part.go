package spectest

import (
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/graphs"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// part is the part of a graph that a test runs.
type part struct {
	graph *specs.Graph
	kinds map[string]transforms.Kind // of given rows and mocks, by node
}

// newPart cuts a graph down to what leads from the given rows to what the test looks
// at. It is a batch, whatever the graph is, and may reject all its rows.
func newPart(g *specs.Graph, t *specs.Test) (*part, error) {
	c := cutter{graph: g, test: t, columns: graphs.Columns(g), done: map[string]bool{}}
	c.part = &part{kinds: map[string]transforms.Kind{}}
	cut := *g
	cut.Mode, cut.Run.MaxRejects = "batch", 1
	c.part.graph = &cut
	cut.Nodes = nil
	for _, want := range t.Expect {
		if err := c.add(want.Ref); err != nil {
			return nil, err
		}
	}
	for _, want := range t.Counts {
		if c.isGiven(want.Node) {
			return nil, mistaken(want.Pos, "%s does not run, for the test gives the rows that leave it", want.Node)
		}
		if err := c.add(specs.Ref{Node: want.Node}); err != nil {
			return nil, err
		}
	}
	// In the order of the graph, by which the rows of several sources are ordered.
	slices.SortStableFunc(cut.Nodes, func(a, b specs.Node) int { return c.place(a.Name) - c.place(b.Name) })
	return c.part, c.addMocks()
}

// cutter makes a part.
type cutter struct {
	graph   *specs.Graph
	test    *specs.Test
	part    *part
	columns map[graphs.PortRef]*data.Schema // of the graph, as far as they are known
	done    map[string]bool                 // nodes of the part
}

// isGiven reports whether rows are given at a port of a node.
func (c *cutter) isGiven(node string) bool {
	return slices.ContainsFunc(c.test.Given, func(p specs.PortRows) bool { return p.Node == node })
}

// place is where a node, or the one whose port is given, stands in the graph.
func (c *cutter) place(name string) int {
	for i := range c.graph.Nodes {
		n := &c.graph.Nodes[i]
		if n.Name == name || len(name) > len(n.Name) && name[:len(n.Name)+1] == n.Name+"." {
			return i
		}
	}
	return len(c.graph.Nodes)
}

// add puts a node and all that it needs into the part.
func (c *cutter) add(ref specs.Ref) error {
	if c.isGiven(ref.Node) {
		return c.addGiven(ref)
	}
	if c.done[ref.Node] {
		return nil
	}
	c.done[ref.Node] = true
	from, ok := c.graph.Node(ref.Node)
	if !ok {
		return mistaken(c.test.Pos, "the parameters of the test leave no node %s", ref.Node)
	}
	if len(from.Inputs) == 0 && c.graph.Mode == "stream" {
		return mistaken(c.test.Pos, "node %s takes events: give rows at %s.out", ref.Node, ref.Node)
	}
	n := *from
	n.Inputs = slices.Clone(n.Inputs)
	for i, in := range n.Inputs {
		if err := c.add(in.From); err != nil {
			return err
		}
		if c.isGiven(in.From.Node) {
			n.Inputs[i].From = specs.Ref{Node: in.From.String(), Port: transforms.Out}
		}
	}
	c.part.graph.Nodes = append(c.part.graph.Nodes, n)
	return nil
}

// addGiven puts a source of the rows that leave a port into the part; its name is the
// port's, which no node of a graph can have.
func (c *cutter) addGiven(ref specs.Ref) error {
	name := ref.String()
	if c.done[name] {
		return nil
	}
	c.done[name] = true
	given := specs.PortRows{Ref: ref, Pos: c.test.Pos}
	if i := slices.IndexFunc(c.test.Given, func(p specs.PortRows) bool { return p.Ref == ref }); i >= 0 {
		given = c.test.Given[i]
	}
	n, ok := c.graph.Node(ref.Node)
	if !ok {
		return mistaken(given.Pos, "the parameters of the test leave no node %s", ref.Node)
	}
	source, err := newGiven(given, n, c.columns[ref])
	if err != nil {
		return err
	}
	c.part.kinds[name] = source.kind()
	c.part.graph.Nodes = append(c.part.graph.Nodes, specs.Node{Name: name, Kind: n.Kind, Pos: given.Pos, Config: []byte("{}")})
	return nil
}

func (c *cutter) addMocks() error {
	for _, m := range c.test.Mocks {
		n, ok := c.part.graph.Node(m.Node)
		if !ok {
			return mistaken(m.Pos, "%s does not run in this test: it needs no mock", m.Node)
		}
		kind, ok := transforms.Lookup(n.Kind)
		if !ok {
			continue // the plan says so
		}
		mocked, err := mockKind(kind, m)
		if err != nil {
			return err
		}
		c.part.kinds[m.Node] = mocked
	}
	return nil
}

// lines are the texts of rows.
func lines(rows []specs.TestRow) [][]byte {
	all := make([][]byte, len(rows))
	for i, r := range rows {
		all[i] = r.JSON
	}
	return all
}

// keysOf lists the columns that rows name, with the types that their values show.
func keysOf(rows []specs.TestRow) []data.Field {
	fields, _ := jsonl.Infer(lines(rows))
	return fields
}
