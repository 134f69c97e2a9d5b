package graphs

import (
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// window applies a row node to the rows of a bundle. Prism gives a chain of
// nodes one goroutine; a [transforms.Windowed] node therefore works on up to
// Window rows at once in goroutines of their own, and the DoFn's goroutine
// emits what is finished in the order of the input.
type window struct {
	live    *live
	size    int        // 0 for nodes that are not windowed
	pending []*pending // oldest first
	working sync.WaitGroup
}

// pending is a row under way; outcome is set when done is closed.
type pending struct {
	record  *data.Record
	outcome outcome
	done    chan struct{}
}

func newWindow(l *live) *window {
	w := &window{live: l}
	if n, ok := l.Impl.(transforms.Windowed); ok {
		w.size = max(1, n.Window())
	}
	return w
}

// add takes the next row; it may emit results of rows before it.
func (w *window) add(r *data.Record, out ports) error {
	if w.size == 0 {
		return w.live.deliver(r, w.live.process(r), out)
	}
	p := &pending{record: r, done: make(chan struct{})}
	w.pending = append(w.pending, p)
	w.working.Add(1)
	go func() {
		defer w.working.Done()
		defer close(p.done)
		p.outcome = w.live.process(r)
	}()
	return w.emit(out, w.size-1)
}

// drain waits for every row under way and emits the results.
func (w *window) drain(out ports) error {
	return w.emit(out, 0)
}

// emit waits until at most keep rows are under way, and sends on what the
// oldest of them gave. After an error no goroutine is left behind.
func (w *window) emit(out ports, keep int) error {
	for len(w.pending) > 0 {
		p := w.pending[0]
		if len(w.pending) <= keep {
			select {
			case <-p.done:
			default:
				return nil
			}
		}
		<-p.done
		w.pending[0] = nil
		w.pending = w.pending[1:]
		if err := w.live.deliver(p.record, p.outcome, out); err != nil {
			w.working.Wait()
			w.pending = nil
			return err
		}
	}
	return nil
}
