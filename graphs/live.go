package graphs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// live is a node while it runs: one for a process, shared by all DoFns of the
// node.
type live struct {
	*PlanNode
	*shared
	counts *counts
}

// shared is what the bundles of a node have in common.
type shared struct {
	execution *Execution
	order     int64 // of a source: what is added to the order of its records
	rejects   *data.Schema
	samples   samples
	attempts  atomic.Int64
	told      map[string]told // by other processes, by their names
	ready     func() error    // opens the node of a worker, once; nil elsewhere

	mutex  sync.Mutex
	shards []transforms.Shard // of a sink, when all are written

	subscription transforms.Subscription // of an unbounded source
	writing      sync.Mutex
	writer       transforms.StreamWriter      // of a stream sink
	accumulator  transforms.StreamAccumulator // of a stream's aggregation
}

func newLive(e *Execution, n *PlanNode) *live {
	l := &live{n, &shared{execution: e}, newCounts(len(n.Kind.Outputs), nil)}
	l.rejects = n.Outputs.Get(transforms.Rejects)
	l.samples.init(e.KeepSamples, n.Kind.Outputs)
	return l
}

// begin is the node at work on a bundle, whose counts are its own if they must be
// told to another process: of a bundle that fails they are not.
func (l *live) begin() *live {
	if !l.execution.Remote {
		return l
	}
	return &live{l.PlanNode, l.shared, newCounts(len(l.Kind.Outputs), l.counts)}
}

// ports are the outputs of a DoFn, by the index of the port in Kind.Outputs.
type ports [maxPorts]emitter

func (l *live) port(name string) int { return slices.Index(l.Kind.Outputs, name) }

// send hands a record to the nodes behind a port. It reports whether there are
// any.
func (l *live) send(out ports, port int, r *data.Record) bool {
	l.counts.emitted[port].Add(1)
	l.sample(port, r)
	name := l.Kind.Outputs[port]
	if !l.Used(name) && (name != transforms.Rejects || !l.KeepsRejects()) {
		return false
	}
	r.Event().Hold(l.used[name])
	out[port](r)
	return true
}

// reject sends a refused row on its way.
func (l *live) reject(out ports, r *transforms.Rejected) {
	if r.Record.Event() != nil && !l.Used(transforms.Rejects) {
		l.refuse(r)
		return
	}
	l.counts.rejected.Add(1)
	l.rejectParts(out, []*transforms.Rejected{r})
}

// rejectParts sends refused parts of a row on their way, counted by their class
// alone. In a stream whose rejects nothing takes they end here.
func (l *live) rejectParts(out ports, parts []*transforms.Rejected) {
	for _, r := range parts {
		l.counts.reject(r)
		if r.Record.Event() != nil && !l.Used(transforms.Rejects) {
			continue
		}
		if port := l.port(transforms.Rejects); port >= 0 {
			l.send(out, port, transforms.RejectRecord(l.rejects, l.Name, r))
		}
	}
}

// guard runs a step of the node, turns a panic into an error and an error into
// the failure of the run.
func (l *live) guard(row string, step func() error) error {
	err := recovered(step)
	if err == nil {
		return nil
	}
	var known *NodeError
	if errors.As(err, &known) {
		return known
	}
	return l.execution.fail(&NodeError{Node: l.Name, Row: row, Err: err})
}

// panicError is a panic of a kind's code.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func recovered(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return step()
}

// errLimit ends the reading of a source at the run's limit.
var errLimit = errors.New("limit reached")

// splitSchema is that of the records which stand for splits, as JSON.
var splitSchema = data.MustSchema(data.Field{Name: "split", Type: data.BytesType})

// list lists the splits of a source.
func (l *live) list(out emitter) error {
	return l.guard("", func() error {
		splits, err := l.Impl.(transforms.Source).Splits(l.execution.ctx)
		if err != nil {
			return err
		}
		var expected int64
		for _, s := range splits {
			expected += s.Rows
		}
		if limit := l.execution.Limit; limit > 0 {
			expected = min(expected, limit)
		}
		l.counts.expected.Add(expected)
		for _, s := range splits {
			b, err := json.Marshal(s)
			if err != nil {
				return err
			}
			out(&data.Record{Schema: splitSchema, Values: []data.Value{data.BytesValue(b)}})
		}
		return nil
	})
}

// read reads a split.
func (l *live) read(r *data.Record, out ports) error {
	return l.guard("", func() error {
		var s transforms.Split
		if err := json.Unmarshal(r.Values[0].Bytes(), &s); err != nil {
			return err
		}
		err := l.readSplit(l.Impl.(transforms.Source), s, out)
		if errors.Is(err, errLimit) {
			return nil
		}
		return err
	})
}

