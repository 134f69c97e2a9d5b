package data

import (
	"sync"
	"sync/atomic"
)

// Event is a message of a stream. All records that stem from it lead to it, and
// whoever has one of them to deal with holds it: when the last has let go, every
// record was stored, filtered or refused, and the event is settled. A nil event,
// which records from files have, takes every call and does nothing.
type Event struct {
	// Name tells the event from all others and is the same at every delivery.
	Name string

	settle   func([]Refusal)
	holds    atomic.Int64
	mutex    sync.Mutex
	refusals []Refusal
}

// Refusal says why a node refused a record and nothing in the graph took it.
type Refusal struct{ Node, Class, Message string }

// NewEvent makes an event that its maker holds once. settle is called once, by
// whoever lets go last, with the refusals of its records.
func NewEvent(name string, settle func([]Refusal)) *Event {
	e := &Event{Name: name, settle: settle}
	e.holds.Store(1)
	return e
}

// Hold notes n more records that must be dealt with before the event is settled.
func (e *Event) Hold(n int) {
	if e != nil {
		e.holds.Add(int64(n))
	}
}

// Release notes that one of them was. It panics when there was none, for an
// event that is settled too early may be lost.
func (e *Event) Release() {
	if e == nil {
		return
	}
	switch left := e.holds.Add(-1); {
	case left == 0:
		e.settle(e.refusals)
	case left < 0:
		panic("event " + e.Name + " was let go more often than held")
	}
}

// Refuse notes that a record was refused. The caller still holds the event.
func (e *Event) Refuse(r Refusal) {
	if e == nil {
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.refusals = append(e.refusals, r)
}
