package runners

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

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
	work, err := os.MkdirTemp("", "penstock-preview-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	initBeam(o.Log)
	enough, stop := context.WithCancel(ctx)
	defer stop()
	e, err := graphs.NewExecution(enough, part, graphs.Options{
		ID: filepath.Base(work), Work: work, Limit: o.Limit, KeepSamples: n, NoSinks: true,
		Sampled: func(p graphs.PortRef) {
			if p == ports[0] {
				stop()
			}
		},
	})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	if err = e.Open(); err == nil {
		err = runPipeline(enough, e, part.Graph.Name)
	}
	samples := map[graphs.PortRef][]*data.Record{}
	for _, p := range ports {
		samples[p] = e.Samples(p)
	}
	if len(samples[ports[0]]) >= n && ctx.Err() == nil {
		return samples, nil // it was stopped because it had enough
	}
	return samples, interrupted(ctx, err)
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

// runPipeline runs the pipeline of nodes that are open to its end, without
// committing anything.
func runPipeline(ctx context.Context, e *graphs.Execution, name string) error {
	j, err := submit(ctx, name, e.Pipeline())
	if err != nil {
		return err
	}
	err = j.wait(ctx)
	if cause := e.Cause(); cause != nil {
		return cause
	}
	return err
}
