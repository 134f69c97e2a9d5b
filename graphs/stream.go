package graphs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/sdf"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/rtrackers/offsetrange"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	// Called once for a batch of events, so that reflection costs nothing.
	beam.RegisterType(reflect.TypeFor[subscribeFn]())
	register.DoFn6x1[context.Context, *data.Record, emitter, emitter, emitter, emitter, error](&storeFn{})
	register.DoFn6x1[context.Context, *data.Record, emitter, emitter, emitter, emitter, error](&accumulateFn{})
}

// subscribeFn takes the events of an unbounded source. It is a splittable DoFn
// whose restriction only counts the calls, each a bundle of its own: the position
// is the subscription's. When a call returns, everything behind it in the stage
// has flushed, so that the next one finds nothing of this one under way but what
// a sink holds back.
type subscribeFn struct{ place }

func (f *subscribeFn) CreateInitialRestriction(_ []byte) offsetrange.Restriction {
	return offsetrange.Restriction{Start: 0, End: math.MaxInt64}
}

func (f *subscribeFn) SplitRestriction(_ []byte, r offsetrange.Restriction) []offsetrange.Restriction {
	return []offsetrange.Restriction{r}
}

func (f *subscribeFn) RestrictionSize(_ []byte, _ offsetrange.Restriction) float64 { return 1 }

func (f *subscribeFn) CreateTracker(r offsetrange.Restriction) *sdf.LockRTracker {
	return sdf.NewLockRTracker(offsetrange.NewTracker(r))
}

// ProcessElement takes the events there are. Claiming the end of the restriction
// ends the job when all that is in flight was seen to.
func (f *subscribeFn) ProcessElement(_ context.Context, rt *sdf.LockRTracker, _ []byte, p0, p1, p2, p3 emitter) (sdf.ProcessContinuation, error) {
	turn := rt.GetRestriction().(offsetrange.Restriction).Start
	if f.live.execution.drained() {
		rt.TryClaim(int64(math.MaxInt64))
		return sdf.StopProcessing(), nil
	}
	rt.TryClaim(turn)
	if err := f.live.receive(ports{p0, p1, p2, p3}); err != nil {
		return sdf.StopProcessing(), err
	}
	return sdf.ResumeProcessingIn(0), nil
}

// receive takes a batch of events.
func (l *live) receive(out ports) error {
	return l.guard("", func() error {
		return l.subscription.Next(l.execution.ctx, func(r *data.Record) {
			l.counts.in.Add(1)
			l.counts.passed.Add(1)
			l.send(out, l.port(transforms.Out), r)
			r.Event().Release()
		}, func(r *transforms.Rejected) {
			l.counts.in.Add(1)
			l.reject(out, r)
			r.Record.Event().Release()
		})
	})
}

// branchFn is what DoFns have in common to which records come in branches.
type branchFn struct {
	place
	Branch int            // of those that lead to the node
	seen   map[string]int // records of the bundle, by id
}

// id names a record for the node: the same whenever its event comes again. Records
// of one event differ by their part, by the branch they come along, or, where a
// node emits copies, by how many came before. In a batch, where nothing comes
// again, they are counted.
func (f *branchFn) id(r *data.Record) (string, error) {
	l := f.live
	event := r.Event()
	if event == nil {
		if l.Unbounded {
			return "", errors.New("a record has lost its event on the way")
		}
		return fmt.Sprintf("%s.%s:%d", l.execution.ID, l.Name, l.attempts.Add(1)), nil
	}
	id := event.Name + "." + l.Name
	if f.Branch > 0 {
		id += "." + strconv.Itoa(f.Branch)
	}
	if r.ID.Part != "" {
		id += "/" + r.ID.Part
	}
	copies := f.seen[id]
	f.seen[id] = copies + 1
	if copies > 0 {
		id += "~" + strconv.Itoa(copies)
	}
	return id, nil
}

// storeFn hands records to a stream sink. It has the signature of a row node, and
// no port is used but the last, which ends the pipeline.
type storeFn struct{ branchFn }

