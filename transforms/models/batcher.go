package models

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

const (
	defaultMaxWait     = 20 * time.Millisecond
	defaultBatchTokens = 4096
)

// errClosed is what a sequence gets whose model was closed under it.
var errClosed = errors.New("the model was closed")

// Stats counts what the batcher of a model has done since the model was opened.
type Stats struct {
	Batches       int64
	Rows          int64
	Tokens        int64         // of the rows
	PaddedTokens  int64         // executed, padding included
	DeviceTime    time.Duration // wall time with a batch running
	FailedRows    int64
	CancelledRows int64 // gone before they ran
}

// Fill is the share of executed tokens that were not padding, 0 to 1.
func (s Stats) Fill() float64 {
	if s.PaddedTokens == 0 {
		return 0
	}
	return float64(s.Tokens) / float64(s.PaddedTokens)
}

// batcher collects the sequences of many callers and runs them together. One
// goroutine owns the device; callers wait for their own sequence.
type batcher struct {
	run     func([]*sequence) (executed int)
	budget  int // tokens of one batch
	maxWait time.Duration

	mu      sync.Mutex
	waiting []*waiter // in order of arrival
	tokens  int       // of all waiting
	closed  bool
	stats   Stats

	arrived chan struct{} // something changed; holds one signal
	stopped chan struct{} // the goroutine has ended
}

// waiter is a sequence in the queue.
type waiter struct {
	*sequence
	since time.Time
	done  chan struct{} // closed when the sequence has run or failed
}

func newBatcher(m *model, opts Options) *batcher {
	budget, maxWait := opts.BatchTokens, opts.MaxWait
	if budget <= 0 {
		// Above 100 M parameters a batch takes seconds; smaller ones keep latency and
		// activations down and cost no throughput.
		budget = defaultBatchTokens
		if m.info.Parameters > 100_000_000 {
			budget /= 2
		}
	}
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return startBatcher(m.runAll, budget, maxWait)
}

// startBatcher starts the goroutine that [batcher.close] waits for.
func startBatcher(run func([]*sequence) (executed int), budget int, maxWait time.Duration) *batcher {
	b := &batcher{
		run: run, budget: budget, maxWait: maxWait,
		arrived: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	go b.loop()
	return b
}

// Score runs one sequence as part of a batch with those of other callers, and calls
// visit for each position as [model.Forward] does; it returns when the last visit has.
// A sequence whose context ends while it waits leaves the queue; one that is running
// is not visited any more. A sequence is refused when it is empty, longer than the
// model's context, or has an id outside the vocabulary.
func (m *model) Score(ctx context.Context, tokens []int32, visit func(pos int, logits []float32)) error {
	if len(tokens) == 0 {
		return errors.New("no tokens")
	}
	if err := m.checkTokens(tokens); err != nil {
		return err
	}
	return m.batcher.score(&sequence{ctx: ctx, tokens: tokens, visit: visit})
}

// Stats reports what the model's batcher has done.
func (m *model) Stats() Stats {
	m.batcher.mu.Lock()
	defer m.batcher.mu.Unlock()
	return m.batcher.stats
}

func (b *batcher) score(s *sequence) error {
	w := &waiter{sequence: s, since: time.Now(), done: make(chan struct{})}
	if err := b.enqueue(w); err != nil {
		return err
	}
	select {
	case <-w.done:
	case <-s.ctx.Done():
		if b.withdraw(w) {
			return s.ctx.Err()
		}
		<-w.done // it is running: its visitor may still be at work
	}
	return s.err()
}

func (b *batcher) enqueue(w *waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	if err := w.ctx.Err(); err != nil {
		return err
	}
	b.waiting = append(b.waiting, w)
	b.tokens += len(w.tokens)
	b.signal()
	return nil
}

// withdraw takes a waiter out of the queue; false when it is no longer there.
func (b *batcher) withdraw(w *waiter) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.tokens -= len(w.tokens)
	b.stats.CancelledRows++
	return true
}

func (b *batcher) signal() {
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// loop runs batches until the batcher is closed and the queue is empty.
func (b *batcher) loop() {
	defer close(b.stopped)
	for {
		batch, wait, closed := b.next(time.Now())
		switch {
		case len(batch) > 0:
			b.runBatch(batch)
		case closed:
			return
		case wait > 0:
			timer := time.NewTimer(wait)
			select {
			case <-b.arrived:
			case <-timer.C:
			}
			timer.Stop()
		default:
			<-b.arrived
		}
	}
}

// next takes the batch that should run now: when the budget is full or the oldest
// waiter has waited long enough. Else it says how long to wait; 0 means for an arrival.
//
// The oldest waiter is always in the batch; the rest of the budget goes to those
// nearest to it in length, so that padding is little and nobody starves.
func (b *batcher) next(now time.Time) (batch []*waiter, wait time.Duration, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return nil, 0, b.closed
	}
	if due := b.waiting[0].since.Add(b.maxWait); b.tokens < b.budget && now.Before(due) && !b.closed {
		return nil, due.Sub(now), false
	}
	oldest := b.waiting[0]
	byDistance := slices.Clone(b.waiting[1:])
	slices.SortStableFunc(byDistance, func(x, y *waiter) int {
		return cmp.Compare(distance(x, oldest), distance(y, oldest))
	})
	batch = []*waiter{oldest}
	tokens := len(oldest.tokens)
	taken := map[*waiter]bool{oldest: true}
	for _, w := range byDistance {
		if tokens+len(w.tokens) <= b.budget {
			batch = append(batch, w)
			tokens += len(w.tokens)
			taken[w] = true
		}
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter) bool { return taken[w] })
	b.tokens -= tokens
	return batch, 0, b.closed
}

func distance(x, y *waiter) int {
	d := len(x.tokens) - len(y.tokens)
	return max(d, -d)
}

// runBatch runs a batch and wakes its callers.
func (b *batcher) runBatch(batch []*waiter) {
	sequences := make([]*sequence, len(batch))
	for i, w := range batch {
		sequences[i] = w.sequence
	}
	start := time.Now()
	executed := b.run(sequences)
	b.count(sequences, executed, time.Since(start))
	for _, w := range batch {
		close(w.done)
	}
}

func (b *batcher) count(sequences []*sequence, executed int, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Batches++
	b.stats.Rows += int64(len(sequences))
	b.stats.PaddedTokens += int64(executed)
	b.stats.DeviceTime += took
	for _, s := range sequences {
		b.stats.Tokens += int64(len(s.tokens))
		if s.err() != nil {
			b.stats.FailedRows++
		}
	}
}

// close lets what is queued run, then ends the goroutine.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.signal()
	b.mu.Unlock()
	<-b.stopped
}
