package nats

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// State is how a stream stands for a consumer, all processes that take from it
// together.
type State struct {
	Waiting int64     // messages that nobody has taken
	Pending int64     // taken and not acknowledged
	Floor   uint64    // sequence up to which all are acknowledged
	Oldest  time.Time // publication of the oldest that is not acknowledged; zero if all are
}

// State asks the server how the stream stands.
func (s *Subscriber) State(ctx context.Context) (State, error) {
	ctx, stop := context.WithTimeout(ctx, apiTimeout)
	defer stop()
	consumer, err := s.stream.Consumer(ctx, s.config.Durable) // a handle of its own: this is another goroutine
	if err != nil {
		return State{}, fmt.Errorf("consumer %s of stream %s: %w", s.config.Durable, s.config.Stream, s.conn.explain(err))
	}
	info := consumer.CachedInfo()
	state := State{Waiting: int64(info.NumPending), Pending: int64(info.NumAckPending), Floor: info.AckFloor.Stream}
	if state.Waiting+state.Pending > 0 {
		state.Oldest, err = s.oldest(ctx, state.Floor)
	}
	return state, err
}

// oldest is the time of the first message behind a sequence that the consumer
// takes.
func (s *Subscriber) oldest(ctx context.Context, floor uint64) (first time.Time, err error) {
	filters := s.config.Subjects
	if len(filters) == 0 {
		filters = []string{">"}
	}
	for _, filter := range filters {
		m, err := s.stream.GetMsg(ctx, floor+1, jetstream.WithGetMsgSubject(filter))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return time.Time{}, fmt.Errorf("stream %s: %w", s.config.Stream, s.conn.explain(err))
		case first.IsZero() || m.Time.Before(first):
			first = m.Time
		}
	}
	return first, nil
}

// Bounds are the upper bounds of the classes of a latency; one more class has no
// bound.
var Bounds = [...]time.Duration{
	time.Millisecond / 2, time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
}

// latencies counts how long messages took from their publication, by the server's
// clock, to their acknowledgement or dead letter, by this machine's.
type latencies struct {
	counts [len(Bounds) + 1]atomic.Int64
	sum    atomic.Int64
}

func (l *latencies) add(d time.Duration) {
	d = max(d, 0) // clocks differ
	class := 0
	for class < len(Bounds) && d > Bounds[class] {
		class++
	}
	l.counts[class].Add(1)
	l.sum.Add(int64(d))
}

// Latency is the number of messages by the time from publication to the end of
// what stems from them, a class each of [Bounds] and one above, and the sum of the
// times.
func (s *Subscriber) Latency() (counts []int64, sum time.Duration) {
	for i := range s.latency.counts {
		counts = append(counts, s.latency.counts[i].Load())
	}
	return counts, time.Duration(s.latency.sum.Load())
}
