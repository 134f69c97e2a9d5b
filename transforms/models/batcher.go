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

// job is one row on its way through a model.
type job interface {
	context() context.Context
	tokens() int // what it costs
	err() error  // its first error
}

// batcher collects the jobs of many callers and runs them together. One goroutine
// owns the device; callers wait for their own job.
type batcher[J job] struct {
	run     func([]J) (executed int)
	budget  int // tokens of one batch
	maxWait time.Duration

	mu      sync.Mutex
	waiting []*waiter[J] // in order of arrival
	tokens  int          // of all waiting
	closed  bool
	stats   Stats

	arrived chan struct{} // something changed; holds one signal
	stopped chan struct{} // the goroutine has ended
}

// waiter is a job in the queue.
type waiter[J job] struct {
	job   J
	since time.Time
	done  chan struct{} // closed when the job has run or failed
}

// newBatcher starts a batcher for a model of a number of parameters.
func newBatcher[J job](run func([]J) (executed int), parameters int64, opts Options) *batcher[J] {
	budget, maxWait := opts.BatchTokens, opts.MaxWait
	if budget <= 0 {
		// Above 100 M parameters a batch takes seconds; smaller ones keep latency and
		// activations down and cost no throughput.
		budget = defaultBatchTokens
		if parameters > 100_000_000 {
			budget /= 2
		}
	}
	if maxWait <= 0 {
		maxWait = defaultMaxWait
	}
	return startBatcher(run, budget, maxWait)
}

// startBatcher starts the goroutine that [batcher.close] waits for.
func startBatcher[J job](run func([]J) (executed int), budget int, maxWait time.Duration) *batcher[J] {
	b := &batcher[J]{
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
	return m.batcher.submit(&sequence{ctx: ctx, ids: tokens, visit: visit})
}

// Measure is Score for those who need no more of the logits than their moments: visit
// gets those at every position but the last, with the next token as the target. Where
// the device makes them itself, they are float32.
func (m *model) Measure(ctx context.Context, tokens []int32, visit func(pos int, at Moments)) error {
	if len(tokens) == 0 {
		return errors.New("no tokens")
	}
	if err := m.checkTokens(tokens); err != nil {
		return err
	}
	return m.batcher.submit(&sequence{ctx: ctx, ids: tokens, moments: visit, visit: func(pos int, logits []float32) {
		if pos+1 < len(tokens) {
			visit(pos, Position(logits, tokens[pos+1]))
		}
	}})
}

// Stats reports what the model's batcher has done.
func (m *model) Stats() Stats { return m.batcher.counted() }

func (b *batcher[J]) counted() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

// submit runs a job in a batch with others and returns its error.
func (b *batcher[J]) submit(j J) error {
	w := &waiter[J]{job: j, since: time.Now(), done: make(chan struct{})}
	if err := b.enqueue(w); err != nil {
		return err
	}
	select {
	case <-w.done:
	case <-j.context().Done():
		if b.withdraw(w) {
			return j.context().Err()
		}
		<-w.done // it is running: its visitor may still be at work
	}
	return j.err()
}

func (b *batcher[J]) enqueue(w *waiter[J]) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	if err := w.job.context().Err(); err != nil {
		return err
	}
	b.waiting = append(b.waiting, w)
	b.tokens += w.job.tokens()
	b.signal()
	return nil
}

// withdraw takes a waiter out of the queue; false when it is no longer there.
func (b *batcher[J]) withdraw(w *waiter[J]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, w)
	if i < 0 {
		return false
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.tokens -= w.job.tokens()
	b.stats.CancelledRows++
	return true
}

func (b *batcher[J]) signal() {
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// loop runs batches until the batcher is closed and the queue is empty.
func (b *batcher[J]) loop() {
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
func (b *batcher[J]) next(now time.Time) (batch []*waiter[J], wait time.Duration, closed bool) {
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
	slices.SortStableFunc(byDistance, func(x, y *waiter[J]) int {
		return cmp.Compare(distance(x, oldest), distance(y, oldest))
	})
	batch = []*waiter[J]{oldest}
	tokens := oldest.job.tokens()
	taken := map[*waiter[J]]bool{oldest: true}
	for _, w := range byDistance {
		if tokens+w.job.tokens() <= b.budget {
			batch = append(batch, w)
			tokens += w.job.tokens()
			taken[w] = true
		}
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(w *waiter[J]) bool { return taken[w] })
	b.tokens -= tokens
	return batch, 0, b.closed
}

func distance[J job](x, y *waiter[J]) int {
	d := x.job.tokens() - y.job.tokens()
	return max(d, -d)
}

// runBatch runs a batch and wakes its callers.
func (b *batcher[J]) runBatch(batch []*waiter[J]) {
	jobs := make([]J, len(batch))
	for i, w := range batch {
		jobs[i] = w.job
	}
	start := time.Now()
	executed := b.run(jobs)
	b.count(jobs, executed, time.Since(start))
	for _, w := range batch {
		close(w.done)
	}
}

func (b *batcher[J]) count(jobs []J, executed int, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Batches++
	b.stats.Rows += int64(len(jobs))
	b.stats.PaddedTokens += int64(executed)
	b.stats.DeviceTime += took
	for _, j := range jobs {
		b.stats.Tokens += int64(j.tokens())
		if j.err() != nil {
			b.stats.FailedRows++
		}
	}
}

// close lets what is queued run, then ends the goroutine.
func (b *batcher[J]) close() {
	b.mu.Lock()
	b.closed = true
	b.signal()
	b.mu.Unlock()
	<-b.stopped
}
