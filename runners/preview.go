package runners

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"penstock.dev/data"
	"penstock.dev/graphs"
)

// Preview runs the part of a plan that a node depends on and returns the first n
// records of each of its output ports; for a sink, those that reach it. Nothing
// is written, and the run ends as soon as the rows of the first port are there.
func Preview(ctx context.Context, plan *graphs.Plan, node string, n int, o Options) (map[graphs.PortRef][]*data.Record, error) {
	part, err := plan.Upto(node)
	if err != nil {
		return nil, err
	}
	if plan.Stream() {
		return nil, fmt.Errorf("graph %s: a preview of a stream would take its events (preview a graph with a file in its place)", plan.Graph.Name)
	}
	ports := previewPorts(part, node)
	enough, stop := context.WithCancel(ctx)
	defer stop()
	samples := map[graphs.PortRef][]*data.Record{}
	err = rehearse(enough, part, o, graphs.Options{KeepSamples: n, Sampled: func(p graphs.PortRef) {
		if p == ports[0] {
			stop()
		}
	}}, func(e *graphs.Execution) {
		for _, p := range ports {
			samples[p] = e.Samples(p)
		}
	})
	if len(samples[ports[0]]) >= n && ctx.Err() == nil {
		return samples, nil // it was stopped because it had enough
	}
	return samples, interrupted(ctx, err)
}

// Collection is what a run gave that wrote nothing.
type Collection struct {
	Records map[graphs.PortRef][]*data.Record // that left an output port, by Order
	Counts  []graphs.NodeCounts
}

// Collect runs a plan and keeps all records in memory in place of writing any.
func Collect(ctx context.Context, plan *graphs.Plan, o Options) (*Collection, error) {
	c := &Collection{Records: map[graphs.PortRef][]*data.Record{}}
	err := rehearse(ctx, plan, o, graphs.Options{KeepSamples: math.MaxInt}, func(e *graphs.Execution) {
		for _, n := range plan.Nodes {
			for _, port := range n.Kind.Outputs {
				ref := graphs.PortRef{Node: n.Name, Port: port}
				records := e.Samples(ref)
				slices.SortStableFunc(records, func(a, b *data.Record) int { return cmp.Compare(a.Order, b.Order) })
				c.Records[ref] = records
			}
		}
		c.Counts = e.Counts()
	})
	return c, interrupted(ctx, err)
}

// rehearse runs a plan that writes nothing, and hands on the execution when it has
// ended, for better or worse.
func rehearse(ctx context.Context, plan *graphs.Plan, o Options, x graphs.Options, then func(*graphs.Execution)) error {
	work, err := os.MkdirTemp("", "penstock-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	initBeam(o.Log)
	x.ID, x.Work, x.Limit, x.NoSinks = filepath.Base(work), work, o.Limit, true
	e, err := graphs.NewExecution(ctx, plan, x)
	if err != nil {
		return err
	}
	defer e.Close()
	if err = e.Open(); err == nil {
		err = runPipeline(ctx, e, plan.Graph.Name, Engine{}, o.Version)
	}
	then(e)
	return err
}

// previewPorts are the ports whose rows a preview of the node shows.
func previewPorts(p *graphs.Plan, node string) []graphs.PortRef {
	n, _ := p.Node(node)
	if len(n.Kind.Outputs) == 0 {
		return []graphs.PortRef{n.Inputs[0].From}
	}
	var ports []graphs.PortRef
	for _, port := range n.Kind.Outputs {
		ports = append(ports, graphs.PortRef{Node: node, Port: port})
	}
	return ports
}
