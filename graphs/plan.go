package graphs

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Plan is a graph that has passed every check: its nodes in an order in which
// each comes after those it reads from, with the columns at every port.
type Plan struct {
	Graph *specs.Graph
	Nodes []*PlanNode
}

// PortRef names an output port of a node.
type PortRef = specs.Ref

// PlanNode is a node of a plan.
type PlanNode struct {
	*specs.Node
	Kind    transforms.Kind
	Impl    transforms.Node
	Inputs  []PlanInput
	Outputs transforms.Ports // with the rejects port, if the kind has one
	// Ordered reports that records arrive by Order: no Union lies between the
	// node and the source, or sort, that gave them their order.
	Ordered bool
	// Unbounded reports that the input never ends.
	Unbounded bool
	used      map[string]int // edges that leave each output port
}

// PlanInput is an edge of a plan, seen from the node it enters.
type PlanInput struct {
	Port   string
	From   PortRef
	Schema *data.Schema
}

// NewPlan checks a graph beyond its schema: cycles, columns and their types,
// expressions, outputs that collide. It opens the heads of input files, for
// their columns, and reads no rows. Warnings come with a plan, mistakes without.
func NewPlan(g *specs.Graph) (*Plan, specs.Diagnostics) { return newPlan(g, nil, nil) }

// NewPlanWith is NewPlan with kinds of its own for some of the nodes, by their names,
// such as those that stand in for others in a test.
func NewPlanWith(g *specs.Graph, kinds map[string]transforms.Kind) (*Plan, specs.Diagnostics) {
	return newPlan(g, nil, kinds)
}

// newPlan plans a graph without its flawed nodes, whose faults are known.
func newPlan(g *specs.Graph, flawed map[string]bool, kinds map[string]transforms.Kind) (*Plan, specs.Diagnostics) {
	p := &planner{graph: g, flawed: flawed, kinds: kinds, nodes: map[string]*PlanNode{}}
	order := p.connectAll()
	p.checkHeld()
	p.checkOutputs()
	p.checkSources()
	if !p.diagnostics.Failed() && len(flawed) == 0 {
		p.warnUnused(order)
	}
	ds := silenced(g, p.diagnostics).Sorted()
	if ds.Failed() {
		return nil, ds
	}
	return &Plan{Graph: g, Nodes: order}, ds
}

// Columns are the schemas at the output ports of a graph's nodes, as far as they are
// known in spite of mistakes.
func Columns(g *specs.Graph) map[PortRef]*data.Schema {
	p := &planner{graph: g, nodes: map[string]*PlanNode{}}
	known := map[PortRef]*data.Schema{}
	for _, n := range p.connectAll() {
		for _, port := range n.Outputs {
			known[PortRef{Node: n.Name, Port: port.Name}] = port.Schema
		}
	}
	return known
}

// connectAll makes the nodes and gives them their columns, in order.
func (p *planner) connectAll() []*PlanNode {
	p.construct()
	order := p.sort()
	for _, n := range order {
		p.connect(n)
	}
	return order
}

// Stream reports whether the graph runs until it is stopped.
func (p *Plan) Stream() bool { return p.Graph.Mode == "stream" }

// Node finds a node of the plan by name.
func (p *Plan) Node(name string) (*PlanNode, bool) {
	i := slices.IndexFunc(p.Nodes, func(n *PlanNode) bool { return n.Name == name })
	if i < 0 {
		return nil, false
	}
	return p.Nodes[i], true
}

// Upto is the plan of the nodes that the named one depends on, and itself.
func (p *Plan) Upto(name string) (*Plan, error) {
	last, ok := p.Node(name)
	if !ok {
		return nil, fmt.Errorf("%s: no node named %q (the graph has %s)", p.Graph.File, name, strings.Join(p.names(), ", "))
	}
	needed := map[string]bool{last.Name: true}
	for _, n := range slices.Backward(p.Nodes) {
		if needed[n.Name] {
			for _, in := range n.Inputs {
				needed[in.From.Node] = true
			}
		}
	}
	part := &Plan{Graph: p.Graph}
	for _, n := range p.Nodes {
		if needed[n.Name] {
			part.Nodes = append(part.Nodes, n)
		}
	}
	return part, nil
}

