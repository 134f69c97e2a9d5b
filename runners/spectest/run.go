package spectest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"penstock.dev/data"
	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Options say which tests to run, and how.
type Options struct {
	Tags  map[string]string // parameters of the graph; a test's own come before them
	Match *regexp.Regexp    // of the names of the tests to run; nil for all
	Log   *slog.Logger
}

// Result says how a test went.
type Result struct {
	Test     specs.Test
	Failures []Failure // none if it passed
	Duration time.Duration

	got        map[specs.Ref]*rows // what came out at the ports that the test looks at
	wrong      []string            // ports by key whose rows are not as expected
	miscounted []miscount
}

// miscount is a count that is not as expected.
type miscount struct {
	node, field string
	have        int64
}

// Failure is something that is not as a test expects.
type Failure struct {
	Pos     specs.Position
	Message string
	Lines   []string // of a comparison: "- " before what was expected, "+ " before what came
}

// Run runs the tests of a graph in their order. Mistakes in the file come as
// diagnostics, without results.
func Run(ctx context.Context, path string, o Options) ([]Result, specs.Diagnostics) {
	g, ds := specs.Load(path, specs.Options{Tags: o.Tags, Tests: true})
	if ds.Failed() {
		return nil, ds
	}
	var results []Result
	for _, t := range g.Tests {
		if o.Match != nil && !o.Match.MatchString(t.Name) {
			continue
		}
		began := time.Now()
		r := Result{Test: t}
		of, mistakes := withParameters(g, path, t, o)
		if mistakes.Failed() {
			r.failAll(mistakes)
		} else if ctx.Err() == nil {
			r.run(ctx, of, o)
		}
		if ctx.Err() != nil {
			return results, ds
		}
		r.Duration = time.Since(began)
		results = append(results, r)
	}
	return results, ds
}

// withParameters is the graph with the parameters of a test.
func withParameters(g *specs.Graph, path string, t specs.Test, o Options) (*specs.Graph, specs.Diagnostics) {
	if len(t.Parameters) == 0 {
		return g, nil
	}
	tags := maps.Clone(t.Parameters)
	for name, value := range o.Tags {
		if _, own := tags[name]; !own {
			tags[name] = value
		}
	}
	return specs.Load(path, specs.Options{Tags: tags, Tests: true})
}

func (r *Result) fail(pos specs.Position, format string, args ...any) {
	r.Failures = append(r.Failures, Failure{Pos: pos, Message: fmt.Sprintf(format, args...)})
}

func (r *Result) failAll(ds specs.Diagnostics) {
	for _, d := range ds {
		if !d.Warning() {
			pos := specs.Position{File: d.File, Line: d.Line, Col: d.Col}
			r.fail(pos, "%s", strings.TrimPrefix(d.String(), pos.String()+": "))
		}
	}
}

// run runs the part of the graph that a test is about and compares.
func (r *Result) run(ctx context.Context, g *specs.Graph, o Options) {
	p, err := newPart(g, &r.Test)
	if err != nil {
		r.failWith(err)
		return
	}
	plan, ds := graphs.NewPlanWith(p.graph, p.kinds)
	if ds.Failed() {
		r.failAll(ds)
		return
	}
	for _, n := range plan.Nodes {
		if remote, ok := n.Impl.(transforms.Remote); ok && remote.Server() != "" {
			r.fail(r.Test.Pos, "node %s would ask %s: give it a mock", n.Name, remote.Server())
			return
		}
	}
	c, err := runners.Collect(ctx, plan, runners.Options{Limit: r.Test.Limit, Log: o.Log})
	if err != nil {
		r.fail(r.Test.Pos, "the run failed: %v", err)
		return
	}
	r.compareRows(plan, c)
	r.compareCounts(c)
	r.refuseRejects(g, c)
}

// mistake is an error of a test at a place in its file.
type mistake struct {
	pos     specs.Position
	message string
}

func (m *mistake) Error() string { return m.message }

func mistaken(pos specs.Position, format string, args ...any) error {
	return &mistake{pos, fmt.Sprintf(format, args...)}
}

func (r *Result) failWith(err error) {
	if m, ok := err.(*mistake); ok {
		r.fail(m.pos, "%s", m.message)
		return
	}
	r.fail(r.Test.Pos, "%v", err)
}

// rows are what came out at a port.
type rows struct {
	schema  *data.Schema
	records []*data.Record
}

// compareRows compares what came out at the ports that the test looks at.
func (r *Result) compareRows(plan *graphs.Plan, c *runners.Collection) {
	r.got = map[specs.Ref]*rows{}
	for _, want := range r.Test.Expect {
		got := collected(plan, c, want.Ref)
		r.got[want.Ref] = got
		before := len(r.Failures)
		if r.compare(want, got); len(r.Failures) > before {
			r.wrong = append(r.wrong, want.Key)
		}
	}
}

// collected are the records that left a port or reached a sink.
func collected(plan *graphs.Plan, c *runners.Collection, ref specs.Ref) *rows {
	n, _ := plan.Node(ref.Node)
	if ref.Port != "" {
		return &rows{n.Outputs.Get(ref.Port), c.Records[ref]}
	}
	all := &rows{schema: n.Input()}
	for _, in := range n.Inputs {
		all.records = append(all.records, c.Records[in.From]...)
	}
	slices.SortStableFunc(all.records, byOrder)
	return all
}

func byOrder(a, b *data.Record) int { return int(min(1, max(-1, a.Order-b.Order))) }

func (r *Result) compareCounts(c *runners.Collection) {
	for _, want := range r.Test.Counts {
		i := slices.IndexFunc(c.Counts, func(n graphs.NodeCounts) bool { return n.Node == want.Node })
		n := c.Counts[i]
		for _, x := range []struct {
			name string
			want *int64
			got  int64
		}{{"in", want.In, n.In}, {"out", want.Out, n.Passed}, {"filtered", want.Filtered, n.Filtered}, {"rejected", want.Rejected, n.Rejected}} {
			if x.want != nil && *x.want != x.got {
				r.fail(want.Pos, "%s: want %d rows %s, have %d", want.Node, *x.want, x.name, x.got)
				r.miscounted = append(r.miscounted, miscount{want.Node, x.name, x.got})
			}
		}
	}
}

// refuseRejects fails a test in which rows are rejected that neither it nor the graph
// speaks of.
func (r *Result) refuseRejects(g *specs.Graph, c *runners.Collection) {
	taken := map[string]bool{} // nodes whose rejects the graph takes
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			taken[in.From.Node] = taken[in.From.Node] || in.From.Port == transforms.Rejects
		}
	}
	for _, n := range c.Counts {
		expected := slices.ContainsFunc(r.Test.Expect, func(w specs.PortRows) bool {
			return w.Node == n.Node && w.Port == transforms.Rejects
		}) || slices.ContainsFunc(r.Test.Counts, func(w specs.Counts) bool { return w.Node == n.Node && w.Rejected != nil })
		if expected || taken[n.Node] || len(n.Rejects) == 0 {
			continue
		}
		first := n.Rejects[0].Examples[0]
		r.fail(r.Test.Pos, "%s rejects what the test does not speak of, such as row %s: %s (%s): expect it at %s.rejects",
			n.Node, first.Row, first.Message, n.Rejects[0].Class, n.Node)
	}
}
