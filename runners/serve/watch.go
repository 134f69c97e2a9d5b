package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"penstock.dev/graphs"
	"penstock.dev/transforms"
)

// watch notices whether a stream makes progress: events are settled, or none wait.
type watch struct {
	mutex    sync.Mutex
	state    transforms.StreamState
	err      error     // why the state is not known
	settled  int64     // events, at the last look
	progress time.Time // the last there was
	stuck    bool
}

// lookInterval is how often the server is asked how a stream stands, at most.
const lookInterval = 5 * time.Second

// watchStream asks how the stream stands until ctx ends.
func (k *keeper) watchStream(ctx context.Context) {
	tick := time.NewTicker(max(min(k.options.Stuck/4, lookInterval), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.look(ctx)
	}
}

// look asks how the stream stands now, and says loudly when it gets stuck.
func (k *keeper) look(ctx context.Context) {
	k.mutex.Lock()
	e, done := k.execution, k.settled
	k.mutex.Unlock()
	var state transforms.StreamState
	err := errDown
	if e != nil {
		done += settled(e)
		err = errStarting
		if _, s := e.Subscription(); s != nil {
			state, err = s.State(ctx)
		}
	}
	if !k.watch.note(state, err, done, time.Now(), k.options.Stuck) {
		return
	}
	if why := k.trouble(); why != "" {
		k.options.Log.Error("stuck", "graph", k.name, "why", why)
	} else {
		k.options.Log.Info("no longer stuck", "graph", k.name)
	}
}

// settled is the number of events that a pipeline has settled.
func settled(e *graphs.Execution) int64 {
	c := e.Events()
	return c.Acknowledged + c.DeadLetters
}

var (
	errDown     = errors.New("the pipeline does not run")
	errStarting = errors.New("the pipeline starts")
)

// note takes in how the stream stands: it has made progress if the state is known
// and nothing waits, events were settled here, or by another process. turned reports
// that it got stuck or is so no longer.
func (w *watch) note(state transforms.StreamState, err error, settled int64, now time.Time, limit time.Duration) (turned bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	idle := err == nil && state.Waiting+state.Pending == 0
	moved := settled != w.settled || err == nil && w.err == nil && state.Floor != w.state.Floor
	if idle || moved {
		w.progress = now
	}
	w.state, w.err, w.settled = state, err, settled
	stuck := now.Sub(w.progress) > limit
	turned, w.stuck = stuck != w.stuck, stuck
	return turned
}

// trouble is why the graph is not well; empty if it is.
func (k *keeper) trouble() string {
	k.mutex.Lock()
	failure := k.failure
	k.mutex.Unlock()
	w := &k.watch
	w.mutex.Lock()
	defer w.mutex.Unlock()
	since := time.Since(w.progress).Round(time.Second)
	switch {
	case !w.stuck:
		return ""
	case failure != nil:
		return fmt.Sprintf("no progress for %v: %s", since, oneLine(failure))
	case w.err != nil:
		return fmt.Sprintf("no progress for %v: %s", since, oneLine(w.err))
	}
	return fmt.Sprintf("no progress for %v: %d events wait, %d are in flight", since, w.state.Waiting, w.state.Pending)
}

// unready is why the graph takes no events now; empty if it does.
func (k *keeper) unready() string {
	k.mutex.Lock()
	failure := k.failure
	k.mutex.Unlock()
	if failure != nil {
		return oneLine(failure)
	}
	k.watch.mutex.Lock()
	defer k.watch.mutex.Unlock()
	if k.watch.err != nil {
		return oneLine(k.watch.err)
	}
	return ""
}
