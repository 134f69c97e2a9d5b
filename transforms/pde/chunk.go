package pde

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/pde/order"
)

// chunk is rows that are solved one after the other.
type chunk struct {
	planned *planned
	systems []*system
	results []result // by system
	done    chan struct{}
}

type result struct {
	record *data.Record
	err    error // rejects the row
}

// Run solves chunk by chunk and emits the rows in their order.
func (n *solver) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	ctx, cancel := context.WithCancel(ctx)
	flight := &flight{node: n, ctx: ctx, emit: emit, reject: in.Reject}
	defer flight.wait() // no goroutine is left behind
	defer cancel()
	plans := map[string]*planned{}
	var open *chunk
	for r, err := range in.Rows(transforms.In) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		s, p, err := n.prepare(r, plans)
		if transforms.IsFatal(err) {
			return err
		}
		if err != nil {
			in.Reject(transforms.AsRejected(r, err))
			continue
		}
		if open != nil && (open.planned != p || len(open.systems) == n.config.Chunk) {
			if err := flight.start(open); err != nil {
				return err
			}
			open = nil
		}
		if open == nil {
			open = &chunk{planned: p}
		}
		open.systems = append(open.systems, s)
	}
	if open != nil {
		if err := flight.start(open); err != nil {
			return err
		}
	}
	return flight.drain(0)
}

// prepare reads a row and finds its plan.
func (n *solver) prepare(r *data.Record, plans map[string]*planned) (*system, *planned, error) {
	s, err := n.read(r)
	if err != nil {
		return nil, nil, err
	}
	p := plans[s.key()]
	if p == nil {
		if p, err = n.plan(s); err != nil {
			return nil, nil, err
		}
		plans[s.key()] = p
	}
	return s, p, p.fits(s)
}

// flight is the chunks that are being solved, the oldest first.
type flight struct {
	node   *solver
	ctx    context.Context
	emit   transforms.Emit
	reject func(*transforms.Rejected)
	chunks []*chunk
}

// start begins a chunk in a goroutine of its own, as soon as a processor is free.
func (f *flight) start(c *chunk) error {
	if err := f.drain(runtime.GOMAXPROCS(0) - 1); err != nil {
		return err
	}
	c.done = make(chan struct{})
	f.chunks = append(f.chunks, c)
	go func() {
		defer close(c.done)
		f.node.solveChunk(f.ctx, c)
	}()
	return nil
}

// drain emits the oldest chunks until at most keep are left.
func (f *flight) drain(keep int) error {
	for len(f.chunks) > keep {
		c := f.chunks[0]
		<-c.done
		f.chunks = f.chunks[1:]
		if err := f.ctx.Err(); err != nil {
			return err
		}
		for i, r := range c.results {
			if r.err != nil {
				f.reject(transforms.AsRejected(c.systems[i].row, r.err))
			} else {
				f.emit(transforms.Out, r.record)
			}
		}
	}
	return nil
}

func (f *flight) wait() {
	for _, c := range f.chunks {
		<-c.done
	}
}

// solveChunk fills in the results of a chunk.
func (n *solver) solveChunk(ctx context.Context, c *chunk) {
	c.results = make([]result, len(c.systems))
	w := c.planned.take()
	defer c.planned.give(w)
	w.Begin()
	solved := map[string]int64{}
	for _, i := range n.order(c) {
		if ctx.Err() != nil {
			return
		}
		c.results[i] = n.solveRow(ctx, c.planned, w.Solve, c.systems[i], solved)
		if c.results[i].err != nil && errors.As(c.results[i].err, new(*panicked)) {
			w = c.planned.plan.NewWorker() // the other may be in any state
			w.Begin()
		}
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for solver, rows := range solved {
		n.solved[solver] += rows
	}
}

// lowest is how many frequencies along each extent stand for a field when rows are
// sorted by them.
const lowest = 12

// order is the order in which a chunk is solved.
func (n *solver) order(c *chunk) []int {
	points := make([][]float64, len(c.systems))
	for i, s := range c.systems {
		switch {
		case n.config.Sort == "none" || n.config.Sort == "":
			points[i] = nil // all the same: the order stays
		case c.planned.problem.Constant:
			points[i] = s.parameters
		case n.config.Sort == "low" && len(s.coefficient) == product(s.shape):
			points[i] = append(order.LowFrequencies(s.coefficient, s.shape, lowest), s.parameters...)
		default:
			points[i] = append(s.coefficient[:len(s.coefficient):len(s.coefficient)], s.parameters...)
		}
	}
	if !sameLengths(points) {
		clear(points) // parameters of rows that are not SamplePDE's
	}
	return order.Greedy(points)
}

func product(shape []int) int {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	return n
}

func sameLengths(points [][]float64) bool {
	for _, p := range points {
		if len(p) != len(points[0]) {
			return false
		}
	}
	return true
}

// panicked is a panic of a solver, which costs its row.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }
