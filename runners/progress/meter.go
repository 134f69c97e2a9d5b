package progress

import (
	"math"
	"time"
)

const (
	memory  = 10 * time.Second // how far back the rate remembers, mostly
	warming = 2 * time.Second  // no estimate of the time left before
)

// meter smooths the rate of rows: an exponentially weighted mean over time, so
// that its memory does not depend on how often it is fed. The weights are
// normalised (as in Adam, Kingma and Ba 2015), which keeps the zero it starts
// from out of the mean.
type meter struct {
	at           time.Duration
	rows         int64
	mean, weight float64
}

// add notes that rows were done at the given time of the run.
func (m *meter) add(at time.Duration, rows int64) {
	step := at - m.at
	if step <= 0 {
		return
	}
	now := float64(max(0, rows-m.rows)) / step.Seconds()
	keep := math.Exp(-step.Seconds() / memory.Seconds())
	m.mean = keep*m.mean + (1-keep)*now
	m.weight = keep*m.weight + (1 - keep)
	m.at, m.rows = at, rows
}

// rate is in rows a second.
func (m *meter) rate() float64 {
	if m.weight == 0 {
		return 0
	}
	return m.mean / m.weight
}

// left estimates the time until all expected rows are done. It knows nothing in
// the first seconds, while nothing moves, when the end is unknown, and when
// there turned out to be more rows than expected.
func (m *meter) left(s Snapshot) (time.Duration, bool) {
	rate := m.rate()
	if s.Elapsed < warming || s.Expected <= 0 || s.Rows > s.Expected || s.Rows == 0 || rate <= 0 {
		return 0, false
	}
	seconds := float64(s.Expected-s.Rows) / rate
	if seconds > 1000*3600 {
		return 0, false
	}
	return coarse(time.Duration(seconds * float64(time.Second))), true
}

// coarse rounds an estimate to what it can be trusted for, and keeps the
// display calm.
func coarse(d time.Duration) time.Duration {
	switch {
	case d > time.Hour:
		return d.Round(5 * time.Minute)
	case d > 10*time.Minute:
		return d.Round(time.Minute)
	case d > time.Minute:
		return d.Round(5 * time.Second)
	}
	return d.Round(time.Second)
}