func (f *storeFn) StartBundle(_ context.Context, _, _, _, _ emitter) { f.seen = map[string]int{} }

func (f *storeFn) ProcessElement(_ context.Context, r *data.Record, _, _, _, _ emitter) error {
	return f.live.guard(r.ID.String(), func() error {
		id, err := f.id(r)
		if err != nil {
			return err
		}
		return f.live.store(id, r)
	})
}

func (f *storeFn) FinishBundle(_ context.Context, _, _, _, _ emitter) error {
	return f.live.guard("", f.live.flush)
}

// store hands a record to the sink, which lets its event go.
func (l *live) store(id string, r *data.Record) error {
	began := time.Now()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.counts.in.Add(1)
	defer func() { l.counts.work(time.Since(began)) }()
	if l.execution.NoSinks {
		l.counts.passed.Add(1)
		r.Event().Release()
		return nil
	}
	err := recovered(func() error { return l.writer.Write(l.execution.ctx, id, r, r.Event().Release) })
	switch {
	case err == nil:
		l.counts.passed.Add(1)
		return nil
	case transforms.IsFatal(err) || r.Event() == nil || l.execution.ctx.Err() != nil:
		return err
	}
	l.refuse(transforms.AsRejected(r, err))
	r.Event().Release()
	return nil
}

// refuse notes a rejected row that nothing in the graph takes.
func (l *live) refuse(r *transforms.Rejected) {
	l.counts.rejected.Add(1)
	l.counts.reject(r)
	r.Record.Event().Refuse(data.Refusal{Node: l.Name, Class: r.Class, Message: r.Err})
}

// flush lets the sink store what should wait no longer.
func (l *live) flush() error {
	if l.writer == nil {
		return nil
	}
	began := time.Now()
	l.writing.Lock()
	defer l.writing.Unlock()
	defer func() { l.counts.work(time.Since(began)) }()
	return l.writer.Flush(l.execution.ctx)
}

// accumulateFn hands records to an aggregation of a stream.
type accumulateFn struct{ branchFn }

func (f *accumulateFn) StartBundle(_ context.Context, _, _, _, _ emitter) {
	f.seen = map[string]int{}
	f.live.writing.Lock()
	defer f.live.writing.Unlock()
	f.live.accumulator.Begin(f.live.execution.ordered())
}

func (f *accumulateFn) ProcessElement(_ context.Context, r *data.Record, p0, p1, p2, p3 emitter) error {
	return f.live.guard(r.ID.String(), func() error {
		id, err := f.id(r)
		if err != nil {
			return err
		}
		return f.live.accumulate(id, r, ports{p0, p1, p2, p3})
	})
}

func (f *accumulateFn) FinishBundle(_ context.Context, p0, p1, p2, p3 emitter) error {
	return f.live.guard("", func() error { return f.live.emitAccumulated(ports{p0, p1, p2, p3}) })
}

// accumulate hands a record to the aggregation, which lets its event go.
func (l *live) accumulate(id string, r *data.Record, out ports) error {
	began := time.Now()
	l.writing.Lock()
	defer l.writing.Unlock()
	l.counts.in.Add(1)
	defer func() { l.counts.work(time.Since(began)) }()
	passed := true
	err := recovered(func() error {
		return l.accumulator.Add(l.execution.ctx, id, r, r.Event().Release, func(port string, r *data.Record) {
			passed = l.send(out, l.port(port), r)
		})
	})
	switch {
	case err == nil && passed:
		l.counts.passed.Add(1)
	case err == nil:
		l.counts.filtered.Add(1)
	case transforms.IsFatal(err) || l.execution.ctx.Err() != nil:
		return err
	default:
		l.reject(out, transforms.AsRejected(r, err))
		r.Event().Release()
	}
	return nil
}

