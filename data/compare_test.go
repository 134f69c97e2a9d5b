package data

import (
	"math"
	"math/big"
	"testing"
)

func TestCompareIsExactAndTotal(t *testing.T) {
	ordered := []Value{
		BoolValue(false),
		BoolValue(true),
		Float64Value(math.Inf(-1)),
		Float64Value(-1 << 63),
		Int64Value(-1<<63 + 1),
		Float64Value(-1.5),
		Int64Value(-1),
		Float64Value(-0.5),
		Int64Value(0),
		Float32Value(0.5),
		Int64Value(1 << 53),
		Int64Value(1<<53 + 1),
		Float64Value(1<<53 + 2),
		Int64Value(math.MaxInt64),
		Float64Value(1 << 63),
		Float64Value(math.Inf(1)),
		Float64Value(math.NaN()),
		StringValue(""),
		StringValue("B"),
		StringValue("a"),
		BytesValue([]byte{0}),
		TimestampValue(1, Second),
		TimestampValue(1001, Milli),
		{},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := Compare(a, b); sign(got) != sign(i-j) {
				t.Errorf("Compare(%d, %d) = %d", i, j, got)
			}
		}
	}
	if Compare(Float64Value(math.Copysign(0, -1)), Int64Value(0)) != 0 {
		t.Error("-0 is not 0")
	}
	if Compare(TimestampValue(1, Second), TimestampValue(1000, Milli)) != 0 {
		t.Error("a second is not 1000 milliseconds")
	}
}

func sign(i int) int { return min(max(i, -1), 1) }

func FuzzCompareIntegerWithFloat(f *testing.F) {
	f.Add(int64(1<<53+1), float64(1<<53))
	f.Add(int64(math.MinInt64), float64(math.MinInt64))
	f.Add(int64(math.MaxInt64), float64(1<<63))
	f.Add(int64(-3), -2.5)
	f.Fuzz(func(t *testing.T, i int64, x float64) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			t.Skip("not in big.Float")
		}
		want := new(big.Float).SetInt64(i).Cmp(big.NewFloat(x))
		if got := Compare(Int64Value(i), Float64Value(x)); got != want {
			t.Errorf("Compare(%d, %v) = %d, want %d", i, x, got, want)
		}
	})
}

func TestNearest(t *testing.T) {
	s := MustSchema(Field{Name: "score"}, Field{Name: "text"}, Field{Name: "language"}, Field{Name: "ID"})
	for name, want := range map[string]string{"scroe": "score", "txt": "text", "langauge": "language", "id": "ID", "unrelated": "", "Text": "text"} {
		if got, _ := s.Nearest(name); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}

func TestTextOfLogicalTypes(t *testing.T) {
	for _, c := range []struct {
		v       Value
		t       Type
		logical string
		want    string
	}{
		{Float64Value(3), Float64Type, "", "3.0"},
		{Float64Value(0.1), Float64Type, "", "0.1"},
		{Float64Value(1e300), Float64Type, "", "1e+300"},
		{Float32Value(0.1), Float32Type, "", "0.1"},
		{Float64Value(1234567.5), Float64Type, "", "1234567.5"},
		{Float64Value(math.Inf(-1)), Float64Type, "", "-Inf"},
		{Int64Value(19782), Int64Type, "date", "2024-02-29"},
		{Int64Value(-1), Int64Type, "date", "1969-12-31"},
		{Int64Value(45296789), Int64Type, "time(ms)", "12:34:56.789"},
		{Int64Value(-1), Int64Type, "uint64", "18446744073709551615"},
		{Int64Value(-5), Int64Type, "decimal(10,2)/int64", "-0.05"},
		{Int64Value(12345), Int64Type, "decimal(10,2)/int64", "123.45"},
		{BytesValue([]byte{0xff, 0x85}), BytesType, "decimal(10,2)/bytes", "-1.23"},
		{BytesValue([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}), BytesType, "uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f"},
		{BytesValue([]byte{1, 2}), BytesType, "", "AQI="},
		{TimestampValue(1709210096789000, Micro), TimestampType, "", "2024-02-29T12:34:56.789Z"},
		{TimestampValue(1709210096, Second), Type{Kind: Timestamp, Unit: Second, Local: true}, "", "2024-02-29T12:34:56"},
	} {
		c.t.Logical = c.logical
		if got := string(AppendText(nil, c.v, c.t)); got != c.want {
			t.Errorf("%s: %q, want %q", c.t, got, c.want)
		}
	}
}
