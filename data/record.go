package data

import (
	"strconv"
)

// Record is one row. Whoever emits a record gives it away: nobody writes to it
// afterwards, for branches of a graph share it.
type Record struct {
	Schema *Schema
	ID     ID
	// Order is the row's place in the input: it grows along a source, and rows
	// made from a row inherit it. Sinks that keep the input's order use it.
	Order  int64
	Values []Value // one for each field of Schema

	event *Event // of a stream; no part of the encoding
}

// Event is the event of a stream that the record stems from, nil if it comes from
// elsewhere.
func (r *Record) Event() *Event { return r.event }

// Under makes the same record stem from an event.
func (r *Record) Under(e *Event) *Record {
	n := *r
	n.event = e
	return &n
}

// Get is the value of the named column, null if the record has none.
func (r *Record) Get(name string) Value {
	if i := r.Schema.Index(name); i >= 0 {
		return r.Values[i]
	}
	return Value{}
}

// Append makes a record with further values; schema is the record's own with
// that many more columns at its end.
func (r *Record) Append(schema *Schema, values ...Value) *Record {
	n := *r
	n.Schema = schema
	n.Values = append(r.Values[:len(r.Values):len(r.Values)], values...)
	return &n
}

// With makes a record with other columns and the same identity.
func (r *Record) With(schema *Schema, values []Value) *Record {
	return &Record{Schema: schema, ID: r.ID, Order: r.Order, Values: values, event: r.event}
}

// Child makes the n-th of several records that stem from r.
func (r *Record) Child(n int, schema *Schema, values []Value) *Record {
	return &Record{Schema: schema, ID: r.ID.Child(n), Order: r.Order, Values: values, event: r.event}
}

// Size is about the number of bytes the record occupies in memory.
func (r *Record) Size() int {
	n := 104
	for _, v := range r.Values {
		n += v.Size()
	}
	return n
}

// ID names a row, the same in every run: where it was read, or its key. Seeds,
// rejects and accounting go by it.
type ID struct {
	// Source is the file as the graph names it, or the value of the key column.
	Source string
	// Row is the row's number in its source, counted from 0; -1 if Source is a key.
	Row int64
	// Part tells apart the rows made from one row, such as the passages of a
	// document: "3", or "3.1" when those were divided again.
	Part string
}

// KeyID is the id of a row that a key column identifies.
func KeyID(key string) ID { return ID{Source: key, Row: -1} }

// Child is the id of the n-th row made from this one.
func (id ID) Child(n int) ID {
	if id.Part != "" {
		id.Part += "."
	}
	id.Part += strconv.Itoa(n)
	return id
}

// String is the id as messages show it: "essays.parquet#12", "doc-7",
// "essays.parquet#12/3".
func (id ID) String() string {
	s := id.Source
	if id.Row >= 0 {
		s += "#" + strconv.FormatInt(id.Row, 10)
	}
	if id.Part != "" {
		s += "/" + id.Part
	}
	return s
}

// Hash is a 64-bit hash of the id, the same in every process.
func (id ID) Hash() uint64 {
	h := hashString(fnvOffset, id.Source)
	h = hashUint64(h, uint64(id.Row))
	return mix(hashString(h, id.Part))
}
