package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock.dev/data"
)

func lines(text string) [][]byte {
	return bytes.Split([]byte(strings.TrimSuffix(text, "\n")), []byte("\n"))
}

func TestInfer(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{`{"a":1,"b":"x"}` + "\n" + `{"c":true,"a":2}`, "a: int64, b: string, c: bool"},
		{`{"a":1}` + "\n" + `{"a":2.5}`, "a: float64"},
		{`{"a":1}` + "\n" + `{"a":"x"}`, "a: json"},
		{`{"a":null}` + "\n" + `{"a":1e3}`, "a: float64"},
		{`{"a":null}`, "a: json"},
		{`{"a":{"b":1}}`, "a: json"},
		{`{"a":[1,2]}` + "\n" + `{"a":[]}`, "a: list<int64>"},
		{`{"a":[1,2.5,null]}`, "a: list<float64>"},
		{`{"a":["x"]}`, "a: list<string>"},
		{`{"a":[[1]]}`, "a: json"},
		{`{"a":[1,"x"]}`, "a: json"},
		{`{"a":[]}`, "a: json"},
		{`{"a":9223372036854775807}`, "a: int64"},
		{`{"a":9223372036854775808}`, "a: json"},
		{`{"a":9007199254740993}` + "\n" + `{"a":0.5}`, "a: json"},
		{`broken` + "\n" + `{"a":1}` + "\n" + `{"a":1} x`, "a: int64"},
	} {
		fields, ok := Infer(lines(c.lines))
		if got := data.MustSchema(fields...).String(); !ok || got != c.want {
			t.Errorf("%s: %s, want %s", c.lines, got, c.want)
		}
	}
	if _, ok := Infer(lines("[1]\nx")); ok {
		t.Error("columns of no objects")
	}
}

var all = data.MustSchema(
	data.Field{Name: "b", Type: data.BoolType},
	data.Field{Name: "i", Type: data.Int64Type},
	data.Field{Name: "f", Type: data.Float64Type},
	data.Field{Name: "g", Type: data.Float32Type},
	data.Field{Name: "s", Type: data.StringType},
	data.Field{Name: "y", Type: data.BytesType},
	data.Field{Name: "t", Type: data.TimestampType},
	data.Field{Name: "l", Type: data.ListOf(data.Int64Type, true)},
	data.Field{Name: "j", Type: JSONType},
)

