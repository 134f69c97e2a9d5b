package data

import (
	"math"
	"testing"
)

// everyKind is a schema with a column of every kind, and a record of it.
func everyKind() *Record {
	s := MustSchema(
		Field{Name: "null", Type: StringType, Nullable: true},
		Field{Name: "bool", Type: BoolType},
		Field{Name: "int", Type: Int64Type},
		Field{Name: "float", Type: Float32Type},
		Field{Name: "double", Type: Float64Type},
		Field{Name: "string", Type: StringType},
		Field{Name: "empty", Type: StringType},
		Field{Name: "bytes", Type: BytesType},
		Field{Name: "time", Type: Type{Kind: Timestamp, Unit: Nano}},
		Field{Name: "list", Type: ListOf(Int64Type, true)},
		Field{Name: "struct", Type: Type{Kind: Struct, Fields: []Field{{Name: "a", Type: BoolType}, {Name: "b", Type: StringType}}}},
		Field{Name: "map", Type: Type{Kind: Map, Key: &StringType, Elem: &Int64Type}},
		Field{Name: "tensor", Type: Type{Kind: Tensor, Elem: &Float32Type, Shape: []int{2, 2}}},
	)
	return &Record{Schema: s, ID: ID{Source: "in/a.parquet", Row: 7, Part: "1.2"}, Order: 1<<40 + 3, Values: []Value{
		{},
		BoolValue(true),
		Int64Value(math.MinInt64),
		Float32Value(float32(math.Inf(-1))),
		Float64Value(math.NaN()),
		StringValue("naïve\x00\xff"),
		StringValue(""),
		BytesValue([]byte{0, 1, 255}),
		TimestampValue(-1, Nano),
		ListValue([]Value{Int64Value(1), {}, Int64Value(-3)}),
		StructValue([]Value{BoolValue(false), StringValue("x")}),
		MapValue([]Entry{{StringValue("k"), Int64Value(1)}}),
		TensorValue(&Array{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}),
	}}
}

func equalRecords(a, b *Record) bool {
	return a.Schema.Equal(b.Schema) && a.ID == b.ID && a.Order == b.Order && equalValues(a.Values, b.Values)
}

func TestRecordsSurviveEncoding(t *testing.T) {
	r := everyKind()
	Know(r.Schema)
	got, err := DecodeRecord(EncodeRecord(r))
	if err != nil {
		t.Fatal(err)
	}
	if !equalRecords(got, r) {
		t.Errorf("decoded %+v, want %+v", got, r)
	}
	for i, v := range r.Values {
		if i > 0 && v.Kind() != r.Schema.Field(i).Type.Kind {
			t.Errorf("value %d is a %s, its column a %s", i, v.Kind(), r.Schema.Field(i).Type.Kind)
		}
	}
}

func TestTruncatedRecordsAreErrors(t *testing.T) {
	r := everyKind()
	Know(r.Schema)
	b := EncodeRecord(r)
	for n := range b {
		if _, err := DecodeRecord(b[:n:n]); err == nil {
			t.Errorf("%d of %d bytes decode", n, len(b))
		}
	}
	if _, err := DecodeRecord(append(b, 0)); err == nil {
		t.Error("a record with a byte too many decodes")
	}
}

func FuzzDecodeRecord(f *testing.F) {
	r := everyKind()
	Know(r.Schema)
	f.Add(EncodeRecord(r))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeRecord(b)
		if err != nil {
			return
		}
		again, err := DecodeRecord(EncodeRecord(got))
		if err != nil || !equalRecords(again, got) {
			t.Errorf("%+v does not survive encoding: %v", got, err)
		}
	})
}

func TestSchemasKeepTheirFingerprint(t *testing.T) {
	// Records encoded by one process are decoded by another: the fingerprint of
	// a schema may not change between builds.
	s := MustSchema(Field{Name: "id", Type: StringType}, Field{Name: "score", Type: Float64Type, Nullable: true})
	const want = 0xcaf389db227c6b5c // FNV-1a of the columns as JSON
	if got := s.Fingerprint(); got != want {
		t.Errorf("fingerprint %#x, want %#x", got, uint64(want))
	}
	other := MustSchema(Field{Name: "id", Type: StringType}, Field{Name: "score", Type: Float64Type})
	if other.Equal(s) {
		t.Error("schemas of different nullability are equal")
	}
}

func TestAppendLeavesTheReceivedRecordAlone(t *testing.T) {
	s := MustSchema(Field{Name: "a", Type: Int64Type})
	values := make([]Value, 1, 8)
	values[0] = Int64Value(1)
	r := &Record{Schema: s, Values: values}
	wide, err := s.Append(Field{Name: "b", Type: Int64Type})
	if err != nil {
		t.Fatal(err)
	}
	first, second := r.Append(wide, Int64Value(2)), r.Append(wide, Int64Value(3))
	if first.Get("b").Int64() != 2 || second.Get("b").Int64() != 3 || len(r.Values) != 1 {
		t.Errorf("two branches share memory: b is %d and %d", first.Get("b").Int64(), second.Get("b").Int64())
	}
}

func TestDrawsDependOnRowSeedAndDrawAlone(t *testing.T) {
	id := ID{Source: "a", Row: 1}
	first := Draw(id, 1, 0).Uint64()
	if Draw(id, 1, 0).Uint64() != first {
		t.Error("the same draw differs")
	}
	others := map[string]uint64{
		"row":  Draw(ID{Source: "a", Row: 2}, 1, 0).Uint64(),
		"part": Draw(id.Child(0), 1, 0).Uint64(),
		"seed": Draw(id, 2, 0).Uint64(),
		"draw": Draw(id, 1, 1).Uint64(),
	}
	for what, got := range others {
		if got == first {
			t.Errorf("another %s gives the same draw", what)
		}
	}
}

func TestHashIsUniform(t *testing.T) {
	const buckets, n = 16, 160000
	var counts [buckets]int
	for i := range n {
		counts[ID{Source: "x", Row: int64(i)}.Hash()>>60]++
	}
	chi := 0.0
	for _, c := range counts {
		d := float64(c) - n/buckets
		chi += d * d / (n / buckets)
	}
	if chi > 37.7 { // 0.999 quantile for 15 degrees of freedom
		t.Errorf("chi-square %.1f over the high bits", chi)
	}
}

func TestParseType(t *testing.T) {
	for _, s := range []string{"bool", "int64", "float32", "float64", "string", "bytes", "timestamp", "list<string>", "list<list<float32>>"} {
		typ, err := ParseType(s)
		if err != nil || typ.String() != s {
			t.Errorf("ParseType(%q) = %s, %v", s, typ, err)
		}
	}
	for _, s := range []string{"", "int", "null", "list<", "list<>", "struct"} {
		if typ, err := ParseType(s); err == nil {
			t.Errorf("ParseType(%q) = %s", s, typ)
		}
	}
}
