package table

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// memory is the complete input of a Global, by port.
type memory map[string][]*data.Record

func (m memory) Rows(port string) iter.Seq2[*data.Record, error] {
	rows := slices.Clone(m[port])
	slices.SortStableFunc(rows, func(a, b *data.Record) int { return cmp.Compare(a.Order, b.Order) })
	return func(yield func(*data.Record, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m memory) Count(port string) int64 { return int64(len(m[port])) }

func (m memory) Reject(r *transforms.Rejected) { panic("no kind here rejects: " + r.Err) }

// emitted collects the records of every port.
type emitted map[string][]*data.Record

func (e emitted) emit(port string, r *data.Record) { e[port] = append(e[port], r) }

// rows spells the records of a port: "id: a b c".
func (e emitted) rows(port string) []string {
	rows := []string{}
	for _, r := range e[port] {
		rows = append(rows, r.ID.String()+": "+spell(r))
	}
	return rows
}

func spell(r *data.Record) string {
	parts := make([]string, len(r.Values))
	for i, v := range r.Values {
		parts[i] = data.Format(v, r.Schema.Field(i).Type, 100)
	}
	return strings.Join(parts, " ")
}

// node makes a configured node and works out its columns.
func node(t testing.TB, kind, config string, in transforms.Ports) (transforms.Node, transforms.Ports) {
	t.Helper()
	n, out, err := tryNode(t, kind, config, in)
	if err != nil {
		t.Fatal(err)
	}
	return n, out
}

func tryNode(t testing.TB, kind, config string, in transforms.Ports) (transforms.Node, transforms.Ports, error) {
	t.Helper()
	k, ok := transforms.Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	n, err := k.New([]byte(config))
	if err != nil {
		return nil, nil, err
	}
	out, err := n.Columns(in)
	return n, out, err
}

// process passes records through a Row and returns what it emits; refused rows
// come as "class: message".
func process(t testing.TB, n transforms.Node, rows []*data.Record) (emitted, []string) {
	t.Helper()
	out, refused := emitted{}, []string{}
	for _, r := range rows {
		before := spell(r)
		if err := n.(transforms.Row).Process(t.Context(), r, out.emit); err != nil {
			if transforms.IsFatal(err) {
				t.Fatal(err)
			}
			refused = append(refused, err.Error())
		}
		if spell(r) != before {
			t.Errorf("row %s was written to", r.ID)
		}
	}
	return out, refused
}

func run(t testing.TB, n transforms.Node, in memory) emitted {
	t.Helper()
	out := emitted{}
	if err := n.(transforms.Global).Run(t.Context(), in, out.emit); err != nil {
		t.Fatal(err)
	}
	return out
}

// table makes records of a schema such as "id:string, n:int64" from lines of
// JSON arrays.
func table(t testing.TB, columns string, lines ...string) (*data.Schema, []*data.Record) {
	t.Helper()
	var fields []data.Field
	for _, c := range strings.Split(columns, ", ") {
		name, spelling, _ := strings.Cut(c, ":")
		typ, err := data.ParseType(spelling)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, data.Field{Name: name, Type: typ, Nullable: true})
	}
	s := data.MustSchema(fields...)
	rows := make([]*data.Record, len(lines))
	for i, line := range lines {
		var cells []any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&cells); err != nil {
			t.Fatal(line, err)
		}
		values := make([]data.Value, len(fields))
		for j, c := range cells {
			values[j] = cell(t, c, fields[j].Type)
		}
		rows[i] = &data.Record{Schema: s, ID: data.ID{Source: "t", Row: int64(i)}, Order: int64(i), Values: values}
	}
	return s, rows
}

