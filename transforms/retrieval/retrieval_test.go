package retrieval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// table is a schema with rows of it.
type table struct {
	schema *data.Schema
	rows   []*data.Record
}

// rowsOf makes a table of columns such as "id:string n:int64" and rows of one value a
// column.
func rowsOf(t testing.TB, columns string, rows ...[]any) table {
	t.Helper()
	var fields []data.Field
	for _, column := range strings.Fields(columns) {
		name, spelling, _ := strings.Cut(column, ":")
		typ, err := data.ParseType(spelling)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, data.Field{Name: name, Type: typ, Nullable: true})
	}
	made := table{schema: data.MustSchema(fields...)}
	for i, row := range rows {
		values := make([]data.Value, len(row))
		for k, v := range row {
			switch v := v.(type) {
			case string:
				values[k] = data.StringValue(v)
			case int:
				values[k] = data.Int64Value(int64(v))
			case float64:
				values[k] = data.Float64Value(v)
			}
		}
		made.rows = append(made.rows, &data.Record{Schema: made.schema, ID: data.ID{Source: "in", Row: int64(i)}, Order: int64(i), Values: values})
	}
	return made
}

// inputs are those of a Global, by port.
type inputs struct {
	tables  map[string]table
	rejects []string // "row class"
}

func (in *inputs) Rows(port string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		for _, r := range in.tables[port].rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (in *inputs) Count(port string) int64 { return int64(len(in.tables[port].rows)) }

func (in *inputs) Reject(r *transforms.Rejected) {
	in.rejects = append(in.rejects, r.Record.ID.String()+" "+r.Class)
}

func configured(t testing.TB, kind, config string, tables map[string]table) (transforms.Node, error) {
	t.Helper()
	k, ok := transforms.Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	n, err := k.New([]byte(config))
	if err != nil {
		return nil, err
	}
	var ports transforms.Ports
	for _, name := range k.Inputs {
		if in, connected := tables[name]; connected {
			ports = append(ports, transforms.Port{Name: name, Schema: in.schema})
		}
	}
	_, err = n.Columns(ports)
	return n, err
}

// runNode runs a Global and gives the rows of each port, as text, and the rejects.
func runNode(t testing.TB, kind, config string, tables map[string]table) (out map[string][]string, rejects []string) {
	t.Helper()
	n, err := configured(t, kind, config, tables)
	if err != nil {
		t.Fatal(err)
	}
	in, out := &inputs{tables: tables}, map[string][]string{}
	ids := map[string]bool{}
	err = n.(transforms.Global).Run(t.Context(), in, func(port string, r *data.Record) {
		if ids[port+r.ID.String()] {
			t.Errorf("%s: two rows are %s", port, r.ID)
		}
		ids[port+r.ID.String()] = true
		out[port] = append(out[port], spell(r))
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, in.rejects
}

func spell(r *data.Record) string {
	var parts []string
	for i, v := range r.Values {
		if v.Kind() == data.Float64 {
			parts = append(parts, fmt.Sprintf("%.4g", v.Float64()))
			continue
		}
		parts = append(parts, data.Format(v, r.Schema.Field(i).Type, 100))
	}
	return strings.Join(parts, " | ")
}

const retrieveDefaults = `{"queryColumn": "text", "idColumn": "_id", "textColumns": ["title", "text"], "k": 2, "k1": 0.9, "b": 0.4, "keepText": true}`

func corpusOf(t testing.TB) table {
	return rowsOf(t, "_id:string title:string text:string",
		[]any{"a", "Foxes", "The fox is red."},
		[]any{"b", nil, "A hare and a fox."},
		[]any{"c", nil, nil},
		[]any{nil, "Fox", "fox"},
		[]any{"a", "Fox", "fox"},
		[]any{"d", "Fox", "\xff"},
		[]any{"e", "Hares", "fox fox"})
}

func TestRetrieveMakesARowOfEveryQueryAndDocument(t *testing.T) {
	// Worked by hand: a and e have 3 terms, b has 2; fox is in all, hare in two, red in one.
	out, rejects := runNode(t, "Retrieve", retrieveDefaults, map[string]table{
		transforms.In: rowsOf(t, "_id:string text:string", []any{"q1", "red foxes"}, []any{"q2", nil}, []any{"q3", "of badgers"}, []any{"q4", "hare"}, []any{"q5", "\xff"}),
		corpus:        corpusOf(t),
	})
	want := []string{
		"q1 | red foxes | a | Foxes The fox is red. | 1 | 0.595",
		"q1 | red foxes | e | Hares fox fox | 2 | 0.09068",
		"q4 | hare | b | A hare and a fox. | 1 | 0.2597",
		"q4 | hare | e | Hares fox fox | 2 | 0.2416",
	}
	if !slices.Equal(out[transforms.Out], want) {
		t.Errorf("rows\n%s\nwant\n%s", strings.Join(out[transforms.Out], "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"in#2 null", "in#3 null", "in#4 duplicate", "in#5 utf8", "in#1 null", "in#4 utf8"}; !slices.Equal(rejects, want) {
		t.Errorf("rejects %q, want %q", rejects, want)
	}
}

func TestRetrieveFindsTheSameForEveryBatchOfQueries(t *testing.T) {
	var rows [][]any
	for i := range 600 {
		rows = append(rows, []any{fmt.Sprint(i), []string{"fox", "hare", "red"}[i%3]})
	}
	out, _ := runNode(t, "Retrieve", retrieveDefaults, map[string]table{transforms.In: rowsOf(t, "_id:string text:string", rows...), corpus: corpusOf(t)})
	all := out[transforms.Out]
	if len(all) != 2*200+2*200+200 {
		t.Fatalf("%d rows", len(all))
	}
	for i, row := range all {
		_, found, _ := strings.Cut(row, " | ")
		if _, first, _ := strings.Cut(all[i%5], " | "); found != first {
			t.Fatalf("row %d: %s, want %s", i, found, first)
		}
	}
}

func TestColumnsThatDoNotFitAreTold(t *testing.T) {
	queries := rowsOf(t, "_id:string text:string doc_id:string")
	_, err := configured(t, "Retrieve", retrieveDefaults, map[string]table{transforms.In: queries, corpus: rowsOf(t, "id:string title:float64")})
	for _, want := range []string{`no column "_id"`, `textColumns.0: column "title" is float64`, `textColumns.1: no column "text"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	_, err = configured(t, "Retrieve", retrieveDefaults, map[string]table{transforms.In: queries, corpus: corpusOf(t)})
	var field *transforms.FieldError
	if !errors.As(err, &field) || field.Code != transforms.ColumnTwice {
		t.Errorf("error %v", err)
	}
}

// goldenMeasures is what testdata/make_measures.py made by trec_eval and SciPy.
type goldenMeasures struct {
	Measures []struct {
		Gains   Gains
		Ranking []string
		Values  map[string]float64
	}
	Randomisation []struct {
		Differences []float64
		P           float64
	}
}

func readGolden(t *testing.T) (g goldenMeasures) {
	t.Helper()
	b, err := os.ReadFile("testdata/measures.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil || len(g.Measures) != 24 || len(g.Randomisation) != 10 {
		t.Fatal(err, len(g.Measures), len(g.Randomisation))
	}
	return g
}

func TestMeasuresAreThoseOfTrecEval(t *testing.T) {
	for i, want := range readGolden(t).Measures {
		for name, value := range want.Values {
			m, err := ParseMeasure(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Of(want.Ranking, want.Gains); math.Abs(got-value) > 1e-12 {
				t.Errorf("case %d: %s is %v, want %v", i, name, got, value)
			}
		}
	}
}

func TestNamesThatAreNoMeasureAreRefused(t *testing.T) {
	for _, name := range []string{"", "nDCG", "nDCG@", "nDCG@0", "nDCG@-1", "MAP@10", "ndcg@10", "R@x"} {
		if _, err := ParseMeasure(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestTheExactRandomisationTestIsThatOfSciPy(t *testing.T) {
	for _, want := range readGolden(t).Randomisation {
		if got := Randomisation(want.Differences, 1<<14, nil); math.Abs(got-want.P) > 1e-12 {
			t.Errorf("%v: p = %v, want %v", want.Differences, got, want.P)
		}
	}
}

func TestTheRandomTestIsNearTheExactOne(t *testing.T) {
	differences := []float64{0.5, -0.1, 0.3, 0.2, -0.4, 0.25, 0.1, 0.6, -0.2, 0.15, 0.05, 0.35, -0.3, 0.2}
	const draws = 10_000
	exact := Randomisation(differences, 1<<14, nil)
	drawn := Randomisation(differences, draws, data.Draw(data.KeyID("x"), 1, 0))
	if sd := math.Sqrt(exact * (1 - exact) / draws); math.Abs(drawn-exact) > 4*sd {
		t.Errorf("p = %v, exactly %v (sd %v)", drawn, exact, sd)
	}
	if p := Randomisation(nil, draws, nil); p != 1 {
		t.Errorf("without queries p = %v", p)
	}
}

const evaluateDefaults = `{"queryColumn": "_id", "measures": ["nDCG@10", "R@1"], "permutations": 1000, "seed": 0}`

func evaluateTables(t testing.TB) map[string]table {
	return map[string]table{
		transforms.In: rowsOf(t, "_id:string doc_id:string rank:int64",
			[]any{"q1", "b", 2}, []any{"q1", "a", 1}, []any{"q2", "c", 1}, []any{"q1", "a", 3},
			[]any{"q9", "a", 1}, []any{nil, "a", 1}, []any{"q2", "d", 0}),
		baseline: rowsOf(t, "_id:int64 doc_id:string rank:int64", []any{1, "a", 1}),
		qrels: rowsOf(t, "query-id:string corpus-id:string score:int64",
			[]any{"q1", "b", 2}, []any{"q1", "a", 1}, []any{"q2", "c", 1}, []any{"q3", "c", 1}, []any{"q3", "c", 1}, []any{"q3", "d", nil}),
	}
}

func TestEvaluationCountsEveryJudgedQuery(t *testing.T) {
	tables := evaluateTables(t)
	delete(tables, baseline)
	out, rejects := runNode(t, "EvaluateRetrieval", evaluateDefaults, tables)
	ndcg := (1 + 2/math.Log2(3)) / (2 + 1/math.Log2(3))
	want := []string{fmt.Sprintf("nDCG@10 | 3 | %.4g", (ndcg+1)/3), "R@1 | 3 | 0.5"}
	if !slices.Equal(out[transforms.Out], want) {
		t.Errorf("means %q, want %q", out[transforms.Out], want)
	}
	want = []string{fmt.Sprintf("q1 | nDCG@10 | %.4g", ndcg), "q2 | nDCG@10 | 1", "q3 | nDCG@10 | 0", "q1 | R@1 | 0.5", "q2 | R@1 | 1", "q3 | R@1 | 0"}
	if !slices.Equal(out[queries], want) {
		t.Errorf("queries %q, want %q", out[queries], want)
	}
	if want := []string{"in#4 duplicate", "in#5 score", "in#3 duplicate", "in#5 null", "in#6 rank"}; !slices.Equal(rejects, want) {
		t.Errorf("rejects %q, want %q", rejects, want)
	}
}

func TestEvaluationComparesWithABaseline(t *testing.T) {
	tables := evaluateTables(t)
	tables[baseline] = rowsOf(t, "_id:string doc_id:string rank:int64", []any{"q1", "a", 1}, []any{"q3", "c", 1})
	out, _ := runNode(t, "EvaluateRetrieval", evaluateDefaults, tables)
	// q2 gains what q3 loses, q1 is alike: half of the eight sign changes are as far from 0.
	if got, want := out[transforms.Out][1], "R@1 | 3 | 0.5 | 0.5 | 0 | 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := out[queries][4], "q2 | R@1 | 1 | 0 | 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWithoutJudgementsThereIsNoMean(t *testing.T) {
	tables := evaluateTables(t)
	tables[qrels] = rowsOf(t, "query-id:string corpus-id:string score:int64")
	n, err := configured(t, "EvaluateRetrieval", evaluateDefaults, tables)
	if err != nil {
		t.Fatal(err)
	}
	err = n.(transforms.Global).Run(context.Background(), &inputs{tables: tables}, func(string, *data.Record) {})
	if err == nil || !strings.Contains(err.Error(), "no judgement") {
		t.Errorf("error %v", err)
	}
}