// emitAccumulated sends on what the aggregation has finished.
func (l *live) emitAccumulated(out ports) error {
	began := time.Now()
	l.writing.Lock()
	defer l.writing.Unlock()
	defer func() { l.counts.work(time.Since(began)) }()
	return l.accumulator.Flush(l.execution.ctx, func(port string, r *data.Record) {
		l.send(out, l.port(port), r)
		r.Event().Release()
	})
}

// Drain asks a stream to end: no more events are taken, and the pipeline is done
// when those in flight were seen to. It may be called at any time and more than
// once.
func (e *Execution) Drain() { e.draining.Store(true) }

// drained reports whether the stream is to end, because it was asked to or has
// taken as many events as it may.
func (e *Execution) drained() bool {
	if e.Limit > 0 && e.Events().Received >= e.Limit {
		return true
	}
	return e.draining.Load()
}

// Events are the accounts of the stream's source.
func (e *Execution) Events() transforms.EventCounts {
	if _, s := e.Subscription(); s != nil {
		return s.Counts()
	}
	return transforms.EventCounts{}
}

// ordered reports whether events come in the order of the stream from now on.
func (e *Execution) ordered() bool {
	_, s := e.Subscription()
	return s == nil || s.Ordered(e.ctx)
}

// Subscription is the stream's source and its name; nil before it is connected and
// for a batch. It may be called at any time.
func (e *Execution) Subscription() (node string, s transforms.Subscription) {
	if l := e.source.Load(); l != nil {
		return l.Name, l.subscription
	}
	return "", nil
}

// openStreams connects the sinks that store as records come, then the source: what
// it takes can be stored.
func (e *Execution) openStreams() error {
	for _, n := range slices.Backward(e.plan.Nodes) {
		l := e.nodes[n.Name]
		var err error
		switch impl := n.Impl.(type) {
		case transforms.StreamSink:
			if !e.NoSinks {
				l.writer, err = impl.OpenStream(e.ctx, l.run())
			}
		case transforms.StreamCombiner:
			l.accumulator, err = impl.OpenStream(e.ctx, l.run())
		case transforms.Unbounded:
			if l.subscription, err = impl.Subscribe(e.ctx, l.run()); err == nil {
				e.source.Store(l)
			}
		}
		if err != nil {
			return &NodeError{Node: n.Name, Err: err}
		}
	}
	return nil
}

// finishStreams stores what sinks hold back and settles the last events.
func (e *Execution) finishStreams(ctx context.Context) error {
	for _, n := range e.plan.Nodes {
		if l := e.nodes[n.Name]; l.writer != nil {
			writer := l.writer
			l.writer = nil
			if err := writer.Close(ctx); err != nil {
				return &NodeError{Node: n.Name, Err: err}
			}
		}
	}
	for _, n := range e.plan.Nodes { // they know by now which of their results are stored
		if err := e.nodes[n.Name].closeAccumulator(); err != nil {
			return &NodeError{Node: n.Name, Err: err}
		}
	}
	node, s := e.Subscription()
	if s == nil {
		return nil
	}
	if err := s.Finish(ctx); err != nil {
		return &NodeError{Node: node, Err: err}
	}
	if c := s.Counts(); c.InFlight > 0 {
		return &NodeError{Node: node, Err: fmt.Errorf("accounts do not balance: %d events were taken and neither acknowledged nor made dead letters", c.InFlight)}
	}
	return nil
}

// closeStreams ends what openStreams opened. What a run that failed has not stored
// comes again.
func (l *live) closeStreams() error {
	var errs []error
	if l.writer != nil {
		ended, stop := context.WithCancel(context.Background())
		stop()
		if err := l.writer.Close(ended); err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, err)
		}
		l.writer = nil
	}
	errs = append(errs, l.closeAccumulator())
	if l.subscription != nil {
		errs = append(errs, l.subscription.Close())
	}
	return errors.Join(errs...)
}

func (l *live) closeAccumulator() error {
	if l.accumulator == nil {
		return nil
	}
	accumulator := l.accumulator
	l.accumulator = nil
	return accumulator.Close()
}
