package parquet

import (
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// el makes a schema element: repetition, converted type and physical type are
// left out if negative.
func el(name string, repetition format.FieldRepetitionType, converted deprecated.ConvertedType, physical format.Type, children int32) format.SchemaElement {
	e := format.SchemaElement{Name: name, RepetitionType: thrift.New(repetition)}
	if converted >= 0 {
		e.ConvertedType = thrift.New(converted)
	}
	if physical >= 0 {
		e.Type = thrift.New(physical)
	} else {
		e.NumChildren = thrift.New(children)
	}
	return e
}

const (
	required = format.Required
	optional = format.Optional
	repeated = format.Repeated
	none     = -1
)

// The encodings of lists and maps that the format's LogicalTypes.md obliges
// readers to understand, with its own examples.
func TestLegacyLists(t *testing.T) {
	root := el("schema", required, none, none, 1)
	text := func(name string, r format.FieldRepetitionType) format.SchemaElement {
		return el(name, r, deprecated.UTF8, format.ByteArray, 0)
	}
	number := func(name string, r format.FieldRepetitionType) format.SchemaElement {
		return el(name, r, none, format.Int32, 0)
	}
	list := el("l", optional, deprecated.List, none, 1)
	for name, test := range map[string]struct {
		elements  []format.SchemaElement
		want      string
		nullable  bool // of the elements
		elemLevel int  // definition level from which there is an element
	}{
		"three levels":      {[]format.SchemaElement{list, el("list", repeated, none, none, 1), text("element", optional)}, "list<string>", true, 2},
		"other names":       {[]format.SchemaElement{list, el("bag", repeated, none, none, 1), text("item", required)}, "list<string>", false, 2},
		"two levels":        {[]format.SchemaElement{list, number("element", repeated)}, "list<int32>", false, 2},
		"several fields":    {[]format.SchemaElement{list, el("element", repeated, none, none, 2), text("str", required), number("num", required)}, "list<struct<str: string, num: int32>>", false, 2},
		"named array":       {[]format.SchemaElement{list, el("array", repeated, none, none, 1), text("str", required)}, "list<struct<str: string>>", false, 2},
		"named tuple":       {[]format.SchemaElement{list, el("l_tuple", repeated, none, none, 1), text("str", required)}, "list<struct<str: string>>", false, 2},
		"no annotation":     {[]format.SchemaElement{number("l", repeated)}, "list<int32>", false, 1},
		"repeated group":    {[]format.SchemaElement{el("l", repeated, none, none, 1), number("x", required)}, "list<struct<x: int32>>", false, 1},
		"list of lists":     {[]format.SchemaElement{list, el("array", repeated, deprecated.List, none, 1), number("array", repeated)}, "list<list<int32>>", false, 2},
		"map":               {[]format.SchemaElement{el("l", optional, deprecated.Map, none, 1), el("key_value", repeated, none, none, 2), text("key", required), number("value", optional)}, "map<string, int32>", true, 2},
		"legacy map":        {[]format.SchemaElement{el("l", optional, deprecated.MapKeyValue, none, 1), el("map", repeated, none, none, 2), text("key", required), number("value", required)}, "map<string, int32>", false, 2},
		"map without value": {[]format.SchemaElement{el("l", optional, deprecated.Map, none, 1), el("key_value", repeated, none, none, 1), text("key", required)}, "struct<key_value: list<struct<key: string>>>", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			top, _, err := readTree(append([]format.SchemaElement{root}, test.elements...))
			if err != nil {
				t.Fatal(err)
			}
			n := top.children[0]
			if n.typ.String() != test.want || n.typ.Nullable != test.nullable || n.elemDef != test.elemLevel {
				t.Errorf("%s, nullable %v, level %d", n.typ, n.typ.Nullable, n.elemDef)
			}
		})
	}
}

func TestDamagedSchemas(t *testing.T) {
	deep := make([]format.SchemaElement, 100)
	for i := range deep {
		deep[i] = el("g", required, none, none, 1)
	}
	for want, elements := range map[string][]format.SchemaElement{
		"no schema":              {},
		"the schema has no root": {el("x", required, none, format.Int32, 0)},
		"ends early":             {el("schema", required, none, none, 2), el("x", required, none, format.Int32, 0)},
		"belong to no column":    {el("schema", required, none, none, 1), el("x", required, none, format.Int32, 0), el("y", required, none, format.Int32, 0)},
		"a group without fields": {el("schema", required, none, none, 1), el("x", required, none, none, 0)},
		"nested more than":       deep,
		"length 0":               {el("schema", required, none, none, 1), el("x", required, none, format.FixedLenByteArray, 0)},
	} {
		if _, _, err := readTree(elements); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want …%s…", err, want)
		}
	}
}
