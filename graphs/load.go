package graphs

import (
	"strconv"
	"strings"

	"penstock.dev/specs"
)

// Load reads a graph from a file or folder and plans it. Everything that is
// wrong is reported at once, by the schema and by the plan, as far as one
// mistake does not hide another.
func Load(path string, o specs.Options) (*Plan, specs.Diagnostics) {
	return planLoaded(specs.Load(path, o))
}

// planLoaded plans what was loaded. Nodes that the schema finds fault with are
// left out, and everything behind them.
func planLoaded(g *specs.Graph, ds specs.Diagnostics) (*Plan, specs.Diagnostics) {
	flawed, all := flawedNodes(ds)
	if g == nil || !all {
		return nil, ds
	}
	p, more := newPlan(g, flawed, nil)
	ds = append(ds, more...).Sorted()
	if ds.Failed() {
		return nil, ds
	}
	return p, ds
}

// flawedNodes are the nodes that diagnostics find fault with; all is false if
// some fault is with something else.
func flawedNodes(ds specs.Diagnostics) (flawed map[string]bool, all bool) {
	flawed = map[string]bool{}
	for _, d := range ds {
		if d.Warning() || d.Path == "tests" || strings.HasPrefix(d.Path, "tests.") {
			continue
		}
		name, ok := nodeOf(d.Path)
		if !ok {
			return nil, false
		}
		flawed[name] = true
	}
	return flawed, true
}

// nodeOf is the node that a diagnostic's path leads to.
func nodeOf(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "graph.nodes.")
	if !ok || rest == "" {
		return "", false
	}
	if quoted, err := strconv.QuotedPrefix(rest); err == nil {
		name, err := strconv.Unquote(quoted)
		return name, err == nil
	}
	name, _, _ := strings.Cut(rest, ".")
	return name, true
}