func (l *live) readSplit(source transforms.Source, s transforms.Split, out ports) error {
	if limit := l.execution.Limit; limit > 0 && l.counts.in.Load() >= limit {
		return nil
	}
	s.Order += l.order
	l.execution.cut(s.Order)
	downstream := time.Duration(0)
	began := time.Now()
	emit := func(r *data.Record) error {
		if err := l.execution.ctx.Err(); err != nil {
			return err
		}
		if limit := l.execution.Limit; limit > 0 && l.counts.in.Load() >= limit {
			return errLimit
		}
		before := time.Now()
		l.counts.in.Add(1)
		l.counts.passed.Add(1)
		l.send(out, l.port(transforms.Out), r)
		downstream += time.Since(before)
		return nil
	}
	reject := func(r *transforms.Rejected) {
		before := time.Now()
		l.counts.in.Add(1)
		l.reject(out, r)
		downstream += time.Since(before)
	}
	err := recovered(func() error { return source.Read(l.execution.ctx, s, emit, reject) })
	l.counts.work(time.Since(began) - downstream)
	return err
}

// outcome is what a row node made of a row.
type outcome struct {
	emissions []emission
	err       error
}

type emission struct {
	port   int
	record *data.Record
}

// process applies a row node to a row and times it. A panic costs the row.
func (l *live) process(r *data.Record) (o outcome) {
	l.counts.enter()
	defer l.counts.leave()
	o.err = recovered(func() error {
		return l.Impl.(transforms.Row).Process(l.execution.ctx, r, func(port string, r *data.Record) {
			i := l.port(port)
			if i < 0 {
				panic(fmt.Sprintf("kind %s has no port %q", l.Kind.Name, port))
			}
			o.emissions = append(o.emissions, emission{i, r})
		})
	})
	return o
}

// deliver sees a row through: what the node made of it is sent on, and its event
// let go. After an error, which ends the run, the event is not: it comes again.
func (l *live) deliver(r *data.Record, o outcome, out ports) error {
	err := l.pass(r, o, out)
	if err == nil {
		r.Event().Release()
	}
	return err
}

// pass counts an outcome and sends its records on: the row has passed when
// something takes a record of it, is rejected by an error, and filtered
// otherwise.
func (l *live) pass(r *data.Record, o outcome, out ports) error {
	l.counts.in.Add(1)
	var fault *panicError
	var parts transforms.PartsRejected
	switch {
	case o.err == nil:
	case errors.As(o.err, &parts) && len(o.emissions) == 0:
		l.reject(out, parts[0])
		l.rejectParts(out, parts[1:])
		return nil
	case parts != nil:
		l.rejectParts(out, parts)
	case l.execution.ctx.Err() != nil:
		return l.guard("", func() error { return context.Cause(l.execution.ctx) })
	case transforms.IsFatal(o.err) || l.port(transforms.Rejects) < 0 && r.Event() == nil:
		return l.guard(r.ID.String(), func() error { return o.err })
	case errors.As(o.err, &fault):
		l.reject(out, &transforms.Rejected{Record: r, Class: "panic", Err: fault.Error()})
		return nil
	default:
		l.reject(out, transforms.AsRejected(r, o.err))
		return nil
	}
	passed := false
	for _, e := range o.emissions {
		if e.record.Event() != r.Event() { // the node made it from nothing
			e.record = e.record.Under(r.Event())
		}
		passed = l.send(out, e.port, e.record) || passed
	}
	if passed || len(o.emissions) > 0 && len(l.used) == 0 {
		l.counts.passed.Add(1)
	} else {
		l.counts.filtered.Add(1)
	}
	return nil
}

// newGatherer makes what collects a bundle of the node's input.
func (l *live) newGatherer(port string, branch int) gatherer {
	switch impl := l.Impl.(type) {
	case *accounts:
		return &accounting{}
	case transforms.Combiner:
		return &combining{live: l, accumulator: impl.NewAccumulator()}
	case transforms.Sink:
		if l.execution.NoSinks {
			return &counting{live: l}
		}
		if l.Ordered {
			return &sharding{live: l, sink: impl}
		}
	}
	return &spilling{live: l, port: port, branch: branch}
}