func TestDecode(t *testing.T) {
	d := NewDecoder(all)
	for _, c := range []struct{ line, want string }{
		{`{}`, `{"b":null,"i":null,"f":null,"g":null,"s":null,"y":null,"t":null,"l":null,"j":null}`},
		{` { "b" : true , "i":-9223372036854775808, "f":1, "g":0.1, "s":"\u00e9\ud83d\ude00\n\"\\\/", "y":"AQI=", "t":"2024-02-29T12:00:00+01:00", "l":[1,null], "j":{"x": [1, 2.50]} } `,
			`{"b":true,"i":-9223372036854775808,"f":1.0,"g":0.1,"s":"é😀\n\"\\/","y":"AQI=","t":"2024-02-29T11:00:00Z","l":[1,null],"j":{"x":[1,2.50]}}`},
		{`{"j":"text","l":[]}`, `{"b":null,"i":null,"f":null,"g":null,"s":null,"y":null,"t":null,"l":[],"j":"text"}`},
	} {
		values, err := d.Decode([]byte(c.line))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if got := strings.TrimSpace(string(AppendRow(nil, all, values))); got != c.want {
			t.Errorf("%s\nis  %s\nwant %s", c.line, got, c.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	d := NewDecoder(all)
	for line, want := range map[string]string{
		`{"i":1.5}`:                              `schema: column "i" is int64, the value is 1.5`,
		`{"i":9223372036854775808}`:              `schema: column "i" is int64, the value is 9223372036854775808`,
		`{"f":9007199254740993}`:                 `schema: column "f" is float64, the value is 9007199254740993`,
		`{"f":1e999}`:                            `schema: column "f" is float64, the value is 1e999`,
		`{"g":16777217}`:                         `schema: column "g" is float32, the value is 16777217`,
		`{"s":1}`:                                `schema: column "s" is string, the value is 1`,
		`{"b":"true"}`:                           `schema: column "b" is bool, the value is "true"`,
		`{"l":["x"]}`:                            `schema: column "l" is list<int64>, the value is ["x"]`,
		`{"l":{"a":1}}`:                          `schema: column "l" is list<int64>, the value is {"a":1}`,
		`{"t":"yesterday"}`:                      `schema: column "t" is timestamp, the value is "yesterday"`,
		`{"y":"not base64!"}`:                    `schema: column "y" is bytes, the value is "not base64!"`,
		`{"ss":1}`:                               `schema: key "ss" is not among the columns (did you mean "s"?)`,
		`{"s":"a","s":"b"}`:                      `schema: key "s" occurs twice`,
		`[1]`:                                    `schema: a line must be an object, this is an array`,
		`7`:                                      `schema: a line must be an object, this is an integer`,
		`{"s":"\ud800"}`:                         `utf8: half a surrogate pair at byte 13`,
		"{\"s\":\"\xff\"}":                       `utf8: invalid UTF-8`,
		`{"s":"a"`:                               `parse: neither comma nor end in an object at byte 9`,
		`{"s":"a"} {}`:                           `parse: text behind the object at byte 11`,
		`{"s":'a'}`:                              `parse: no JSON value at byte 6`,
		`{"i":01}`:                               `parse: malformed number at byte 8`,
		`{s:1}`:                                  `parse: no key at byte 2`,
		`{"s":"a",}`:                             `parse: no key at byte 10`,
		`{"f":NaN}`:                              `parse: no JSON value at byte 6`,
		`nope`:                                   `parse: no JSON value at byte 1`,
		"{\"s\":\"a\tb\"}":                       `parse: control character in a string at byte 8`,
		strings.Repeat("[", 10_000):              `parse: nested too deeply at byte 514`,
		`{"j":` + strings.Repeat(`{"x":`, 5_000): `parse: nested too deeply at byte 2566`,
	} {
		_, err := d.Decode([]byte(line))
		wrong, ok := err.(*Error)
		if !ok {
			t.Errorf("%.60s: error %v", line, err)
			continue
		}
		if got := wrong.Class + ": " + wrong.Message; got != want {
			t.Errorf("%.60s:\n%s\nwant\n%s", line, got, want)
		}
	}
}

func TestWriteNumbersThatJSONLacks(t *testing.T) {
	s := data.MustSchema(data.Field{Name: "x", Type: data.Float64Type})
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := string(AppendRow(nil, s, []data.Value{data.Float64Value(x)})); got != "{\"x\":null}\n" {
			t.Errorf("%v is %q", x, got)
		}
	}
}

func TestWriteNested(t *testing.T) {
	typ := data.Type{Kind: data.Struct, Fields: []data.Field{
		{Name: "m", Type: data.Type{Kind: data.Map, Key: &data.Int64Type, Elem: &data.StringType}},
		{Name: "d", Type: data.Type{Kind: data.Int64, Logical: "date"}},
	}}
	tensor := data.Type{Kind: data.Tensor, Elem: &data.Float32Type, Shape: []int{2, 2}}
	s := data.MustSchema(data.Field{Name: "s", Type: typ}, data.Field{Name: "t", Type: tensor}, data.Field{Name: "j", Type: JSONType})
	got := string(AppendRow(nil, s, []data.Value{
		data.StructValue([]data.Value{
			data.MapValue([]data.Entry{{Key: data.Int64Value(7), Value: data.StringValue("x\x00\xff")}}),
			data.Int64Value(0),
		}),
		data.TensorValue(&data.Array{Shape: []int{2, 2}, Data: []float32{1, 2, 3, float32(math.NaN())}}),
		data.StringValue("{\n  \"a\": 1\n}"),
	}))
	want := `{"s":{"m":{"7":"x\u0000` + "\uFFFD" + `"},"d":"1970-01-01"},"t":[[1.0,2.0],[3.0,null]],"j":{"a":1}}` + "\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// FuzzDecode holds the scanner against encoding/json: both take and refuse the
// same lines and find the same values.
func FuzzDecode(f *testing.F) {
	for _, line := range []string{
		`{"a":1,"b":[1,2.5e3,null],"c":"\u00e9\ud83d\ude00","d":{"e":[]}}`, `{"a":-0.0}`, `{"a":"\ud800x"}`, `{"a":1}x`, `[]`,
		"{\"a\":\"\x7f\u2028\"}", `{"":true,"a":false}`, `{"a":1e5,"b":1E-5,"c":123456789012345678901234567890}`, "\xff", "{}\x00", `{"a":"`, `{"a":tru}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		fields, ok := Infer([][]byte{line})
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		isObject := utf8.Valid(line) && json.Valid(line) && d.Decode(&want) == nil && want != nil
		if !ok {
			if isObject && !strings.Contains(string(line), `\u`) && !strings.Contains(string(line), strings.Repeat("[", 100)) && !strings.Contains(string(line), strings.Repeat("{", 100)) {
				t.Errorf("%q is an object, but no row", line)
			}
			return
		}
		if !isObject {
			t.Fatalf("%q is no object, but a row", line)
		}
		schema, err := data.NewSchema(fields...)
		if err != nil {
			t.Fatal(err)
		}
		values, err := NewDecoder(schema).Decode(line)
		if err != nil {
			if !strings.Contains(err.Error(), "occurs twice") && !strings.Contains(err.Error(), "the value is") {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if schema.Len() != len(want) {
			t.Fatalf("%q: %d columns, want %d", line, schema.Len(), len(want))
		}
		row := AppendRow(nil, schema, values)
		var got map[string]any
		d = json.NewDecoder(bytes.NewReader(row))
		d.UseNumber()
		if err := d.Decode(&got); err != nil {
			t.Fatalf("%q is written as %q: %v", line, row, err)
		}
		if !sameJSON(got, want) {
			t.Errorf("%q is written as %q", line, row)
		}
	})
}

// sameJSON compares decoded JSON; numbers by value, or as the float they round to.
func sameJSON(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		n, ok := b.(json.Number)
		return ok && sameNumber(string(a), string(n))
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, v := range a {
			if w, ok := m[k]; !ok || !sameJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !sameJSON(a[i], l[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

func sameNumber(a, b string) bool {
	x, okX := new(big.Int).SetString(a, 10)
	y, okY := new(big.Int).SetString(b, 10)
	if okX && okY {
		return x.Cmp(y) == 0
	}
	var f, g float64
	_, errF := fmt.Sscan(a, &f)
	_, errG := fmt.Sscan(b, &g)
	return a == b || errF == nil && errG == nil && f == g
}

func BenchmarkDecode(b *testing.B) {
	line := []byte(`{"id":"doc-12345","score":0.73125,"n":42,"text":"` + strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20) + `"}`)
	fields, _ := Infer([][]byte{line})
	d := NewDecoder(data.MustSchema(fields...))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}

// Structs are read as they are written; objects with other keys do not fit.
func TestStructValues(t *testing.T) {
	message := data.Type{Kind: data.Struct, Fields: []data.Field{{Name: "role", Type: data.StringType}, {Name: "n", Type: data.Int64Type, Nullable: true}}}
	list := data.ListOf(message, false)
	const text = `[{"role":"user","n":3},{"role":"assistant","n":null}]`
	v, ok := ParseValue([]byte(text), list)
	if got := string(AppendValue(nil, v, list)); !ok || got != text {
		t.Errorf("%s became %s, %v", text, got, ok)
	}
	for _, wrong := range []string{`[{"role":1}]`, `[{"rule":"user"}]`, `["user"]`, `{}`} {
		if _, ok := ParseValue([]byte(wrong), list); ok {
			t.Errorf("%s is taken for %s", wrong, list)
		}
	}
}
