package endpoint

import (
	"context"
	"sync"
	"time"
)

// gate bounds the requests under way by additive increase and multiplicative decrease
// (Chiu and Jain, Computer Networks and ISDN Systems 17, 1989): the bound grows by one
// with every round of answers, doubles in each until the first sign of overload, and
// halves at such signs, once for the requests that were under way together.
type gate struct {
	mutex  sync.Mutex
	most   float64
	limit  float64
	steep  bool // no sign of overload yet
	under  int
	cut    time.Time // of the last decrease
	until  time.Time // nobody passes before
	opened chan struct{}
}

func newGate(most int) *gate {
	return &gate{most: float64(most), limit: min(4, float64(most)), steep: true, opened: make(chan struct{})}
}

// enter waits for a place.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mutex.Lock()
		pause, opened := time.Until(g.until), g.opened
		if pause <= 0 && g.under < int(g.limit) {
			g.under++
			g.mutex.Unlock()
			return nil
		}
		g.mutex.Unlock()
		var timer <-chan time.Time
		if pause > 0 {
			t := time.NewTimer(pause)
			defer t.Stop()
			timer = t.C
		}
		select {
		case <-opened:
		case <-timer:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// outcome is what an answer says of the server's load.
type outcome int

const (
	answered   outcome = iota
	overloaded         // busy, or too slow
	indifferent
)

// leave gives the place back. Nobody passes for the time that a busy server asks for.
func (g *gate) leave(began time.Time, o outcome, pause time.Duration) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.under--
	switch {
	case o == answered && g.steep:
		g.limit = min(g.most, g.limit+1)
	case o == answered:
		g.limit = min(g.most, g.limit+1/g.limit)
	case o == overloaded && began.After(g.cut):
		g.limit, g.steep, g.cut = max(1, g.limit/2), false, time.Now()
	}
	if until := time.Now().Add(pause); pause > 0 && until.After(g.until) {
		g.until = until
	}
	close(g.opened)
	g.opened = make(chan struct{})
}

func (g *gate) now() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return int(g.limit)
}
