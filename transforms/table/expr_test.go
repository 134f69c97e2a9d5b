package table

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var exprSchema = data.MustSchema(
	data.Field{Name: "score", Type: data.Float64Type, Nullable: true},
	data.Field{Name: "half", Type: data.Float32Type},
	data.Field{Name: "n", Type: data.Int64Type, Nullable: true},
	data.Field{Name: "text", Type: data.StringType},
	data.Field{Name: "type", Type: data.StringType},
	data.Field{Name: "ok", Type: data.BoolType, Nullable: true},
	data.Field{Name: "raw", Type: data.BytesType},
	data.Field{Name: "at", Type: data.TimestampType},
	data.Field{Name: "tags", Type: data.ListOf(data.StringType, true), Nullable: true},
	data.Field{Name: "meta", Type: data.Type{Kind: data.Struct, Fields: []data.Field{{Name: "deep", Type: data.Int64Type}}}},
	data.Field{Name: "counts", Type: data.Type{Kind: data.Map, Key: &data.StringType, Elem: &data.Int64Type}},
	data.Field{Name: "odd name", Type: data.Int64Type},
	data.Field{Name: "grid", Type: data.Type{Kind: data.Tensor, Elem: &data.Float32Type, Shape: []int{2}}},
	data.Field{Name: "in", Type: data.Int64Type},
)

func exprRecord() *data.Record {
	return &data.Record{Schema: exprSchema, ID: data.KeyID("r"), Values: []data.Value{
		data.Float64Value(2.25),
		data.Float32Value(0.5),
		data.Int64Value(7),
		data.StringValue("Hello, World"),
		data.StringValue("essay"),
		data.BoolValue(true),
		data.BytesValue([]byte{1, 2, 3}),
		data.TimeValue(time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)),
		data.ListValue([]data.Value{data.StringValue("a"), data.StringValue("b")}),
		data.StructValue([]data.Value{data.Int64Value(5)}),
		data.MapValue([]data.Entry{{Key: data.StringValue("x"), Value: data.Int64Value(1)}}),
		data.Int64Value(41),
		{},
		data.Int64Value(9),
	}}
}

func withNulls(columns ...string) *data.Record {
	r := exprRecord()
	for _, c := range columns {
		r.Values[exprSchema.Index(c)] = data.Value{}
	}
	return r
}

func compiled(t testing.TB, source string) (*expression, error) {
	t.Helper()
	lang, err := newLanguage(exprSchema)
	if err != nil {
		t.Fatal(err)
	}
	return lang.compile("where", source)
}

func TestExpressionsEvaluate(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"score < 2.5", "bool true"},
		{"score < 2", "bool false"},
		{"n < 7.5 && n >= 7", "bool true"},
		{"n > score", "bool true"},
		{"half == 0.5", "bool true"},
		{"n + 1", "int64 8"},
		{"double(n) * score", "float64 15.75"},
		{"text.lowerAscii()", "string hello, world"},
		{"size(text)", "int64 12"},
		{"text.split(', ')", "list [Hello World]"},
		{"type == 'essay' ? 'x' : 'y'", "string x"},
		{"raw", "bytes 010203"},
		{"at.getFullYear()", "int64 2024"},
		{"at", "timestamp 2024-02-29T12:30:00Z"},
		{"'b' in tags", "bool true"},
		{"tags.exists(t, t == 'a')", "bool true"},
		{"tags.map(t, t + '!')", "list [a! b!]"},
		{"int(meta.deep) + 1", "int64 6"},
		{"counts['x'] == 1", "bool true"},
		{`row["odd name"] + 1`, "int64 42"},
		{`row.n + row["in"]`, "int64 16"},
		{"[1].map(n, n + row.n)[0]", "int64 8"},
		{"[1, 2].map(row, row * 2)[1]", "int64 4"},
		{"has(row.score) && has(row.tags)", "bool true"},
		{"math.greatest(n, 10)", "int64 10"},
		{"math.sqrt(score)", "float64 1.5"},
		{"sets.contains(tags, ['a'])", "bool true"},
		{"text.matches('^H.*d$')", "bool true"},
		{"{'a': n}", "map a:7"},
		{"n / 2", "int64 3"},
	} {
		t.Run(c.source, func(t *testing.T) {
			e, err := compiled(t, c.source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.eval(exprRecord())
			if err != nil {
				t.Fatal(err)
			}
			v, err := fromCEL(got)
			if err != nil {
				t.Fatal(err)
			}
			if s := show(v); s != c.want {
				t.Errorf("is %s, want %s", s, c.want)
			}
			if column, ok := columnType(e.result); !ok || column.Kind != v.Kind() {
				t.Errorf("column type %v does not hold a %s", column, v.Kind())
			}
		})
	}
}