func (p *Plan) names() []string {
	var names []string
	for _, n := range p.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// Used reports whether some node takes the records of an output port.
func (n *PlanNode) Used(port string) bool { return n.used[port] > 0 }

// KeepsRejects reports whether the node can reject rows that the graph itself
// does not take: they are written beside the output. In a stream their event
// becomes a dead letter instead.
func (n *PlanNode) KeepsRejects() bool {
	return slices.Contains(n.Kind.Outputs, transforms.Rejects) && !n.Used(transforms.Rejects) && !n.Unbounded
}

// Input is the schema of the node's first input, nil for a source.
func (n *PlanNode) Input() *data.Schema {
	if len(n.Inputs) == 0 {
		return nil
	}
	return n.Inputs[0].Schema
}

// Location is the path that a source or sink names in its configuration.
func (n *PlanNode) Location() string {
	var config struct{ Path string }
	if json.Unmarshal(n.Config, &config) != nil {
		return ""
	}
	return config.Path
}

// Destination is where a sink puts its records, for people: a path or a stream.
func (n *PlanNode) Destination() string {
	var config struct{ Stream string }
	if _, streams := n.Impl.(transforms.StreamSink); streams && json.Unmarshal(n.Config, &config) == nil && config.Stream != "" {
		return "stream " + config.Stream
	}
	return n.Location()
}

// Role is what the node does in the pipeline, in a word: source, row, combine,
// global or sink.
func (n *PlanNode) Role() string {
	switch n.Impl.(type) {
	case transforms.Source, transforms.Unbounded:
		return "source"
	case transforms.Sink, transforms.StreamSink:
		return "sink"
	case transforms.Combiner, transforms.StreamCombiner:
		return "combine"
	case transforms.Global:
		return "global"
	case transforms.Modelled:
		return "model"
	}
	return "row"
}

// planner makes a plan and collects what is wrong.
type planner struct {
	graph       *specs.Graph
	flawed      map[string]bool            // nodes to leave out
	kinds       map[string]transforms.Kind // of nodes that have one of their own
	nodes       map[string]*PlanNode
	endless     string // the node that takes events, if there is one
	diagnostics specs.Diagnostics
}

func (p *planner) report(n *specs.Node, pos specs.Position, field, code, message, hint string) {
	path := "graph.nodes." + n.Name
	if field != "" {
		path += "." + field
	}
	p.diagnostics = append(p.diagnostics, specs.At(pos, path, code, message, hint))
}

// construct makes the implementation of every node from its configuration.
func (p *planner) construct() {
	for i := range p.graph.Nodes {
		n := &PlanNode{Node: &p.graph.Nodes[i], used: map[string]int{}}
		p.nodes[n.Name] = n
		for _, in := range n.Node.Inputs {
			n.Inputs = append(n.Inputs, PlanInput{Port: in.Port, From: in.From})
		}
		if p.flawed[n.Name] {
			continue
		}
		kind, ok := p.kinds[n.Name]
		if !ok {
			kind, ok = transforms.Lookup(n.Node.Kind)
		}
		if !ok {
			p.report(n.Node, n.Pos, "", specs.CodeKind, fmt.Sprintf("no kind named %s in this program", n.Node.Kind), "")
			continue
		}
		n.Kind = kind
		impl, err := kind.New(withSeed(n.Config, p.graph.Run.Seed))
		if err != nil {
			p.fieldErrors(n.Node, err)
			continue
		}
		n.Impl = impl
	}
	for _, n := range p.nodes {
		for _, in := range n.Inputs {
			if from := p.nodes[in.From.Node]; from != nil {
				from.used[in.From.Port]++
			}
		}
	}
}

// sort orders the nodes by their edges, those of equal rank as in the file, and
// reports cycles.
func (p *planner) sort() []*PlanNode {
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	var order, path []*PlanNode
	var visit func(n *PlanNode)
	visit = func(n *PlanNode) {
		state[n.Name] = open
		path = append(path, n)
		for i, in := range n.Inputs {
			from := p.nodes[in.From.Node]
			switch {
			case from == nil: // reported when the graph was loaded
			case state[from.Name] == unseen:
				visit(from)
			case state[from.Name] == open:
				p.cycle(n, n.Node.Inputs[i], path[slices.Index(path, from):])
			}
		}
		path = path[:len(path)-1]
		state[n.Name] = done
		order = append(order, n)
	}
	for i := range p.graph.Nodes {
		if n := p.nodes[p.graph.Nodes[i].Name]; state[n.Name] == unseen {
			visit(n)
		}
	}
	return order
}

// cycle reports the edge that closes a loop: n takes rows from the first node of
// the loop, each of which takes rows from the next, up to n itself.
func (p *planner) cycle(n *PlanNode, in specs.Input, loop []*PlanNode) {
	names := []string{n.Name}
	for _, m := range loop {
		names = append(names, m.Name)
	}
	p.report(n.Node, in.Pos, in.Port, specs.CodeCycle, "cycle: "+strings.Join(names, " <- "), "one of them must take its rows from elsewhere")
}

// connect gives a node the columns of its inputs and asks for those of its
// outputs. Nodes behind a mistake are passed over: their columns are unknown.
func (p *planner) connect(n *PlanNode) {
	if n.Impl == nil {
		return
	}
	if len(p.flawed) > 0 && len(n.Inputs) < len(n.Kind.Inputs)-len(n.Kind.Optional) {
		return // an input leads to a port that the schema finds fault with
	}
	var in transforms.Ports
	n.Ordered = true
	unions := map[string]int{}
	for i := range n.Inputs {
		from := p.nodes[n.Inputs[i].From.Node]
		if from == nil {
			return
		}
		schema := from.Outputs.Get(n.Inputs[i].From.Port)
		if schema == nil {
			return
		}
		n.Inputs[i].Schema = schema
		in = append(in, transforms.Port{Name: n.Inputs[i].Port, Schema: schema})
		unions[n.Inputs[i].Port]++
		n.Ordered = n.Ordered && from.ordersOutput()
		n.Unbounded = n.Unbounded || from.Unbounded
	}
	for _, branches := range unions {
		n.Ordered = n.Ordered && branches == 1
	}
	p.checkBounds(n)
	out, err := n.Impl.Columns(in)
	if err != nil {
		p.fieldErrors(n.Node, err)
		return
	}
	n.Outputs = out
	if slices.Contains(n.Kind.Outputs, transforms.Rejects) && out.Get(transforms.Rejects) == nil {
		n.Outputs = append(n.Outputs, transforms.Port{Name: transforms.Rejects, Schema: transforms.RejectSchema(n.rejectInput())})
	}
}

// ordersOutput reports whether the node's output comes by Order.
func (n *PlanNode) ordersOutput() bool {
	switch n.Impl.(type) {
	case transforms.Combiner, transforms.Global:
		return true
	}
	return n.Ordered
}

// rejectInput is the schema of the rows that a node may reject: its input, or
// for a source what it reads.
func (n *PlanNode) rejectInput() *data.Schema {
	if in := n.Input(); in != nil {
		return in
	}
	return n.Outputs.Get(transforms.Out)
}

// checkBounds refuses what would wait for the end of an input that has none.
func (p *planner) checkBounds(n *PlanNode) {
	_, endless := n.Impl.(transforms.Unbounded)
	n.Unbounded = n.Unbounded || endless
	stream := p.graph.Mode == "stream"
	_, windows := n.Impl.(transforms.StreamCombiner)
	switch _, waits := n.Impl.(transforms.Sink); {
	case endless && !stream:
		p.report(n.Node, n.Pos, "", specs.CodeMode, n.Kind.Name+" never ends, but the graph is a batch", `add mode: "stream"`)
	case n.Role() == "source" && !endless && stream:
		p.report(n.Node, n.Pos, "", specs.CodeMode, n.Kind.Name+` ends, but the graph has mode: "stream"`, "read events, or leave mode out")
	case windows && !stream:
		p.report(n.Node, n.Pos, "", specs.CodeMode, n.Kind.Name+" emits as time goes on, but the graph is a batch", "use Aggregate, by a column of Derive for the time")
	case endless && p.endless != "":
		p.report(n.Node, n.Pos, "", specs.CodeMode, fmt.Sprintf("the graph takes events with node %q already", p.endless), "take several subjects with one node, or make a graph of each")
	case stream && n.Unbounded && (waits || n.Role() == "global" || n.Role() == "combine" && !windows):
		p.report(n.Node, n.Pos, "", specs.CodeMode, n.Kind.Name+" waits for the end of its input, which never ends", "it belongs in a batch graph")
	}
	if endless {
		p.endless = n.Name
	}
}

// checkHeld refuses a sink that may keep back as many rows as events may be under
// way: it would wait for more, and they for it, until the rows are old enough.
func (p *planner) checkHeld() {
	source := p.nodes[p.endless]
	if source == nil {
		return
	}
	capacious, ok := source.Impl.(transforms.Capacious)
	if !ok {
		return
	}
	events, batch, field := capacious.Capacity()
	for i := range p.graph.Nodes {
		n := p.nodes[p.graph.Nodes[i].Name]
		holder, ok := n.Impl.(transforms.Holder)
		if !ok {
			continue
		}
		if rows, of := holder.Holds(); rows+batch > events {
			p.report(n.Node, n.FieldPos(of), of, specs.CodeConfig, fmt.Sprintf("%d rows kept back and a batch of %d are more than the %d events that may be under way by %s of node %q", rows, batch, events, field, source.Name), "raise "+field+", or lower "+of)
		}
	}
}

// checkOutputs finds sinks that would overwrite each other.
func (p *planner) checkOutputs() {
	first := map[string]string{}
	for i := range p.graph.Nodes {
		n := p.nodes[p.graph.Nodes[i].Name]
		if n.Impl == nil || n.Role() != "sink" || n.Location() == "" {
			continue
		}
		path := filepath.Clean(n.Location())
		if other, taken := first[path]; taken {
			p.report(n.Node, n.FieldPos("path"), "path", specs.CodeOutputTwice, fmt.Sprintf("node %q writes to %s too", other, n.Location()), "give each sink its own path")
			continue
		}
		first[path] = n.Name
	}
}

// checkSources refuses a graph that reads nothing.
func (p *planner) checkSources() {
	for _, n := range p.nodes {
		if n.Impl == nil || len(n.Kind.Inputs) == 0 { // what has a fault may be a source
			return
		}
	}
	p.diagnostics = append(p.diagnostics, specs.At(specs.Position{File: p.graph.File, Line: 1, Col: 1}, "graph.nodes",
		specs.CodeNoSource, "the graph reads nothing", "add a source such as specs.#ReadParquet"))
}

// warnUnused points at rows that are worked for and dropped.
func (p *planner) warnUnused(order []*PlanNode) {
	for _, n := range order {
		if n.dead() {
			p.report(n.Node, n.Pos, "", specs.CodeUnused, "nothing takes the rows of "+n.Name, unusedHint)
		}
	}
}

// fieldErrors reports what a kind says of a node's configuration.
func (p *planner) fieldErrors(n *specs.Node, err error) {
	for _, err := range unjoin(err) {
		var field *transforms.FieldError
		if !errors.As(err, &field) {
			p.report(n, n.Pos, "", specs.CodeConfig, err.Error(), "")
			continue
		}
		var path []string
		if field.Field != "" {
			path = strings.Split(field.Field, ".")
		}
		p.report(n, n.FieldPos(path...), field.Field, codeOf(field.Code), field.Message, field.Hint)
	}
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, unjoin(e)...)
		}
		return all
	}
	return []error{err}
}

// fieldCodes maps what kinds call their mistakes to the codes users see.
var fieldCodes = map[string]string{
	transforms.MissingColumn: specs.CodeColumn,
	transforms.ColumnType:    specs.CodeColumnType,
	transforms.ColumnTwice:   specs.CodeColumnTwice,
	transforms.BadExpression: specs.CodeExpression,
	transforms.NoResource:    specs.CodeResource,
	transforms.Miscalibrated: specs.CodeCalibration,
}

func codeOf(code string) string {
	if c, ok := fieldCodes[code]; ok {
		return c
	}
	return specs.CodeConfig
}

// sources lists the sources in the order of the file, which is the order of
// their records when they meet.
func (p *Plan) sources() []string {
	var names []string
	for i := range p.Graph.Nodes {
		if n, ok := p.Node(p.Graph.Nodes[i].Name); ok && len(n.Kind.Inputs) == 0 {
			names = append(names, n.Name)
		}
	}
	return names
}
