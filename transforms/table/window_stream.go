package table

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/transforms"
)

// windows are those of a run. What a bundle brought is in the log before its events are
// let go; a window stays in it until its results are stored.
type windows struct {
	config WindowConfig
	plan   *windowing
	name   string // of the node in its graph
	now    func() time.Time

	spans   spans
	known   recent
	newest  int64 // time of the newest row
	time    int64 // of the stream: newest when the bundle began
	closed  int64 // time of the stream when windows were last ended
	arrival time.Time

	log     *commit.Log // nil in a dry run
	settled int64       // length of the log when it was last written anew
	rows    []loggedRow // of the bundle
	stored  []func()    // to be called when they are in the log

	leaving map[string]*span // over, with results that are not stored, by name
	again   []*span          // of them, those of an earlier run, to be emitted again
	mutex   sync.Mutex
	gone    []string // windows whose results are all stored, for the log
}

var _ transforms.StreamAccumulator = (*windows)(nil)

// never and forever are times before and behind all others.
const (
	never   = math.MinInt64
	forever = math.MaxInt64
)

// farthest is the largest time in microseconds that windows are made for, about the
// year 146,000.
const farthest = 1 << 62

func newWindows(n *window, p *windowing, run transforms.Run) *windows {
	w := &windows{
		config: n.config, plan: p, name: run.Graph + "." + run.Node, now: time.Now,
		newest: never, time: never, closed: never, leaving: map[string]*span{},
	}
	w.arrival = w.now()
	if gap := n.config.Gap.Microseconds(); gap > 0 {
		w.spans = &sessions{gap: gap, closed: never, soonest: forever, open: map[string][]*span{}, groups: w.newGroups, by: p.by}
	} else {
		w.spans = &sized{size: n.config.Size.Microseconds(), slide: n.config.Slide.Microseconds(), closed: never, soonest: forever, open: map[int64]*span{}, groups: w.newGroups}
	}
	return w
}

func (w *windows) newGroups() *groups {
	return &groups{plan: w.plan.aggregation, byKey: map[string]*group{}}
}

// Begin implements transforms.StreamAccumulator. Time stands still while events of an
// earlier process may come that are older than those behind them.
func (w *windows) Begin(ordered bool) {
	if !ordered {
		return
	}
	w.time = max(w.time, w.newest)
	if idle, quiet := w.config.Idle.Duration, w.now().Sub(w.arrival); idle > 0 && quiet > idle && w.newest != never {
		w.time = max(w.time, w.newest+quiet.Microseconds())
	}
}

// Add implements transforms.StreamAccumulator.
func (w *windows) Add(_ context.Context, id string, r *data.Record, stored func(), emit transforms.Emit) error {
	v := r.Values[w.plan.time]
	if v.IsNull() {
		return transforms.Reject("null", "column %s is null", w.config.Time)
	}
	at := v.Time()
	if ahead := at.Sub(w.now()); ahead > w.config.Ahead.Duration {
		return transforms.Reject("ahead", "column %s is %v ahead of the clock, more than %v", w.config.Time, ahead.Round(time.Second), w.config.Ahead.Duration)
	}
	row := loggedRow{id: digestOf([]byte(id)), time: at.UnixMicro(), values: r.Values}
	if row.time < -farthest {
		return transforms.Reject("time", "column %s is %v", w.config.Time, at)
	}
	if w.known.has(row.id) {
		w.stored = append(w.stored, stored)
		return nil
	}
	took, err := w.take(r, row)
	if err != nil {
		return transforms.Fatal(err)
	}
	if !took {
		emit(Late, r)
		stored()
		return nil
	}
	w.rows, w.stored = append(w.rows, row), append(w.stored, stored)
	w.arrival = w.now()
	return nil
}

// take puts a row into its windows.
func (w *windows) take(r *data.Record, row loggedRow) (bool, error) {
	w.newest = max(w.newest, row.time)
	took, err := w.spans.add(r, row.time)
	if took {
		w.known.add(row.id)
	}
	return took, err
}

// Flush implements transforms.StreamAccumulator.
func (w *windows) Flush(ctx context.Context, emit transforms.Emit) error {
	closed := w.closed
	over := w.end()
	gone := w.takeGone()
	if len(w.rows)+len(over)+len(gone) > 0 {
		if err := w.write(closed, gone); err != nil {
			return transforms.Fatal(err)
		}
	}
	for _, stored := range w.stored {
		stored()
	}
	w.rows, w.stored = w.rows[:0], nil
	over = append(w.again, over...)
	w.again = nil
	for _, s := range over {
		if err := w.emit(ctx, s, emit); err != nil {
			return err
		}
	}
	return nil
}

// end takes the windows that are over from those that are open.
func (w *windows) end() []*span {
	before := int64(never)
	if lateness := w.config.Lateness.Microseconds(); w.time >= never+lateness {
		before = w.time - lateness
	}
	w.closed = w.time
	over := w.spans.over(before)
	for _, s := range over {
		w.leaving[w.nameOf(s)] = s
	}
	return over
}

// nameOf tells a window from all others of the node.
func (w *windows) nameOf(s *span) string { return fmt.Sprintf("%d-%d %x", s.start, s.end, s.group) }

// emit emits the results of a window, each under an event of its own.
func (w *windows) emit(ctx context.Context, s *span, emit transforms.Emit) error {
	window := w.nameOf(s)
	s.left = len(s.groups.byKey)
	begin, end := time.UnixMicro(s.start).UTC(), time.UnixMicro(s.end).UTC()
	return s.groups.Emit(ctx, func(_ string, r *data.Record) {
		group := r.ID.Source
		r.ID = data.KeyID(begin.Format(time.RFC3339Nano) + " " + group)
		r.Schema, r.Order = w.plan.out, s.start
		r.Values = append([]data.Value{data.TimeValue(begin), data.TimeValue(end)}, r.Values...)
		sum := sha256.Sum256([]byte(w.name + " " + window + " " + group))
		emit(transforms.Out, r.Under(data.NewEvent(hex.EncodeToString(sum[:16]), func([]data.Refusal) { w.settle(window, s) })))
	})
}

// settle notes that a result of a window was stored, or refused and counted so. It is
// called from anywhere.
func (w *windows) settle(window string, s *span) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if s.left--; s.left == 0 {
		w.gone = append(w.gone, window)
	}
}

func (w *windows) takeGone() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	gone := w.gone
	w.gone = nil
	return gone
}

// Close implements transforms.StreamAccumulator: what is open stays in the log. Rows of
// a bundle that did not end come again.
func (w *windows) Close() error {
	if w.log == nil {
		return nil
	}
	var err error
	if gone := w.takeGone(); len(gone) > 0 {
		w.rows = nil
		err = w.write(w.closed, gone)
	}
	return errors.Join(err, w.log.Close())
}