// show spells a value with its kind.
func show(v data.Value) string {
	switch v.Kind() {
	case data.Bool:
		return fmt.Sprint("bool ", v.Bool())
	case data.Int64:
		return fmt.Sprint("int64 ", v.Int64())
	case data.Float64:
		return fmt.Sprint("float64 ", v.Float64())
	case data.String:
		return "string " + v.Text()
	case data.Bytes:
		return fmt.Sprintf("bytes %x", v.Bytes())
	case data.Timestamp:
		return "timestamp " + v.Time().Format(time.RFC3339Nano)
	case data.List:
		var parts []string
		for _, e := range v.List() {
			_, text, _ := strings.Cut(show(e), " ")
			parts = append(parts, text)
		}
		return fmt.Sprint("list ", parts)
	case data.Map:
		var parts []string
		for _, e := range v.Map() {
			_, text, _ := strings.Cut(show(e.Value), " ")
			parts = append(parts, e.Key.Text()+":"+text)
		}
		return "map " + strings.Join(parts, " ")
	}
	return v.Kind().String()
}

func TestExpressionMistakesAreOneLineWithPosition(t *testing.T) {
	for _, c := range []struct{ source, code, want string }{
		{"scroe < 2.5", transforms.MissingColumn, `where: col 1: no column "scroe" in the input (did you mean "score"?)`},
		{"n > 1 &&\n  scroe < 2.5", transforms.MissingColumn, `where: line 2, col 3: no column "scroe" in the input (did you mean "score"?)`},
		{`row["odd nam"] > 1`, transforms.MissingColumn, `where: col 4: no column "odd nam" in the input (did you mean "odd name"?)`},
		{"has(row.socre)", transforms.MissingColumn, `where: col 4: no column "socre" in the input (did you mean "score"?)`},
		{"grid == 1", transforms.ColumnType, `where: col 1: column "grid" is tensor<float32, [2]>, which expressions cannot read`},
		{"score * 2", transforms.BadExpression, "where: col 7: * does not take (double, int) (write whole numbers as 2.0, or convert with double(…))"},
		{"score == 2", transforms.BadExpression, "where: col 7: == does not take (double, int) (write whole numbers as 2.0, or convert with double(…))"},
		{"text > 3", transforms.BadExpression, "where: col 6: > does not take (string, int)"},
		{"tags == null", transforms.BadExpression, "where: col 6: == does not take (list(string), null) (has(row.column) tells whether there is a value)"},
		{"n == 1 ? 1 : 2.0", transforms.BadExpression, "where: col 8: ?: does not take (bool, int, double) (write whole numbers as 2.0, or convert with double(…))"},
		{"levenshtein(text, type) > 3", transforms.BadExpression, `where: col 12: no function "levenshtein"`},
		{"score <", transforms.BadExpression, "where: col 8: syntax error: mismatched input 'end'"},
		{"", transforms.BadExpression, "where: col 1: syntax error: mismatched input 'end'"},
		{"row", transforms.BadExpression, `where: col 1: row is not a value (write row.column or row["column"])`},
	} {
		t.Run(c.source, func(t *testing.T) {
			_, err := compiled(t, c.source)
			var wrong *transforms.FieldError
			if !errors.As(err, &wrong) {
				t.Fatalf("error %v, want a FieldError", err)
			}
			if wrong.Code != c.code || wrong.Error() != c.want {
				t.Errorf("%s: %s\nwant %s: %s", wrong.Code, wrong, c.code, c.want)
			}
		})
	}
}