func cell(t testing.TB, c any, typ data.Type) data.Value {
	t.Helper()
	switch c := c.(type) {
	case nil:
		return data.Value{}
	case bool:
		return data.BoolValue(c)
	case []any:
		list := make([]data.Value, len(c))
		for i, element := range c {
			list[i] = cell(t, element, *typ.Elem)
		}
		return data.ListValue(list)
	case string:
		switch {
		case typ.Kind != data.Float64:
			return data.StringValue(c)
		case c == "NaN":
			return data.Float64Value(math.NaN())
		case c == "-0":
			return data.Float64Value(math.Copysign(0, -1))
		}
	case json.Number:
		if typ.Kind == data.Int64 {
			n, err := c.Int64()
			if err != nil {
				t.Fatal(err)
			}
			return data.Int64Value(n)
		}
		x, err := c.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return data.Float64Value(x)
	}
	t.Fatalf("no cell: %v", c)
	return data.Value{}
}

func in(s *data.Schema) transforms.Ports { return transforms.Ports{{Name: transforms.In, Schema: s}} }

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFilterPartsRows(t *testing.T) {
	s, rows := table(t, "n:int64", `[1]`, `[5]`, `[null]`, `[3]`)
	n, _ := node(t, "Filter", `{"where": "n > 2"}`, in(s))
	out, refused := process(t, n, rows)
	equal(t, "out", out.rows("out"), []string{"t#1: 5", "t#3: 3"})
	equal(t, "else", out.rows("else"), []string{"t#0: 1"})
	equal(t, "refused", refused, []string{`null: n > 2: column "n" is null`})
}

func TestFilterOfANullConditionRefuses(t *testing.T) {
	s, rows := table(t, "ok:bool", `[true]`, `[null]`, `[false]`)
	n, _ := node(t, "Filter", `{"where": "ok"}`, in(s))
	out, refused := process(t, n, rows)
	equal(t, "out", out.rows("out"), []string{"t#0: true"})
	equal(t, "else", out.rows("else"), []string{"t#2: false"})
	equal(t, "refused", refused, []string{`null: ok: column "ok" is null`})
}

func TestDeriveAddsColumnsInTheOrderWritten(t *testing.T) {
	s, rows := table(t, "text:string, n:int64", `["a b", 2]`, `["c", null]`)
	n, out := node(t, "Derive", `{"columns": {"z": "size(text)", "a": "n == null ? 0 : n * 2", "copy": "n", "words": "text.split(' ')"}}`, in(s))
	if got, want := out.Get("out").String(), "text: string, n: int64, z: int64, a: int64, copy: int64, words: list<string>"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	if f, _ := out.Get("out").Lookup("z"); f.Nullable {
		t.Error("z cannot be null")
	}
	got, refused := process(t, n, rows)
	equal(t, "out", got.rows("out"), []string{"t#0: a b 2 3 4 2 [a, b]", "t#1: c null 1 0 null [c]"})
	equal(t, "refused", refused, []string{})
}

func TestProjections(t *testing.T) {
	s, rows := table(t, "a:int64, b:int64, c:int64", `[1, 2, 3]`)
	for _, c := range []struct{ kind, config, columns, row string }{
		{"Select", `{"columns": ["c", "a"]}`, "c: int64, a: int64", "t#0: 3 1"},
		{"Drop", `{"columns": ["b"]}`, "a: int64, c: int64", "t#0: 1 3"},
		{"Rename", `{"columns": {"a": "b", "b": "a"}}`, "b: int64, a: int64, c: int64", "t#0: 1 2 3"},
	} {
		n, out := node(t, c.kind, c.config, in(s))
		if got := out.Get("out").String(); got != c.columns {
			t.Errorf("%s: columns %s, want %s", c.kind, got, c.columns)
		}
		got, _ := process(t, n, rows)
		equal(t, c.kind, got.rows("out"), []string{c.row})
	}
}

func many(t testing.TB, n int) (*data.Schema, []*data.Record) {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`[%d, %d]`, i, i%50)
	}
	return table(t, "n:int64, g:int64", lines...)
}

