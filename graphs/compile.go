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
	id, name := c.execution.ID, n.Name
	switch n.Impl.(type) {
	case transforms.Source:
		out := pardo(s, &sourceFn{Execution: id, Node: name}, c.impulse)
		c.ends = append(c.ends, out[maxPorts-1])
		c.outputs(n, [][]beam.PCollection{out})
	case transforms.Unbounded:
		out := pardo(s, &subscribeFn{Execution: id, Node: name}, c.impulse)
		c.ends = append(c.ends, out[maxPorts-1])
		c.outputs(n, [][]beam.PCollection{out})
	case transforms.StreamSink:
		for number, branch := range c.inputs(s, n) {
			out := pardo(s, &storeFn{branchFn{Execution: id, Node: name, Branch: number}}, branch)
			c.ends = append(c.ends, out[maxPorts-1])
		}
	case transforms.StreamCombiner:
		var outs [][]beam.PCollection
		for number, branch := range c.inputs(s, n) {
			outs = append(outs, pardo(s, &accumulateFn{branchFn{Execution: id, Node: name, Branch: number}}, branch))
		}
		c.outputs(n, outs)
	case transforms.Row:
		var outs [][]beam.PCollection
		for _, branch := range c.inputs(s, n) {
			outs = append(outs, pardo(s, &rowFn{Execution: id, Node: name}, branch))
		}
		c.outputs(n, outs)
	default:
		c.outputs(n, [][]beam.PCollection{c.gather(s, n)})
	}
	if n.KeepsRejects() {
		c.keepRejects(s, n)
	}
}

// gather lays out a node that needs all of its input: a gathering DoFn for each
// branch of each input, one GroupByKey, the finishing DoFn.
func (c *compiler) gather(s beam.Scope, n *PlanNode) []beam.PCollection {
	id, name := c.execution.ID, n.Name
	gathered := []beam.PCollection{beam.AddFixedKey(s, c.impulse)}
	for _, in := range n.Inputs {
		for _, branch := range c.input(s, in) {
			gathered = append(gathered, beam.ParDo(s, &gatherFn{Execution: id, Node: name, Port: in.Port}, branch))
		}
	}
	return c.finish(s, &finishFn{Execution: id, Node: name}, gathered)
}

// keepRejects writes the rejects that the graph does not use beside the output.
func (c *compiler) keepRejects(s beam.Scope, n *PlanNode) {
	s = s.Scope("rejects")
	id, name := c.execution.ID, rejectsOf(n.Name)
	gathered := []beam.PCollection{beam.AddFixedKey(s, c.impulse)}
	for _, branch := range c.branches[PortRef{Node: n.Name, Port: transforms.Rejects}] {
		gathered = append(gathered, beam.ParDo(s, &gatherFn{Execution: id, Node: name, Port: transforms.In}, branch))
	}
	c.finish(s, &finishFn{Execution: id, Node: name}, gathered)
}

func (c *compiler) finish(s beam.Scope, fn *finishFn, gathered []beam.PCollection) []beam.PCollection {
	all := beam.GroupByKey(s, beam.Flatten(s, gathered...))
	outs := pardo(s, fn, all)
	c.ends = append(c.ends, outs[maxPorts-1])
	return outs
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
// vanish: the rejects of a source are gathered even when nothing else is.
func (c *compiler) end() { beam.Flatten(c.root, c.ends...) }

func pardo(s beam.Scope, fn any, in beam.PCollection) []beam.PCollection {
	p0, p1, p2, p3 := beam.ParDo4(s, fn, in)
	return []beam.PCollection{p0, p1, p2, p3}
}
