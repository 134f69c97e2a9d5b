package graphtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	register("test.Events", nil, []string{transforms.Out, transforms.Rejects}, &Events{})
	register("test.Store", []string{transforms.In}, nil, &Store{})
}

// Events is a source that never ends: N numbers as events, then silence. Numbers
// in Bad are rejected by the source.
type Events struct {
	Name string // of the journal
	N    int64
	Bad  []int64
	Rows int64 // events of a batch, 0 for 16
}

// Journal is what happened to the events of a source and in the sinks of its
// graph, in order: "store 3 ID" and "settle 3 REFUSALS".
type Journal struct {
	mutex             sync.Mutex
	lines             []string
	received, settled int64
}

var journals sync.Map

// journalOf is the journal of a name.
func journalOf(name string) *Journal {
	j, _ := journals.LoadOrStore(name, &Journal{})
	return j.(*Journal)
}

func (j *Journal) add(line string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.lines = append(j.lines, line)
}

// NewJournal begins a journal in place of the one of that name.
func NewJournal(name string) *Journal {
	j := &Journal{}
	journals.Store(name, j)
	return j
}

// Lines are those written so far.
func (j *Journal) Lines() []string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return append([]string{}, j.lines...)
}

// Received is the number of events that were taken.
func (j *Journal) Received() int64 {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.received
}

// Settled is the number of events that were settled.
func (j *Journal) Settled() int64 {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.settled
}

func (s *Events) Columns(transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(Schema), nil
}

// Subscribe implements transforms.Unbounded.
func (s *Events) Subscribe(context.Context, transforms.Run) (transforms.Subscription, error) {
	return &subscription{events: s, journal: journalOf(s.Name)}, nil
}

type subscription struct {
	events  *Events
	journal *Journal
	next    int64
	counts  transforms.EventCounts
}

func (s *subscription) Next(_ context.Context, emit func(*data.Record), reject func(*transforms.Rejected)) error {
	if s.next == s.events.N {
		time.Sleep(5 * time.Millisecond)
		return nil
	}
	rows := s.events.Rows
	if rows == 0 {
		rows = 16
	}
	for end := min(s.next+rows, s.events.N); s.next < end; s.next++ {
		s.deliver(s.next, emit, reject)
	}
	return nil
}

func (s *subscription) deliver(n int64, emit func(*data.Record), reject func(*transforms.Rejected)) {
	s.journal.mutex.Lock()
	s.counts.Received++
	s.journal.received++
	s.counts.InFlight++
	s.journal.mutex.Unlock()
	r := &data.Record{Schema: Schema, ID: data.ID{Source: "events", Row: n}, Order: n, Values: []data.Value{data.Int64Value(n)}}
	r = r.Under(data.NewEvent(fmt.Sprintf("events:%d", n), func(refusals []data.Refusal) { s.settle(n, refusals) }))
	for _, bad := range s.events.Bad {
		if bad == n {
			reject(&transforms.Rejected{Record: r, Class: "bad", Err: "bad number"})
			return
		}
	}
	emit(r)
}

func (s *subscription) settle(n int64, refusals []data.Refusal) {
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	s.counts.InFlight--
	line := fmt.Sprintf("settle %d", n)
	for _, r := range refusals {
		line += " " + r.Node + ":" + r.Class
	}
	if len(refusals) > 0 {
		s.counts.DeadLetters++
	} else {
		s.counts.Acknowledged++
	}
	s.journal.lines = append(s.journal.lines, line)
	s.journal.settled++
}

func (s *subscription) Ordered(context.Context) bool { return true }
func (s *subscription) Finish(context.Context) error { return nil }
func (s *subscription) Close() error                 { return nil }
func (s *subscription) Latency() transforms.Latency  { return transforms.Latency{} }
func (s *subscription) State(context.Context) (transforms.StreamState, error) {
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	return transforms.StreamState{Waiting: s.events.N - s.counts.Received, Pending: s.counts.InFlight}, nil
}
func (s *subscription) Counts() transforms.EventCounts {
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	return s.counts
}

// Store is a stream sink that writes to a journal when it is flushed, or every
// Hold records. It refuses a number that it is told.
type Store struct {
	Name     string // of the journal
	Hold     int    // records kept back over the ends of bundles
	RefuseAt int64  // 0 for none
	FailAt   int64  // ends the run, 0 for never
}

func (s *Store) Columns(transforms.Ports) (transforms.Ports, error) { return nil, nil }

// OpenStream implements transforms.StreamSink.
func (s *Store) OpenStream(context.Context, transforms.Run) (transforms.StreamWriter, error) {
	return &storing{store: s, journal: journalOf(s.Name)}, nil
}

type storing struct {
	store   *Store
	journal *Journal
	kept    []func()
}

func (s *storing) Write(_ context.Context, id string, r *data.Record, stored func()) error {
	n := r.Values[0].Int64()
	switch {
	case s.store.RefuseAt > 0 && n == s.store.RefuseAt:
		return transforms.Reject("odd", "number %d", n)
	case s.store.FailAt > 0 && n == s.store.FailAt:
		return transforms.Fatal(fmt.Errorf("the store is full"))
	}
	s.kept = append(s.kept, func() {
		s.journal.add(fmt.Sprintf("store %d %s", n, id))
		stored()
	})
	return nil
}

func (s *storing) Flush(context.Context) error {
	if len(s.kept) >= s.store.Hold {
		s.write()
	}
	return nil
}

func (s *storing) write() {
	for _, stored := range s.kept {
		stored()
	}
	s.kept = nil
}

func (s *storing) Close(ctx context.Context) error {
	if ctx.Err() == nil {
		s.write()
	}
	return nil
}
