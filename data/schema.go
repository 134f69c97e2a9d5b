package data

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"
)

// Field is a named column.
type Field struct {
	Name     string
	Type     Type
	Nullable bool `json:",omitempty"`
	// Origin says what computed the column, where that matters to whoever uses
	// it: "Lastde lastde_pp model=9f2c… s=4 …". Nodes that hand a column on keep
	// it, files carry it. It is no part of the schema's identity.
	Origin string `json:"-"`
}

// Equal reports whether both fields have the same name, type and nullability.
func (f Field) Equal(o Field) bool {
	return f.Name == o.Name && f.Nullable == o.Nullable && f.Type.Equal(o.Type)
}

// Schema is an ordered set of columns with distinct names. It is immutable and
// shared by the records that have it.
type Schema struct {
	fields      []Field
	index       map[string]int
	fingerprint uint64
}

// NewSchema makes a schema; two columns of one name are an error.
func NewSchema(fields ...Field) (*Schema, error) {
	s := &Schema{fields: fields, index: make(map[string]int, len(fields))}
	for i, f := range fields {
		if _, twice := s.index[f.Name]; twice {
			return nil, fmt.Errorf("column %q occurs twice", f.Name)
		}
		s.index[f.Name] = i
	}
	s.fingerprint = fingerprint(fields)
	return s, nil
}

// MustSchema is NewSchema for fields known to be distinct; it panics otherwise.
func MustSchema(fields ...Field) *Schema {
	s, err := NewSchema(fields...)
	if err != nil {
		panic(err)
	}
	return s
}

// Len is the number of columns.
func (s *Schema) Len() int { return len(s.fields) }

// Field is the i-th column, counted from 0.
func (s *Schema) Field(i int) Field { return s.fields[i] }

// Fields are the columns in order; the slice must not be modified.
func (s *Schema) Fields() []Field { return s.fields[:len(s.fields):len(s.fields)] }

// Names are the column names in order.
func (s *Schema) Names() []string {
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.Name
	}
	return names
}

// Index is the position of the named column, -1 if there is none.
func (s *Schema) Index(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Lookup returns the named column.
func (s *Schema) Lookup(name string) (Field, bool) {
	i, ok := s.index[name]
	if !ok {
		return Field{}, false
	}
	return s.fields[i], true
}

// Append makes a schema with more columns at the end.
func (s *Schema) Append(fields ...Field) (*Schema, error) {
	return NewSchema(append(s.Fields(), fields...)...)
}

// Fingerprint identifies the schema: equal schemas have equal fingerprints, in
// every process.
func (s *Schema) Fingerprint() uint64 { return s.fingerprint }

// Equal reports whether both schemas have the same columns in the same order.
func (s *Schema) Equal(o *Schema) bool {
	return s == o || s != nil && o != nil && s.fingerprint == o.fingerprint
}

// String lists the columns: "id: string, score: float64".
func (s *Schema) String() string {
	var b strings.Builder
	for i, f := range s.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.Name + ": " + f.Type.String())
	}
	return b.String()
}

// MarshalJSON writes the columns as a list.
func (s *Schema) MarshalJSON() ([]byte, error) { return json.Marshal(s.fields) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Schema) UnmarshalJSON(b []byte) error {
	var fields []Field
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	n, err := NewSchema(fields...)
	if err != nil {
		return err
	}
	*s = *n
	return nil
}

func fingerprint(fields []Field) uint64 {
	h := fnv.New64a()
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a Field holds nothing that JSON cannot write
	}
	h.Write(b)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// known maps fingerprints to schemas for the decoder of records: bytes that
// cross a stage carry the fingerprint alone.
var known sync.Map

// Know makes a schema known to this process, so that records which have it can
// be decoded. Nodes call it when they are set up.
func Know(s *Schema) { known.LoadOrStore(s.fingerprint, s) }

func schemaOf(fingerprint uint64) (*Schema, bool) {
	s, ok := known.Load(fingerprint)
	if !ok {
		return nil, false
	}
	return s.(*Schema), true
}
