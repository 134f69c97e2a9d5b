package retrieval

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

const mineDefaults = `{"idColumn": "_id", "queryColumn": "query", "documentColumn": "doc", "textColumn": "text", "from": 1, "to": 4, "k": 2, "compat": "none"}`

func mineTables(t testing.TB) map[string]table {
	return map[string]table{
		transforms.In: rowsOf(t, "_id:string query:string doc:string text:string",
			[]any{"q1", "first", "p", "answer"},
			[]any{"q2", "second", "p", "answer"},
			[]any{"q1", "first", "r", "other answer"},
			[]any{"q1", "first", "p", "answer"},
			[]any{"q3", nil, "p", "answer"},
			[]any{"q4", "fourth", "p", "answer"}),
		ranked: rowsOf(t, "_id:string doc_id:string doc_text:string rank:int64 score:float64",
			[]any{"q1", "p", "answer", 1, 9.0},
			[]any{"q1", "copy", "answer", 2, 8.9},
			[]any{"q1", "a", nil, 3, 8.8},
			[]any{"q1", "b", "b text", 4, 8.7},
			[]any{"q1", "c", "c text", 5, 3.0},
			[]any{"q1", "d", "d text", 6, 2.0},
			[]any{"q2", "d", "d text", 1, 2.0},
			[]any{"q4", "p", "answer", 1, 2.0},
			[]any{"q9", "d", "d text", 1, 2.0}),
	}
}

func TestNegativesAreOfTheWindowWithoutThePositives(t *testing.T) {
	out, rejects := runNode(t, "MineNegatives", mineDefaults, mineTables(t))
	want := []string{
		"q1 | first | p | answer | 1 | null",
		"q1 | first | r | other answer | 1 | null",
		"q1 | first | b | b text | 0 | 2",
		"q1 | first | c | c text | 0 | 3",
		"q2 | second | p | answer | 1 | null",
		"q2 | second | d | d text | 0 | 1",
	}
	if !slices.Equal(out[transforms.Out], want) {
		t.Errorf("pairs\n%s\nwant\n%s", strings.Join(out[transforms.Out], "\n"), strings.Join(want, "\n"))
	}
	want = []string{
		"first | answer | b text", "first | answer | c text", "first | other answer | b text", "first | other answer | c text",
		"second | answer | d text",
	}
	if !slices.Equal(out[triples], want) {
		t.Errorf("triples %q, want %q", out[triples], want)
	}
	if want := []string{"in#3 duplicate", "in#4 null", "in#5 no-negative"}; !slices.Equal(rejects, want) {
		t.Errorf("rejects %q, want %q", rejects, want)
	}
}

func TestWhatScoresNearThePositiveIsLeftOut(t *testing.T) {
	config := strings.Replace(mineDefaults, `"k": 2`, `"k": 2, "maxShare": 0.95`, 1)
	out, _ := runNode(t, "MineNegatives", config, mineTables(t))
	if got, want := out[triples][:2], []string{"first | answer | c text", "first | other answer | c text"}; !slices.Equal(got, want) {
		t.Errorf("triples %q, want %q", got, want)
	}
}

func TestTheReferencesWindowIsThatOfItsSlice(t *testing.T) {
	b, err := os.ReadFile("testdata/negatives.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Length, K     int
		Blank, Chosen []int
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) != 42 {
		t.Fatal(err, len(cases))
	}
	for _, c := range cases {
		ranking := make([]entry, c.Length)
		for i := range ranking {
			ranking[i] = entry{blank: slices.Contains(c.Blank, i+1), positive: i == 0, copy: i == 1}
		}
		chosen := []int{}
		for _, n := range (Window{K: c.K, Compat: reference}).choose(ranking) {
			chosen = append(chosen, n.place)
		}
		if !slices.Equal(chosen, c.Chosen) {
			t.Errorf("%d documents, k %d: places %v, want %v", c.Length, c.K, chosen, c.Chosen)
		}
	}
}

func TestNegativesKeepTheirPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		w := Window{From: 1 + r.IntN(20), K: 1 + r.IntN(6), Compat: "none"}
		w.To = w.From + 1 + r.IntN(10)
		ranking := make([]entry, r.IntN(40))
		usable := 0
		for i := range ranking {
			ranking[i] = entry{document: fmt.Sprint(i), row: int64(i), positive: r.IntN(8) == 0, copy: r.IntN(8) == 0, blank: r.IntN(8) == 0}
			if !ranking[i].positive && !ranking[i].copy {
				usable++
			}
		}
		chosen := w.choose(ranking)
		last := int64(-1)
		for _, n := range chosen {
			if n.positive || n.copy || n.blank || n.place < w.From || n.place >= w.To || n.row <= last {
				t.Fatalf("%+v chooses %+v", w, n)
			}
			last = n.row
		}
		if len(chosen) > w.K || len(chosen) > max(0, usable-w.From+1) {
			t.Fatalf("%+v chooses %d of %d", w, len(chosen), usable)
		}
	}
}

func TestWindowsThatHoldNothingAreRefused(t *testing.T) {
	for config, want := range map[string]string{
		strings.Replace(mineDefaults, `"to": 4`, `"to": 1`, 1):                                         "to: no place lies in [1,1)",
		strings.Replace(mineDefaults, `"compat": "none"`, `"maxShare": 0.9, "compat": "reference"`, 1): "maxShare: the reference looks at no scores",
	} {
		if _, err := configured(t, "MineNegatives", config, mineTables(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestQueriesAreCutAsPublished(t *testing.T) {
	b, err := os.ReadFile("testdata/duqgen_cleanup.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Generated, Stage1 string
		Stage2            *string
	}
	if err := json.Unmarshal(b, &cases); err != nil || len(cases) != 14 {
		t.Fatal(err, len(cases))
	}
	for _, c := range cases {
		if got := firstQuestion(c.Generated); got != c.Stage1 {
			t.Errorf("%q is generated as %q, want %q", c.Generated, got, c.Stage1)
		}
		got, err := CleanAsPublished(c.Generated)
		if (err == nil) != (c.Stage2 != nil) || err == nil && got != *c.Stage2 {
			t.Errorf("%q: query %q, %v", c.Generated, got, err)
		}
	}
}

func TestCleanKeepsWhatTheReferenceLoses(t *testing.T) {
	for completion, want := range map[string]string{
		" What is BM25?":                            "What is BM25?",
		"Why?? really?":                             "Why?",
		"café opening hours":                        "café opening hours",
		"\nWhat is\nit?":                            "What is",
		"what is  EPS ? (earnings)":                 "what is EPS ?",
		"tab\tquery":                                "tab query",
		"a query Example 4: Document: x":            "a query",
		"effects of vitamin d Explanation: because": "effects of vitamin d",
		"1) first 2) second":                        "1) first 2) second",
		"Note: this is odd":                         "reject empty",
		"":                                          "reject empty",
		" ?!":                                       "reject empty",
		"what \uFFFD is":                            "reject broken",
	} {
		got, err := Clean(completion)
		if err != nil {
			got = "reject " + transforms.AsRejected(nil, err).Class
		}
		if got != want {
			t.Errorf("%q: %q, want %q", completion, got, want)
		}
	}
}

func TestCleanQueryAddsAColumn(t *testing.T) {
	in := rowsOf(t, "completion:string", []any{"Is it? Yes."}, []any{nil}, []any{"\xff"}, []any{"ça va?"})
	for compat, want := range map[string][]string{
		"none":      {"Is it? Yes. | Is it?", "null", "utf8", "ça va? | ça va?"},
		"reference": {"Is it? Yes. | Is it", "null", "utf8", "non-ascii"},
	} {
		n, err := configured(t, "CleanQuery", `{"column": "completion", "as": "query", "compat": "`+compat+`"}`, map[string]table{transforms.In: in})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range in.rows {
			err := n.(transforms.Row).Process(t.Context(), r, func(_ string, r *data.Record) { got = append(got, spell(r)) })
			if err != nil {
				got = append(got, transforms.AsRejected(r, err).Class)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", compat, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("What? Example 5:")
	f.Fuzz(func(t *testing.T, completion string) {
		if query, err := Clean(completion); err == nil {
			again, err := Clean(query)
			if err != nil || again != query {
				t.Errorf("%q is cleaned again to %q, %v", query, again, err)
			}
		}
		if query, err := CleanAsPublished(completion); err == nil && strings.ContainsAny(query, "\n?") {
			t.Errorf("query %q", query)
		}
	})
}