func TestSampleKeepsTheShareAndNests(t *testing.T) {
	s, rows := many(t, 20_000)
	kept := func(config string) map[string]bool {
		n, _ := node(t, "Sample", config, in(s))
		out, _ := process(t, n, rows)
		ids := map[string]bool{}
		for _, r := range out["out"] {
			ids[r.ID.String()] = true
		}
		return ids
	}
	tenth, third := kept(`{"fraction": 0.1, "seed": 7}`), kept(`{"fraction": 0.3, "seed": 7}`)
	other := kept(`{"fraction": 0.3, "seed": 8}`)
	// Five standard deviations of a binomial.
	if n := len(tenth); n < 1788 || n > 2212 {
		t.Errorf("%d rows of 20000, want about 2000", n)
	}
	for id := range tenth {
		if !third[id] {
			t.Errorf("row %s is in the tenth and not in the third", id)
		}
	}
	if maps.Equal(third, other) {
		t.Error("another seed draws the same rows")
	}
	if n := len(kept(`{"fraction": 0}`)); n != 0 {
		t.Errorf("fraction 0 keeps %d rows", n)
	}
	if n := len(kept(`{"fraction": 1}`)); n != 20_000 {
		t.Errorf("fraction 1 keeps %d rows", n)
	}
}

func TestSampleByKeepsEqualValuesTogether(t *testing.T) {
	s, rows := many(t, 1000)
	n, _ := node(t, "Sample", `{"fraction": 0.5, "by": "g"}`, in(s))
	out, _ := process(t, n, rows)
	count := map[int64]int{}
	for _, r := range out["out"] {
		count[r.Get("g").Int64()]++
	}
	if len(count) == 0 || len(count) == 50 {
		t.Errorf("%d groups of 50 kept", len(count))
	}
	for g, n := range count {
		if n != 20 {
			t.Errorf("group %d: %d rows of 20", g, n)
		}
	}
}

func TestSplitPartsEveryRowOnce(t *testing.T) {
	s, rows := many(t, 20_000)
	n, _ := node(t, "Split", `{"fractions": {"train": 0.8, "validation": 0.1, "test": 0.1}, "seed": 1}`, in(s))
	out, _ := process(t, n, rows)
	a, b, c := len(out["train"]), len(out["validation"]), len(out["test"])
	if a+b+c != len(rows) {
		t.Errorf("%d + %d + %d rows of %d", a, b, c, len(rows))
	}
	for _, want := range []struct{ have, share int }{{a, 16_000}, {b, 2_000}, {c, 2_000}} {
		if d := want.have - want.share; d*d > 300*300 {
			t.Errorf("%d rows, want about %d", want.have, want.share)
		}
	}
	whole, _ := node(t, "Split", `{"fractions": {"train": 0.7, "validation": 0.30000000000000004, "test": 0}}`, in(s))
	if out, _ := process(t, whole, rows); len(out["test"]) > 0 {
		t.Errorf("%d rows in a set without a share", len(out["test"]))
	}
}

func TestSampleAndSplitDrawApart(t *testing.T) {
	s, rows := many(t, 10_000)
	n, _ := node(t, "Sample", `{"fraction": 0.5}`, in(s))
	half, _ := process(t, n, rows)
	n, _ = node(t, "Split", `{"fractions": {"train": 0.5, "validation": 0, "test": 0.5}}`, in(s))
	out, _ := process(t, n, half["out"])
	if a := len(out["train"]); a < 2200 || a > 2800 {
		t.Errorf("%d of %d rows for training behind a sample of the same seed, want about half", a, len(half["out"]))
	}
}

func TestDedupeKeepsTheFirst(t *testing.T) {
	s, rows := table(t, "text:string, x:float64", `["a b", 1]`, `["A  b", 2]`, `["a b", 3]`, `[null, 4]`, `[null, 5]`, `["ａ b ", 6]`)
	for _, c := range []struct {
		config    string
		out, dups []string
	}{
		{`{"columns": ["text"]}`, []string{"t#0: a b 1", "t#1: A  b 2", "t#3: null 4", "t#5: ａ b  6"}, []string{"t#2: a b 3", "t#4: null 5"}},
		{`{"columns": ["text"], "normalise": true}`, []string{"t#0: a b 1", "t#3: null 4"}, []string{"t#1: A  b 2", "t#2: a b 3", "t#4: null 5", "t#5: ａ b  6"}},
	} {
		n, _ := node(t, "Dedupe", c.config, in(s))
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		got := run(t, n, memory{"in": rows})
		equal(t, c.config+" out", got.rows("out"), c.out)
		equal(t, c.config+" duplicates", got.rows("duplicates"), c.dups)
	}
}