// finish completes the node from what its gatherers left.
func (l *live) finish(gathered [][]byte, out ports) error {
	began := time.Now()
	defer func() { l.counts.work(time.Since(began)) }()
	switch impl := l.Impl.(type) {
	case *accounts:
		return impl.write(gathered)
	case transforms.Combiner:
		return l.combine(impl, gathered, out)
	case transforms.Global:
		return l.runGlobal(impl, gathered, out)
	case transforms.Sink:
		if l.execution.NoSinks {
			return nil
		}
		shards, err := l.collectShards(impl, gathered)
		l.mutex.Lock()
		l.shards = shards
		l.mutex.Unlock()
		return err
	}
	return nil
}

// renumber gives records that a node made from many their order: the order of
// emission.
func (l *live) renumber(out ports) (transforms.Emit, func() error) {
	var n int64
	var wrong error
	emit := func(port string, r *data.Record) {
		i := l.port(port)
		if i < 0 {
			wrong = fmt.Errorf("kind %s has no port %q", l.Kind.Name, port)
			return
		}
		moved := *r
		moved.Order = n
		n++
		l.send(out, i, &moved)
	}
	return emit, func() error { return wrong }
}

func (l *live) combine(impl transforms.Combiner, gathered [][]byte, out ports) error {
	slices.SortFunc(gathered, func(a, b []byte) int { return cmp.Compare(string(a[:8]), string(b[:8])) })
	total := impl.NewAccumulator()
	for _, g := range gathered {
		if err := total.Merge(g[8:]); err != nil {
			return err
		}
	}
	emit, wrong := l.renumber(out)
	return errors.Join(total.Emit(l.execution.ctx, emit), wrong())
}

func (l *live) runGlobal(impl transforms.Global, gathered [][]byte, out ports) error {
	in, err := readSpills(gathered)
	if err != nil {
		return err
	}
	defer l.forget(in)
	emit, wrong := l.renumber(out)
	return errors.Join(impl.Run(l.execution.ctx, &inputs{in, l, out}, emit), wrong())
}

// inputs are what a global node works on.
type inputs struct {
	spills
	live *live
	out  ports
}

// Reject implements transforms.Inputs. The row was taken for passed when it was
// gathered.
func (in *inputs) Reject(r *transforms.Rejected) {
	if r.Part {
		in.live.rejectParts(in.out, []*transforms.Rejected{r})
		return
	}
	in.live.counts.passed.Add(-1)
	in.live.reject(in.out, r)
}

// collectShards brings a sink's shards in the order of the input.
func (l *live) collectShards(impl transforms.Sink, gathered [][]byte) ([]transforms.Shard, error) {
	if !l.Ordered {
		return l.writeSorted(impl, gathered)
	}
	var all []shard
	for _, g := range gathered {
		var some []shard
		if err := json.Unmarshal(g, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b shard) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Path, b.Path))
	})
	shards := make([]transforms.Shard, len(all))
	for i, s := range all {
		if i > 0 && s.First < all[i-1].Last {
			return nil, fmt.Errorf("%s and %s hold rows of the same part of the input", all[i-1].Path, s.Path)
		}
		shards[i] = s.Shard
	}
	return shards, nil
}

// forget removes rows on disk, unless another process may need them again.
func (l *live) forget(in spills) {
	if !l.execution.Remote {
		in.remove()
	}
}

// writeSorted writes the records that came by several branches as one shard, by
// Order.
func (l *live) writeSorted(impl transforms.Sink, gathered [][]byte) ([]transforms.Shard, error) {
	in, err := readSpills(gathered)
	if err != nil {
		return nil, err
	}
	defer l.forget(in)
	g := &sharding{live: l, sink: impl}
	for r, err := range in.Rows(transforms.In) {
		if err == nil {
			err = g.write(r)
		}
		if err != nil {
			g.abort()
			return nil, err
		}
	}
	if g.writer == nil {
		return nil, nil
	}
	written, err := g.writer.Close()
	return []transforms.Shard{written}, err
}

// run describes the run to a sink.
func (l *live) run() transforms.Run {
	e := l.execution
	return transforms.Run{ID: e.ID, Graph: e.plan.Graph.Name, Node: l.Name, State: e.State, Dry: e.Dry, Schema: l.Input(), Provenance: e.Provenance}
}

// commit places the shards of a sink.
func (l *live) commit(ctx context.Context) error {
	if l.execution.NoSinks {
		return nil
	}
	err := recovered(func() error { return l.Impl.(transforms.Sink).Commit(ctx, l.run(), l.shards) })
	if err != nil {
		return &NodeError{Node: l.Name, Err: err}
	}
	return nil
}
