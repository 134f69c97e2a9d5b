package models

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeBatcher runs batches in no device: each takes an hour of fake time and is recorded
// by the lengths of its rows.
type fakeBatcher struct {
	*batcher[*sequence]
	mu      sync.Mutex
	batches [][]int
}

func newFakeBatcher(budget int, maxWait time.Duration) *fakeBatcher {
	f := &fakeBatcher{}
	f.batcher = startBatcher(func(sequences []*sequence) int {
		var lengths []int
		executed := 0
		for _, s := range sequences {
			lengths = append(lengths, s.tokens())
			executed += s.tokens()
			for pos := range s.ids {
				s.see(pos, nil)
			}
		}
		f.mu.Lock()
		f.batches = append(f.batches, lengths)
		f.mu.Unlock()
		time.Sleep(time.Hour)
		return executed
	}, budget, maxWait)
	return f
}

func (f *fakeBatcher) send(ctx context.Context, length int) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- f.submit(&sequence{ctx: ctx, ids: make([]int32, length), visit: func(int, []float32) {}})
	}()
	return done
}

func TestLoneSequenceWaitsNoLongerThanMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBatcher(1000, 20*time.Millisecond)
		start := time.Now()
		if err := <-f.send(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Hour+20*time.Millisecond {
			t.Errorf("took %v, want the batch's hour and 20 ms", took)
		}
		f.close()
	})
}

func TestFullBudgetRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBatcher(100, time.Minute)
		start := time.Now()
		a, b := f.send(t.Context(), 60), f.send(t.Context(), 40)
		<-a
		<-b
		if took := time.Since(start); took != time.Hour {
			t.Errorf("took %v, want the batch's hour only", took)
		}
		if len(f.batches) != 1 || len(f.batches[0]) != 2 {
			t.Errorf("batches %v, want one of two rows", f.batches)
		}
		f.close()
	})
}

// While a batch runs others arrive; the next batches take the oldest first and those of
// like length with it.
func TestBatchesGroupByLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBatcher(100, time.Millisecond)
		first := f.send(t.Context(), 100)
		synctest.Wait()
		var waiting []<-chan error
		for _, length := range []int{50, 10, 49, 11, 9, 12} {
			waiting = append(waiting, f.send(t.Context(), length))
			synctest.Wait() // arrival order
		}
		<-first
		for _, w := range waiting {
			<-w
		}
		want := [][]int{{100}, {50, 49}, {10, 11, 9, 12}}
		if !slices.EqualFunc(f.batches, want, slices.Equal) {
			t.Errorf("batches %v, want %v", f.batches, want)
		}
		f.close()
	})
}

func TestCancelledWaiterLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBatcher(100, time.Minute)
		running := f.send(t.Context(), 100)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		waiting := f.send(ctx, 30)
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if time.Since(start) != 0 {
			t.Error("a cancelled waiter waited for the batch that was running")
		}
		<-running
		f.close()
		if len(f.batches) != 1 || f.stats.CancelledRows != 1 {
			t.Errorf("batches %v, stats %+v", f.batches, f.stats)
		}
	})
}

func TestCloseRunsWhatWaitsAndRefusesMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeBatcher(100, time.Minute)
		waiting := f.send(t.Context(), 10)
		synctest.Wait()
		f.close() // synctest fails the test if the goroutine outlives it
		if err := <-waiting; err != nil {
			t.Errorf("queued sequence: %v", err)
		}
		if err := <-f.send(t.Context(), 10); !errors.Is(err, errClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestScoreEqualsForward(t *testing.T) {
	lm := openTest(t, "testdata/tiny/gpt2")
	batch := make([][]int32, 40)
	for i := range batch {
		batch[i] = make([]int32, 2+i%30)
		for j := range batch[i] {
			batch[i][j] = int32((i*7 + j*3) % 260)
		}
	}
	want := moments(t, lm, batch)
	before := lm.Stats()
	var wg sync.WaitGroup
	var bad atomic.Int32
	for row, tokens := range batch {
		wg.Go(func() {
			got := make([]Moments, len(tokens)-1)
			err := lm.Score(t.Context(), tokens, func(pos int, logits []float32) {
				if pos+1 < len(tokens) {
					got[pos] = Position(logits, tokens[pos+1])
				}
			})
			if err != nil {
				t.Error(err)
			}
			for pos := range got {
				if diff := got[pos].LogProb - want[row][pos].LogProb; diff > 1e-4 || diff < -1e-4 {
					bad.Add(1)
				}
			}
		})
		wg.Go(func() {
			if err := lm.Score(t.Context(), []int32{1, 999}, nil); err == nil {
				t.Error("an id outside the vocabulary was accepted")
			}
		})
	}
	wg.Wait()
	if bad.Load() > 0 {
		t.Errorf("%d positions differ from Forward", bad.Load())
	}
	stats := lm.Stats()
	if stats.Rows-before.Rows != 40 || stats.FailedRows != 0 || stats.Batches == before.Batches || stats.Batches-before.Batches > 20 {
		t.Errorf("stats %+v", stats)
	}
	if fill := stats.Fill(); fill <= 0.3 || fill > 1 {
		t.Errorf("batch fill %v", fill)
	}
}
