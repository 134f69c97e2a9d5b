package data_test

import (
	"slices"
	"sync"
	"testing"

	"penstock.dev/data"
)

// An event is settled once, by the last of those that hold it, with what any of
// them refused.
func TestEventIsSettledByTheLast(t *testing.T) {
	const holders = 64
	settled := 0
	var refusals []data.Refusal
	e := data.NewEvent("EVENTS:1", func(r []data.Refusal) { settled, refusals = settled+1, r })
	e.Hold(holders)
	e.Release()
	if settled != 0 {
		t.Fatal("settled while it was held")
	}
	var all sync.WaitGroup
	for range holders {
		all.Go(func() {
			e.Refuse(data.Refusal{Node: "score", Class: "null"})
			e.Release()
		})
	}
	all.Wait()
	if settled != 1 || len(refusals) != holders {
		t.Errorf("settled %d times with %d refusals, want once with %d", settled, len(refusals), holders)
	}
	defer func() {
		if recover() == nil {
			t.Error("an event was let go that nobody held, and nothing happened")
		}
	}()
	e.Release()
}

// Every record that is made from one leads to its event, and the encoding does
// not show it.
func TestRecordsInheritTheirEvent(t *testing.T) {
	s := data.MustSchema(data.Field{Name: "n", Type: data.Int64Type})
	more := data.MustSchema(data.Field{Name: "n", Type: data.Int64Type}, data.Field{Name: "m", Type: data.Int64Type})
	e := data.NewEvent("EVENTS:1", nil)
	plain := &data.Record{Schema: s, ID: data.ID{Source: "EVENTS", Row: 1}, Values: []data.Value{data.Int64Value(1)}}
	r := plain.Under(e)
	for name, made := range map[string]*data.Record{
		"Under":  r,
		"Append": r.Append(more, data.Int64Value(2)),
		"With":   r.With(s, r.Values),
		"Child":  r.Child(0, s, r.Values),
	} {
		if made.Event() != e {
			t.Errorf("%s: the event is lost", name)
		}
	}
	if plain.Event() != nil {
		t.Error("Under wrote to its record")
	}
	if !slices.Equal(data.EncodeRecord(plain), data.EncodeRecord(r)) {
		t.Error("the encoding depends on the event")
	}
}
