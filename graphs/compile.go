package graphs

import (
	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"penstock.dev/transforms"
)

// maxBranches bounds how often the nodes behind a Union are laid out: beyond
// it the branches are flattened, which costs memory instead.
const maxBranches = 16

// Pipeline lays out the plan. It is called once.
func (e *Execution) Pipeline() *beam.Pipeline {
	p, s := beam.NewPipelineWithRoot()
	c := compiler{
		execution: e,
		root:      s,
		impulse:   beam.Impulse(s),
		branches:  map[PortRef][]beam.PCollection{},
	}
	for _, n := range e.plan.Nodes {
		c.node(s.Scope(n.Name), n)
	}
	c.end()
	return p
}

// compiler walks the plan once, in topological order.
type compiler struct {
	execution *Execution
	root      beam.Scope
	impulse   beam.PCollection
	branches  map[PortRef][]beam.PCollection // of every output port so far
	ends      []beam.PCollection
}

func (c *compiler) node(s beam.Scope, n *PlanNode) {
	at := c.at(n.Name)
	switch n.Impl.(type) {
	case transforms.Source:
		c.outputs(n, [][]beam.PCollection{c.read(s, at)})
	case transforms.Unbounded:
		out := pardo(s, &subscribeFn{at}, c.impulse)
		c.ends = append(c.ends, out[maxPorts-1])
		c.outputs(n, [][]beam.PCollection{out})
	case transforms.StreamSink:
		for number, branch := range c.inputs(s, n) {
			out := pardo(s, &storeFn{branchFn{place: at, Branch: number}}, branch)
			c.ends = append(c.ends, out[maxPorts-1])
		}
	case transforms.StreamCombiner:
		var outs [][]beam.PCollection
		for number, branch := range c.inputs(s, n) {
			outs = append(outs, pardo(s, &accumulateFn{branchFn{place: at, Branch: number}}, branch))
		}
		c.outputs(n, outs)
	case transforms.Row:
		var outs [][]beam.PCollection
		for _, branch := range c.inputs(s, n) {
			out := pardo(s, &rowFn{place: at}, branch)
			if c.execution.Remote { // where its last port has statements
				c.ends = append(c.ends, out[maxPorts-1])
			}
			outs = append(outs, out)
		}
		c.outputs(n, outs)
	default:
		c.outputs(n, [][]beam.PCollection{c.gather(s, n)})
	}
	if n.KeepsRejects() {
		c.keepRejects(s, n)
	}
}

// at is a place of the run.
func (c *compiler) at(node string) place {
	at := place{Execution: c.execution.ID, Node: node}
	if c.execution.Remote {
		at.Folder = c.execution.Work
	}
	return at
}

// read lays out a source. Other processes share its splits out among them, unless
// there is a limit to the rows, which one has to count.
func (c *compiler) read(s beam.Scope, at place) []beam.PCollection {
	listed := pardo(s, &splitFn{at}, c.impulse)
	splits := listed[0]
	if c.execution.Remote && c.execution.Limit == 0 {
		splits = beam.Reshuffle(s, splits)
	}
	out := pardo(s, &readFn{place: at}, splits)
	c.ends = append(c.ends, listed[maxPorts-1], out[maxPorts-1])
	return out
}

// gather lays out a node that needs all of its input: a gathering DoFn for each
// branch of each input, one GroupByKey, the finishing DoFn.
func (c *compiler) gather(s beam.Scope, n *PlanNode) []beam.PCollection {
	var branches []portBranch
	for _, in := range n.Inputs {
		for _, branch := range c.input(s, in) {
			branches = append(branches, portBranch{in.Port, branch})
		}
	}
	outs := c.finish(s, n.Name, branches)
	c.ends = append(c.ends, outs[maxPorts-1])
	return outs
}

// keepRejects writes the rejects that the graph does not use beside the output.
func (c *compiler) keepRejects(s beam.Scope, n *PlanNode) {
	outs := c.finish(s.Scope("rejects"), rejectsOf(n.Name), on(transforms.In, c.branches[PortRef{Node: n.Name, Port: transforms.Rejects}]))
	c.ends = append(c.ends, outs[maxPorts-1])
}

// portBranch is a collection that leads to a port.
type portBranch struct {
	port   string
	branch beam.PCollection
}

// on are branches that lead to one port.
func on(port string, branches []beam.PCollection) (all []portBranch) {
	for _, branch := range branches {
		all = append(all, portBranch{port, branch})
	}
	return all
}

func (c *compiler) finish(s beam.Scope, node string, branches []portBranch) []beam.PCollection {
	gathered := []beam.PCollection{beam.AddFixedKey(s, c.impulse)}
	for i, b := range branches {
		gathered = append(gathered, beam.ParDo(s, &gatherFn{place: c.at(node), Port: b.port, Branch: i}, b.branch))
	}
	return pardo(s, &finishFn{c.at(node)}, beam.GroupByKey(s, beam.Flatten(s, gathered...)))
}

// inputs are the branches of records that reach the node.
func (c *compiler) inputs(s beam.Scope, n *PlanNode) (all []beam.PCollection) {
	for _, in := range n.Inputs {
		all = append(all, c.input(s, in)...)
	}
	return all
}

// input is the branches of records that reach an input port.
func (c *compiler) input(s beam.Scope, in PlanInput) []beam.PCollection {
	branches := c.branches[in.From]
	if len(branches) > maxBranches && !c.execution.plan.Stream() { // a record must not leave the stage of its event
		return []beam.PCollection{beam.Flatten(s, branches...)}
	}
	return branches
}

// outputs notes the collections of a node's output ports.
func (c *compiler) outputs(n *PlanNode, outs [][]beam.PCollection) {
	for i, port := range n.Kind.Outputs {
		for _, branch := range outs {
			ref := PortRef{Node: n.Name, Port: port}
			c.branches[ref] = append(c.branches[ref], branch[i])
		}
	}
}

// end joins the last output of every source and finishing DoFn, a port that no
// kind has. There are always two or more, for a Flatten of one collection would
// vanish: a source has two. Where other processes do the work, that port has the
// statements, which are gathered.
func (c *compiler) end() {
	if c.execution.Remote {
		c.finish(c.root.Scope("accounts"), accountsNode, on(transforms.In, c.ends))
		return
	}
	beam.Flatten(c.root, c.ends...)
}

func pardo(s beam.Scope, fn any, in beam.PCollection) []beam.PCollection {
	p0, p1, p2, p3 := beam.ParDo4(s, fn, in)
	return []beam.PCollection{p0, p1, p2, p3}
}