func TestDedupeTreatsEqualFloatsAsEqual(t *testing.T) {
	s, rows := table(t, "x:float64", `[0]`, `["-0"]`, `["NaN"]`, `["NaN"]`)
	n, _ := node(t, "Dedupe", `{"columns": ["x"]}`, in(s))
	equal(t, "out", run(t, n, memory{"in": rows}).rows("out"), []string{"t#0: 0", "t#2: NaN"})
}

func TestDedupeColumnsDoNotRunTogether(t *testing.T) {
	s, rows := table(t, "a:string, b:string", `["ab", "c"]`, `["a", "bc"]`)
	n, _ := node(t, "Dedupe", `{"columns": ["a", "b"]}`, in(s))
	if got := run(t, n, memory{"in": rows}); len(got["out"]) != 2 {
		t.Error("rows that differ are duplicates")
	}
}

func TestJoin(t *testing.T) {
	l, left := table(t, "k:string, n:int64", `["a", 1]`, `["b", 2]`, `["c", 3]`, `[null, 4]`)
	r, right := table(t, "label:string, k:string", `["x", "a"]`, `["y", "b"]`, `["z", "b"]`, `["w", null]`)
	ports := transforms.Ports{{Name: "left", Schema: l}, {Name: "right", Schema: r}}
	for how, want := range map[string][]string{
		"inner": {"t#0: a 1 x", "t#1/0: b 2 y", "t#1/1: b 2 z"},
		"left":  {"t#0: a 1 x", "t#1/0: b 2 y", "t#1/1: b 2 z", "t#2: c 3 null", "t#3: null 4 null"},
	} {
		n, out := node(t, "Join", fmt.Sprintf(`{"on": ["k"], "how": %q}`, how), ports)
		if got := out.Get("out").String(); got != "k: string, n: int64, label: string" {
			t.Errorf("columns %s", got)
		}
		rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		rand.Shuffle(len(right), func(i, j int) { right[i], right[j] = right[j], right[i] })
		equal(t, how, run(t, n, memory{"left": left, "right": right}).rows("out"), want)
	}
}

func TestSort(t *testing.T) {
	s, rows := table(t, "x:float64, k:string", `[2, "a"]`, `[null, "b"]`, `[1, "c"]`, `["NaN", "d"]`, `[2, "e"]`)
	for config, want := range map[string][]string{
		`{"by": ["x"]}`:                     {"t#2: 1 c", "t#0: 2 a", "t#4: 2 e", "t#3: NaN d", "t#1: null b"},
		`{"by": ["x"], "descending": true}`: {"t#3: NaN d", "t#0: 2 a", "t#4: 2 e", "t#2: 1 c", "t#1: null b"},
	} {
		n, _ := node(t, "Sort", config, in(s))
		got := run(t, n, memory{"in": rows})
		equal(t, config, got.rows("out"), want)
		for i, r := range got["out"] {
			if r.Order != int64(i) {
				t.Errorf("row %s at %d has order %d", r.ID, i, r.Order)
			}
		}
	}
}

func TestLimitKeepsTheFirstByOrder(t *testing.T) {
	s, rows := many(t, 10)
	slices.Reverse(rows)
	for config, want := range map[string][]string{
		`{"rows": 2}`: {"t#0: 0 0", "t#1: 1 1"},
		`{"rows": 0}`: {},
	} {
		n, _ := node(t, "Limit", config, in(s))
		equal(t, config, run(t, n, memory{"in": rows}).rows("out"), want)
	}
}

