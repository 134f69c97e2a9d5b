package graphs

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Lint points at what a graph may do but seldom means: nodes and ports whose rows
// nothing takes, rejects that end out of sight, scores that nothing judges. What the
// graph silences with a reason (specs.#Graph.silence) is left out, and a silence that
// silences nothing is itself pointed at.
func Lint(p *Plan) specs.Diagnostics {
	l := &linter{plan: p}
	l.unusedNodes()
	l.unusedPorts()
	l.hiddenRejects()
	l.unjudgedScores()
	found := l.diagnostics
	l.diagnostics = silenced(p.Graph, found)
	l.needlessSilences(found)
	return l.diagnostics.Sorted()
}

// linter collects what it points at.
type linter struct {
	plan        *Plan
	diagnostics specs.Diagnostics
}

func (l *linter) point(n *PlanNode, code, message, hint string) {
	l.diagnostics = append(l.diagnostics, specs.At(n.Pos, "graph.nodes."+n.Name, code, message, hint))
}

// silenced are the diagnostics that a graph does not silence.
func silenced(g *specs.Graph, ds specs.Diagnostics) specs.Diagnostics {
	return slices.DeleteFunc(slices.Clone(ds), func(d specs.Diagnostic) bool {
		node, ok := nodeOf(d.Path)
		return ok && d.Warning() && g.Silence[node][d.Code] != ""
	})
}

// dead reports whether the node's rows are worked for and dropped.
func (n *PlanNode) dead() bool {
	_, reports := n.Impl.(transforms.Evaluator)
	return len(n.Kind.Outputs) > 0 && len(n.used) == 0 && !reports
}

func (l *linter) unusedNodes() {
	for _, n := range l.plan.Nodes {
		if n.dead() {
			l.point(n, specs.CodeUnused, "nothing takes the rows of "+n.Name, unusedHint)
		}
	}
}

const unusedHint = "connect one of its ports or remove the node"

// leftovers are ports for rows that a node is often there to take out.
var leftovers = []string{transforms.Rejects, transforms.Else, "duplicates", "late"}

func (l *linter) unusedPorts() {
	for _, n := range l.plan.Nodes {
		for _, port := range n.Kind.Outputs {
			if len(n.used) > 0 && !n.Used(port) && n.loses(port) {
				l.point(n, specs.CodeUnusedPort, fmt.Sprintf("nothing takes the rows of %s.%s", n.Name, port), "connect the port")
			}
		}
	}
}

// loses reports whether rows are lost when nothing takes those of a port: others than
// a node is there to take out, that no other port in use carries.
func (n *PlanNode) loses(port string) bool {
	switch {
	case slices.Contains(leftovers, port):
		return false
	case port == transforms.Out:
		return !slices.ContainsFunc(n.Kind.Outputs, func(other string) bool { return n.Used(other) && !slices.Contains(leftovers, other) })
	}
	return !slices.Contains(n.Kind.Outputs, transforms.Out)
}

// hiddenRejects points at rejects that are written where nobody looks: without an
// output beside which they could stand.
func (l *linter) hiddenRejects() {
	for _, n := range l.plan.Nodes {
		if n.Role() == "sink" && n.Location() != "" {
			return
		}
	}
	for _, n := range l.plan.Nodes {
		if n.KeepsRejects() {
			l.point(n, specs.CodeHiddenRejects, "rows that "+n.Name+" rejects end in the run's folder, for the graph writes no file to put them beside",
				"give "+n.Name+".rejects a sink")
		}
	}
}

// families are the families and roles of the kinds.
var families = sync.OnceValue(func() map[string]specs.KindDoc {
	all := map[string]specs.KindDoc{}
	for _, k := range specs.Kinds() {
		all[k.Name] = k
	}
	return all
})

// detects and judges tell the two sorts of kinds in the family detect: those that
// give scores by a model, and those that make something of scores.
func (n *PlanNode) detects() bool { return families()[n.Node.Kind].Family == "detect" && n.batched() }
func (n *PlanNode) judges() bool  { return families()[n.Node.Kind].Family == "detect" && !n.batched() }
func (n *PlanNode) batched() bool { return families()[n.Node.Kind].Role == "batch" }

// unjudgedScores points at detectors whose scores stay numbers.
func (l *linter) unjudgedScores() {
	judged := map[string]bool{} // nodes that a judging node is behind
	for _, n := range slices.Backward(l.plan.Nodes) {
		if n.detects() && !judged[n.Name] {
			l.point(n, specs.CodeUnjudged, "nothing judges the scores of "+n.Name+": a threshold by eye keeps no false-positive rate",
				"put Decide with a calibration behind it, or Evaluate, or Calibrate")
		}
		if n.judges() || judged[n.Name] {
			for _, in := range n.Inputs {
				judged[in.From.Node] = true
			}
		}
	}
}

func (l *linter) needlessSilences(found specs.Diagnostics) {
	for _, node := range slices.Sorted(maps.Keys(l.plan.Graph.Silence)) {
		for _, code := range slices.Sorted(maps.Keys(l.plan.Graph.Silence[node])) {
			if !slices.ContainsFunc(found, func(d specs.Diagnostic) bool { n, _ := nodeOf(d.Path); return n == node && d.Code == code }) {
				l.diagnostics = append(l.diagnostics, specs.At(specs.Position{File: l.plan.Graph.File, Line: 1, Col: 1},
					"graph.silence."+node+"."+code, specs.CodeNeedless, "there is nothing to silence", "remove it"))
			}
		}
	}
}
