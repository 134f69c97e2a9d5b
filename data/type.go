package data

import (
	"fmt"
	"slices"
	"strings"
)

// Kind says how a value is held in memory.
type Kind uint8

// The kinds of value. Null is the kind of a missing value, never of a column.
const (
	Null Kind = iota
	Bool
	Int64
	Float32
	Float64
	String
	Bytes
	Timestamp
	List
	Struct
	Map
	Tensor
)

var kindNames = [...]string{"null", "bool", "int64", "float32", "float64", "string", "bytes", "timestamp", "list", "struct", "map", "tensor"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", k)
}

// Unit is the resolution of a timestamp.
type Unit uint8

// Units of a timestamp; Micro is the default of every format that has one.
const (
	Micro Unit = iota
	Milli
	Nano
	Second
)

func (u Unit) String() string { return [...]string{"us", "ms", "ns", "s"}[u&3] }

// perSecond is the number of ticks of the unit in a second.
func (u Unit) perSecond() int64 { return [...]int64{1e6, 1e3, 1e9, 1}[u&3] }

// Type is the type of a column or of what is nested in it.
//
// Kind tells how values are held; Logical keeps what a file format said beyond
// that, so that a column is written back as it was read: "int8", "uint64",
// "date", "decimal(10,2)", "uuid", "json". The format packages own the
// vocabulary; every other package looks at Kind alone.
type Type struct {
	Kind    Kind
	Logical string  `json:",omitempty"`
	Unit    Unit    `json:",omitempty"` // of a Timestamp
	Local   bool    `json:",omitempty"` // a Timestamp without a time zone
	Elem    *Type   `json:",omitempty"` // of a List, Map (its values) or Tensor
	Key     *Type   `json:",omitempty"` // of a Map
	Fields  []Field `json:",omitempty"` // of a Struct
	Shape   []int   `json:",omitempty"` // of a Tensor; -1 is an extent that differs by row
	// Nullable says whether elements of a List or values of a Map may be null.
	Nullable bool `json:",omitempty"`
}

// Plain types, to be shared and not modified.
var (
	BoolType      = Type{Kind: Bool}
	Int64Type     = Type{Kind: Int64}
	Float32Type   = Type{Kind: Float32}
	Float64Type   = Type{Kind: Float64}
	StringType    = Type{Kind: String}
	BytesType     = Type{Kind: Bytes}
	TimestampType = Type{Kind: Timestamp}
)

// ListOf is the type of lists of elem, which may hold nulls if nullable.
func ListOf(elem Type, nullable bool) Type {
	return Type{Kind: List, Elem: &elem, Nullable: nullable}
}

// String is the type as graphs and messages write it: "int64", "list<float32>",
// "struct<a: int64, b: string>", "decimal(10,2)".
func (t Type) String() string {
	switch {
	case t.Logical != "":
		return t.Logical
	case t.Kind == Timestamp && t.Unit != Micro:
		return "timestamp(" + t.Unit.String() + ")"
	case t.Kind == List:
		return "list<" + t.Elem.String() + ">"
	case t.Kind == Map:
		return "map<" + t.Key.String() + ", " + t.Elem.String() + ">"
	case t.Kind == Tensor:
		return "tensor<" + t.Elem.String() + strings.TrimSuffix(fmt.Sprintf(", %v", t.Shape), ", []") + ">"
	case t.Kind == Struct:
		var b strings.Builder
		b.WriteString("struct<")
		for i, f := range t.Fields {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s: %s", f.Name, f.Type)
		}
		return b.String() + ">"
	}
	return t.Kind.String()
}

// Equal reports whether both types hold the same values in the same way.
func (t Type) Equal(o Type) bool {
	if t.Kind != o.Kind || t.Logical != o.Logical || t.Unit != o.Unit || t.Local != o.Local || t.Nullable != o.Nullable {
		return false
	}
	return equalPtr(t.Elem, o.Elem) && equalPtr(t.Key, o.Key) && slices.Equal(t.Shape, o.Shape) &&
		slices.EqualFunc(t.Fields, o.Fields, Field.Equal)
}

func equalPtr(a, b *Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// ParseType reads the spelling a graph uses to declare a column: a plain kind
// name or "list<…>" of one.
func ParseType(s string) (Type, error) {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "list<"); ok && strings.HasSuffix(inner, ">") {
		elem, err := ParseType(strings.TrimSuffix(inner, ">"))
		if err != nil {
			return Type{}, err
		}
		return ListOf(elem, true), nil
	}
	for k := Bool; k <= Timestamp; k++ {
		if s == kindNames[k] {
			return Type{Kind: k}, nil
		}
	}
	return Type{}, fmt.Errorf("unknown column type %q (want bool, int64, float32, float64, string, bytes, timestamp or list<…>)", s)
}

// Accepts reports whether a column declared as t may be filled from a file's
// column of type have: the kinds must agree, the logical detail need not.
func (t Type) Accepts(have Type) bool {
	if t.Kind != have.Kind {
		return false
	}
	return t.Elem == nil || have.Elem == nil || t.Elem.Accepts(*have.Elem)
}
