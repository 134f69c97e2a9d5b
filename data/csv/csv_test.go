package csv

import (
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock.dev/data"
)

// read spells every row as "line: a|b" and every error as "line: class: message".
func read(text string, delimiter rune, max int) []string {
	r := NewReader(strings.NewReader(text), delimiter, max)
	out := []string{}
	for {
		row, err := r.Next()
		var wrong *Error
		switch {
		case err == io.EOF:
			return out
		case errors.As(err, &wrong):
			out = append(out, fmt.Sprintf("%d: %s: %s", r.Line(), wrong.Class, wrong.Message))
			continue
		case err != nil:
			return append(out, err.Error())
		}
		texts := make([]string, len(row))
		for i, f := range row {
			if texts[i] = f.Text; f.Quoted {
				texts[i] = `'` + f.Text + `'`
			}
		}
		out = append(out, fmt.Sprintf("%d: %s", r.Line(), strings.Join(texts, "|")))
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"a,b\n1,2\n", []string{"1: a|b", "2: 1|2"}},
		{"a,b\r\n\r\n1,2", []string{"1: a|b", "3: 1|2"}},
		{`"a ""b""",,""` + "\n", []string{`1: 'a "b"'||''`}},
		{"\"one\ntwo\r\nthree\",x\ny,z\n", []string{"1: 'one\ntwo\r\nthree'|x", "4: y|z"}},
		{"a,b\nx\"y,1\n\"x\"y,1\nz,2\n", []string{"1: a|b", "2: parse: field 1 has a quote inside: quote the field and double the quote", "3: parse: text behind the quotes of field 1", "4: z|2"}},
		{"a,\"open\n1,2\n3,4\n", []string{"1: parse: a quote has no end", "2: 1|2", "3: 3|4"}},
		{"a,\"open\n1,\"x\" y\n3,4\n", []string{"1: parse: text behind the quotes of field 2", "2: parse: text behind the quotes of field 2", "3: 3|4"}},
		{strings.Repeat("x", 100) + "\n1,2\n", []string{"1: parse: the line exceeds 64 bytes", "2: 1|2"}},
		{"\"" + strings.Repeat("x\n", 100), append([]string{"1: parse: a quote has no end within 64 bytes"}, numbered(2, 100, "x")...)},
		{"a,\xff\nb,c\n", []string{"1: utf8: field 2 is not UTF-8", "2: b|c"}},
		{",", []string{"1: |"}},
		{"\uFEFFa,b", []string{"1: a|b"}},
	} {
		if got := read(c.text, ',', 64); !slices.Equal(got, c.want) {
			t.Errorf("%q:\n%q\nwant\n%q", c.text, got, c.want)
		}
	}
	if got := read("a;b\tc\n", '\t', 0); !slices.Equal(got, []string{"1: a;b|c"}) {
		t.Errorf("tab: %q", got)
	}
	if got := read("a→\"b→\"", '→', 0); !slices.Equal(got, []string{"1: a|'b→'"}) {
		t.Errorf("arrow: %q", got)
	}
}

func numbered(from, to int, text string) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprintf("%d: %s", i, text))
	}
	return all
}

func rows(text string) [][]Field {
	r := NewReader(strings.NewReader(text), ',', 0)
	var all [][]Field
	for {
		row, err := r.Next()
		if err != nil {
			return all
		}
		all = append(all, row)
	}
}

func TestInfer(t *testing.T) {
	for _, c := range []struct{ column, want string }{
		{"1\n-2\n\n0", "int64"},
		{"1\n2.5", "float64"},
		{"1e3\nNaN\n-Inf", "float64"},
		{"true\nfalse", "bool"},
		{"true\n1", "string"},
		{"True\nFalse", "string"},
		{"007\n008", "string"},
		{"007\n0.5", "string"},
		{"+49123", "string"},
		{"9223372036854775808", "string"},
		{"9007199254740993\n0.5", "string"},
		{"0x10", "string"},
		{"1_000", "string"},
		{"infinity", "string"},
		{`""` + "\n" + `""`, "string"},
		{"2024-02-29", "string"},
	} {
		if got := Infer(1, rows(c.column))[0].String(); got != c.want {
			t.Errorf("%q is %s, want %s", c.column, got, c.want)
		}
	}
}

