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
	flight := &flight{node: n, ctx: ctx, emit: emit, reject: in.Reject, free: make(chan struct{}, runtime.GOMAXPROCS(0))}
	defer flight.wait() // no goroutine is left behind
	defer cancel()
	plans := &plans{node: n, by: map[string]*planned{}}
	var open *chunk
	for r, err := range in.Rows(transforms.In) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		s, p, err := plans.prepare(r)
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

// plans are those in use, by what needs one of its own.
type plans struct {
	node *solver
	by   map[string]*planned
}

// mostPlans bounds the memory of inputs in which every row has another shape.
const mostPlans = 8

// prepare reads a row and finds its plan.
func (l *plans) prepare(r *data.Record) (*system, *planned, error) {
	s, err := l.node.read(r)
	if err != nil {
		return nil, nil, err
	}
	p := l.by[s.key()]
	if p == nil {
		if err := plausible(s); err != nil { // before memory is taken for it
			return nil, nil, err
		}
		if p, err = l.node.plan(s); err != nil {
			return nil, nil, err
		}
		if len(l.by) == mostPlans {
			clear(l.by)
		}
		l.by[s.key()] = p
	}
	return s, p, p.fits(s)
}

// flight is the chunks that are being solved or wait to be emitted, the oldest first.
type flight struct {
	node   *solver
	ctx    context.Context
	emit   transforms.Emit
	reject func(*transforms.Rejected)
	free   chan struct{} // holds a token for each chunk that has a processor
	chunks []*chunk
}

// start begins a chunk in a goroutine of its own, as soon as a processor is free. As
// many again may be done and wait for an older one, so that a slow chunk leaves no
// processor idle.
func (f *flight) start(c *chunk) error {
	if err := f.drain(2*cap(f.free) - 1); err != nil {
		return err
	}
	select {
	case f.free <- struct{}{}:
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	c.done = make(chan struct{})
	f.chunks = append(f.chunks, c)
	go func() {
		defer close(c.done)
		f.node.solveChunk(f.ctx, c)
		<-f.free
	}()
	return nil
}

// drain emits the oldest chunks: those that are done, and more until at most keep are
// left.
func (f *flight) drain(keep int) error {
	for len(f.chunks) > 0 && (len(f.chunks) > keep || f.chunks[0].finished()) {
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

func (c *chunk) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
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
	defer func() { c.planned.give(w) }()
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
	given := make([]int, len(c.systems))
	for i := range given {
		given[i] = i
	}
	if n.config.Sort == "none" || n.config.Sort == "" {
		return given
	}
	for i, s := range c.systems {
		switch {
		case c.planned.problem.Constant:
			points[i] = s.parameters
		case n.config.Sort == "low" && len(s.coefficient) == product(s.shape):
			points[i] = append(order.LowFrequencies(s.coefficient, s.shape, lowest), s.parameters...)
		default:
			points[i] = append(s.coefficient[:len(s.coefficient):len(s.coefficient)], s.parameters...)
		}
	}
	if !sameLengths(points) { // parameters of rows that are not SamplePDE's
		return given
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