func TestUnionBringsColumnsIntoTheFirstOrder(t *testing.T) {
	a, rowsA := table(t, "x:int64, y:string", `[1, "a"]`)
	b, rowsB := table(t, "y:string, x:int64", `["b", 2]`)
	n, out := node(t, "Union", `{}`, append(in(a), in(b)...))
	if got := out.Get("out").String(); got != "x: int64, y: string" {
		t.Errorf("columns %s", got)
	}
	got, _ := process(t, n, append(rowsA, rowsB...))
	equal(t, "out", got.rows("out"), []string{"t#0: 1 a", "t#0: 2 b"})
}

func TestMistakesInConfigurations(t *testing.T) {
	s, _ := table(t, "text:string, score:float64, n:int64, tags:list<string>")
	r, _ := table(t, "n:int64, score:float64")
	odd, _ := table(t, "text:string, score:int64, n:int64, label:string")
	two := transforms.Ports{{Name: "left", Schema: s}, {Name: "right", Schema: r}}
	for _, c := range []struct {
		kind, config string
		in           transforms.Ports
		want         []string
	}{
		{"Filter", `{"where": "score"}`, in(s), []string{"where expression: a condition must be bool, this is double (compare it with something)"}},
		{"Filter", `{"wher": "score"}`, in(s), []string{`json: unknown field "wher"`}},
		{"Derive", `{"columns": {"text": "n"}}`, in(s), []string{`columns.text column-twice: the input has a column "text" already (rename or drop it first)`}},
		{"Derive", `{"columns": {"a": "n + 1", "b": "a + 1"}}`, in(s), []string{`columns.b missing-column: col 1: no column "a" in the input (it is derived here; use it in another Derive behind this one)`}},
		{"Derive", `{"columns": {"a": "n + 1", "a": "n"}}`, in(s), []string{`"a" occurs twice`}},
		{"Derive", `{"columns": {"a": "duration('1s')"}}`, in(s), []string{"columns.a expression: a column cannot hold duration"}},
		{"Derive", `{"columns": {"a": "txet", "b": "sore"}}`, in(s), []string{
			`columns.a missing-column: col 1: no column "txet" in the input (did you mean "text"?)`,
			`columns.b missing-column: col 1: no column "sore" in the input (did you mean "score"?)`}},
		{"Derive", `{}`, in(s), []string{"columns : derives no column"}},
		{"Select", `{"columns": ["txt", "n", "n"]}`, in(s), []string{
			`columns.0 missing-column: no column "txt" in the input (did you mean "text"?)`, `columns.2 : column "n" is named twice`}},
		{"Select", `{"columns": []}`, in(s), []string{"columns : names no column"}},
		{"Drop", `{"columns": ["text", "score", "n", "tags"]}`, in(s), []string{"columns : no column would be left"}},
		{"Rename", `{"columns": {"n": "text"}}`, in(s), []string{`columns.n column-twice: two columns would be named "text"`}},
		{"Sample", `{"fraction": 1.5}`, in(s), []string{"fraction : 1.5 is not a share between 0 and 1"}},
		{"Sample", `{"fraction": 0.5, "by": "nn"}`, in(s), []string{`by missing-column: no column "nn" in the input (did you mean "n"?)`}},
		{"Split", `{"fractions": {"train": 0.8, "validation": 0.1, "test": 0.2}}`, in(s), []string{"fractions : train, validation and test sum to 1.1, not 1"}},
		{"Split", `{"fractions": {"train": 1.5, "validation": 0.1, "test": -0.6}}`, in(s), []string{
			"fractions.train : 1.5 is not a share between 0 and 1", "fractions.test : -0.6 is not a share between 0 and 1"}},
		{"Dedupe", `{"columns": ["nope"]}`, in(s), []string{`columns.0 missing-column: no column "nope" in the input (it has text, score, n, tags)`}},
		{"Chunk", `{"unit": "pages", "size": 0, "overlap": 3, "minSize": -1}`, in(s), []string{
			`unit : "pages" is not words, sentences or characters`, "size : 0 is not at least 1", "overlap : 3 is not between 0 and size-1", "minSize : -1 is not between 0 and size"}},
		{"Chunk", `{"column": "n"}`, in(s), []string{`column column-type: column "n" is int64, want string`}},
		{"Join", `{"on": ["n"]}`, two, []string{`right column-twice: both sides have a column "score" (give one another name with Rename, or Drop it)`}},
		{"Join", `{"on": ["score"]}`, transforms.Ports{{Name: "left", Schema: s}, {Name: "right", Schema: odd}}, []string{
			`on.0 column-type: column "score" is float64 on the left and int64 on the right (convert one with Derive)`,
			`right column-twice: both sides have a column "text" (give one another name with Rename, or Drop it)`,
			`right column-twice: both sides have a column "n" (give one another name with Rename, or Drop it)`}},
		{"Join", `{"on": ["n"], "how": "outer"}`, two, []string{`how : "outer" is neither inner nor left`}},
		{"Sort", `{"by": ["tags"]}`, in(s), []string{`by.0 column-type: column "tags" is list<string>, whose values have no order`}},
		{"Union", `{}`, append(in(s), in(odd)...), []string{
			`in.1 column-type: column "score" is int64 in input 1, float64 in input 0 (convert it with Derive)`,
			`in.1 missing-column: input 1 has no column "tags", input 0 has`,
			`in.1 missing-column: input 0 has no column "label", input 1 has (drop it, or derive it there)`}},
		{"Limit", `{"rows": -1}`, in(s), []string{"rows : a number of rows is at least 0"}},
		{"Aggregate", `{"columns": {"m": "mean(text)"}}`, in(s), []string{`columns.m column-type: mean takes numbers, column "text" is string`}},
		{"Aggregate", `{"columns": {"m": "avg(score)"}}`, in(s), []string{
			`columns.m expression: "avg(score)" is not an aggregate function of a column (want count, sum, mean, std, min, max, median, quantile, distinct, such as mean(score))`}},
		{"Aggregate", `{"columns": {"m": "quantile(score)"}}`, in(s), []string{
			"columns.m expression: quantile takes a column and a share between 0 and 1 (such as quantile(score, 0.95))"}},
		{"Aggregate", `{"by": ["text"], "columns": {"text": "count()"}}`, in(s), []string{`columns.text column-twice: "text" is a column of by (choose another name)`}},
		{"Aggregate", `{"columns": {"m": "max(tags)"}}`, in(s), []string{`columns.m column-type: column "tags" is list<string>, whose values have no order`}},
		{"Sort", `{"by": ["n"]}`, nil, []string{"in : takes rows, but nothing is connected"}},
	} {
		t.Run(c.kind+c.config, func(t *testing.T) {
			_, _, err := tryNode(t, c.kind, c.config, c.in)
			equal(t, "mistakes", mistakes(err), c.want)
		})
	}
}

// mistakes spells the field errors in err: "field code: message (hint)".
func mistakes(err error) []string {
	if err == nil {
		return nil
	}
	var all []string
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, mistakes(e)...)
		}
		return all
	}
	var f *transforms.FieldError
	if !errors.As(err, &f) {
		return []string{err.Error()}
	}
	line := f.Field + " " + f.Code + ": " + f.Message
	if f.Hint != "" {
		line += " (" + f.Hint + ")"
	}
	return []string{line}
}

func TestGlobalsStopWhenTheContextEnds(t *testing.T) {
	s, rows := many(t, 5000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for kind, config := range map[string]string{"Dedupe": `{"columns": ["n"]}`, "Sort": `{"by": ["n"]}`, "Limit": `{"rows": 4000}`} {
		n, _ := node(t, kind, config, in(s))
		err := n.(transforms.Global).Run(ctx, memory{"in": rows}, emitted{}.emit)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want the context's", kind, err)
		}
	}
}