func TestConvert(t *testing.T) {
	s := data.MustSchema(
		data.Field{Name: "s", Type: data.StringType},
		data.Field{Name: "n", Type: data.Int64Type},
		data.Field{Name: "l", Type: data.ListOf(data.Float64Type, true)},
		data.Field{Name: "t", Type: data.TimestampType},
	)
	for text, want := range map[string]string{
		`"",,,`:                               `,,,`,
		`x,7,"[1, 2.5]",2024-02-29T00:00:00Z`: `x,7,"[1.0,2.5]",2024-02-29T00:00:00Z`,
		`x,7`:                                 `schema: 2 fields, want 4`,
		`x,7.5,,`:                             `schema: column "n" is int64, the field is "7.5"`,
		`x,7,[1,,`:                            `schema: 5 fields, want 4`,
		`x,7,"[""a""]",`:                      `schema: column "l" is list<float64>, the field is "[\"a\"]"`,
	} {
		values, err := Convert(rows(text)[0], s)
		got := ""
		if wrong, ok := err.(*Error); ok {
			got = wrong.Class + ": " + wrong.Message
		} else {
			got = strings.TrimSpace(string(NewWriter(s, ',').AppendRow(nil, values)))
			got = strings.TrimPrefix(got, `""`)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	values, err := Convert(rows(`"",,,`)[0], s)
	if err != nil || values[0].IsNull() || !values[1].IsNull() {
		t.Errorf("an empty string is quoted, a null is not: %v, %v", values, err)
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	s := data.MustSchema(
		data.Field{Name: "te,xt", Type: data.StringType},
		data.Field{Name: "x", Type: data.Float64Type},
		data.Field{Name: "ok", Type: data.BoolType},
		data.Field{Name: "raw", Type: data.BytesType},
	)
	w := NewWriter(s, ',')
	in := [][]data.Value{
		{data.StringValue("a \"b\",\r\nc\n"), data.Float64Value(math.Inf(-1)), data.BoolValue(true), data.BytesValue([]byte{1})},
		{data.StringValue(""), {}, {}, {}},
		{{}, data.Float64Value(1e-9), data.BoolValue(false), {}},
		{data.StringValue(" x "), data.Float64Value(3), {}, {}},
	}
	text := w.AppendHeader(nil)
	for _, row := range in {
		text = w.AppendRow(text, row)
	}
	got := rows(string(text))
	if got[0][0].Text != "te,xt" {
		t.Errorf("header %v", got[0])
	}
	for i, row := range got[1:] {
		values, err := Convert(row, s)
		if err != nil {
			t.Fatal(err)
		}
		for j := range values {
			if !values[j].Equal(in[i][j]) {
				t.Errorf("row %d, column %d differs in %q", i, j, text)
			}
		}
	}
}

// FuzzRead holds the reader against encoding/csv: a text that it takes without
// complaint gives the same fields, and any text ends.
func FuzzRead(f *testing.F) {
	for _, text := range []string{"a,b\n1,2\n", "\"a\nb\",c", "a,\"b\"\"c\"\r\n", "\"open\nx\n", "a\"b\n", ",\n,,\n", "\xff,\"\"\n", "\r\n\r\n", "\"\"\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := NewReader(strings.NewReader(text), ',', 1<<10)
		var got [][]string
		calls, broken := 0, false
		for {
			row, err := r.Next()
			if err == io.EOF {
				break
			}
			if calls++; calls > strings.Count(text, "\n")+1 {
				t.Fatalf("%q has more rows than lines", text)
			}
			if err != nil {
				if _, ok := err.(*Error); !ok {
					t.Fatal(err)
				}
				broken = true
				continue
			}
			texts := make([]string, len(row))
			for i, field := range row {
				texts[i] = field.Text
				if !utf8.ValidString(field.Text) {
					t.Fatalf("%q: a field is not UTF-8", text)
				}
			}
			got = append(got, texts)
		}
		if broken {
			return // encoding/csv goes on elsewhere
		}
		// encoding/csv drops "\r" before "\n" inside quotes; leave those alone.
		if strings.Contains(text, "\r") || strings.HasPrefix(text, "\uFEFF") {
			return
		}
		reference := stdcsv.NewReader(strings.NewReader(text))
		reference.FieldsPerRecord = -1
		want, err := reference.ReadAll()
		if err != nil {
			t.Fatalf("%q is taken, but is not CSV: %v", text, err)
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	})
}

func TestAPlainRowSplitsAtItsDelimiters(t *testing.T) {
	s := data.MustSchema(data.Field{Name: "a", Type: data.StringType}, data.Field{Name: "b", Type: data.StringType})
	w := NewPlainWriter(s, '→')
	text := w.AppendHeader(nil)
	text = w.AppendRow(text, []data.Value{data.StringValue("say \"x\",\r\nthen→y"), data.StringValue("")})
	text = w.AppendRow(text, []data.Value{{}, data.StringValue("\tü\n")})
	want := "a→b\nsay \"x\",  then y→\n→\tü \n"
	if string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
}