func TestNullsRefuseTheRowUnlessTested(t *testing.T) {
	for _, c := range []struct{ source, null, want string }{
		{"score < 2.5", "score", `null: score < 2.5: column "score" is null`},
		{"score + 1.0 > 2.0", "score", `null: score + 1.0 > 2.0: column "score" is null`},
		{"n > 1 && score < 2.5", "score", `null: n > 1 && score < 2.5: column "score" is null`},
		{"text.size() > 3", "text", `null: text.size() > 3: column "text" is null`},
		{"!ok", "ok", `null: !ok: column "ok" is null`},
		{"'a' in tags", "tags", `null: 'a' in tags: column "tags" is null`},
		{"tags.all(t, t != '')", "tags", `null: tags.all(t, t != ''): column "tags" is null`},
		{"at < timestamp('2025-01-01T00:00:00Z')", "at", `null: at < timestamp('2025-01-01T00:00:00Z'): column "at" is null`},
		{"string(n) == '7'", "n", `null: string(n) == '7': column "n" is null`},
		{"score == null", "score", ""},
		{"score != null && score < 2.5", "score", ""},
		{"n > 100 && score < 2.5", "score", ""},
		{"!has(row.tags) || 'a' in tags", "tags", ""},
		{"score == 2.25", "score", ""},
		{"ok == true", "ok", ""},
	} {
		t.Run(c.source, func(t *testing.T) {
			e, err := compiled(t, c.source)
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.eval(withNulls(c.null))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("error %q, want %q", got, c.want)
			}
		})
	}
}

func TestExpressionsThatFailRefuseTheRow(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"n / 0 > 1", "division by zero"},
		{"n % 0 > 1", "modulus by zero"},
		{"n * 9223372036854775807 > 1", "overflow"},
		{"tags[5] == 'a'", "index"},
		{"int(text) > 1", "type conversion"},
		{"counts['y'] == 1", "no such key"},
		{"text.matches(text + '(')", "regex"},
		{"meta.deep > 1 && meta.shallow == 1", "no such key"},
	} {
		t.Run(c.source, func(t *testing.T) {
			e, err := compiled(t, c.source)
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.eval(exprRecord())
			var reject *transforms.RejectError
			if !errors.As(err, &reject) || reject.Class != "expression" {
				t.Fatalf("error %v, want a reject of class expression", err)
			}
			if !strings.Contains(reject.Message, c.want) || strings.Contains(reject.Message, "\n") {
				t.Errorf("message %q, want one line with %q", reject.Message, c.want)
			}
		})
	}
}

func TestLoopsEndAfterTheirTurns(t *testing.T) {
	e, err := compiled(t, "lists.range(10000).all(x, lists.range(10000).all(y, x + y >= 0))")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err = e.eval(exprRecord())
	if err == nil || !strings.Contains(err.Error(), "more than 1000000 turns") {
		t.Errorf("error %v, want the end of its turns", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestDeepAndLongExpressionsAreRefused(t *testing.T) {
	for _, source := range []string{
		strings.Repeat("(", 10_000) + "n" + strings.Repeat(")", 10_000),
		"n > 0" + strings.Repeat(" && n > 0", 100_000),
	} {
		if _, err := compiled(t, source); err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("error %v, want one short line", err)
		}
	}
}

func TestNaNInExpressions(t *testing.T) {
	e, err := compiled(t, "score < 2.5 || score >= 2.5")
	if err != nil {
		t.Fatal(err)
	}
	r := exprRecord()
	r.Values[0] = data.Float64Value(math.NaN())
	v, err := e.eval(r)
	if err != nil {
		t.Fatal(err)
	}
	if v.Value() != false {
		t.Errorf("NaN is on a side of 2.5: %v", v)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"score < 2.5", `row["odd name"] > 1`, "has(row.n)", "tags.map(t, t)", "row.row.row", "[1].map(row, row.n)", "{row.n: row}", "n in [1,2]", "text.matches('(')"} {
		f.Add(s)
	}
	lang, err := newLanguage(exprSchema)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := lang.compile("where", source)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message of several lines: %q", err)
			}
			return
		}
		if v, err := e.eval(exprRecord()); err == nil {
			fromCEL(v)
		}
	})
}

func BenchmarkExpression(b *testing.B) {
	for _, source := range []string{"score < 2.5", "score < 2.5 && n > 3", "text.size() > 3"} {
		b.Run(source, func(b *testing.B) {
			e, err := compiled(b, source)
			if err != nil {
				b.Fatal(err)
			}
			r := exprRecord()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.eval(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestExpressionsAreSafeForConcurrentUse(t *testing.T) {
	e, err := compiled(t, "n % 2 == 0 && tags.exists(t, t == 'b')")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	for worker := range 4 {
		done.Go(func() {
			r := exprRecord()
			for i := range 500 {
				n := int64(worker + i)
				r.Values[exprSchema.Index("n")] = data.Int64Value(n)
				if v, err := e.eval(r); err != nil || v.Value() != (n%2 == 0) {
					t.Errorf("n = %d: %v, %v", n, v, err)
				}
			}
		})
	}
	done.Wait()
}
