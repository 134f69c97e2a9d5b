package detect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"

	gocmp "github.com/google/go-cmp/cmp"
)

// evaluateGolden is testdata/evaluate.json, made with scikit-learn by
// make_golden.py beside it.
type evaluateGolden struct {
	FPR  []float64 `json:"fpr"`
	Rows []struct {
		Label  *string  `json:"label"`
		Source string   `json:"source"`
		Even   *float64 `json:"even"`
		Count  int64    `json:"count"`
	} `json:"rows"`
	Evaluations []struct {
		Group            string    `json:"group"`
		Score            string    `json:"score"`
		Positives        int       `json:"positives"`
		Negatives        int       `json:"negatives"`
		Missing          int       `json:"missing"`
		AUROC            *float64  `json:"auroc"` // absent when a class is
		AveragePrecision float64   `json:"average_precision"`
		TPR              []float64 `json:"tpr"`
	} `json:"evaluations"`
}

var labelledSchema = data.MustSchema(
	data.Field{Name: "label", Type: data.StringType, Nullable: true},
	data.Field{Name: "source", Type: data.StringType, Nullable: true},
	data.Field{Name: "even", Type: data.Float64Type, Nullable: true},
	data.Field{Name: "count", Type: data.Int64Type},
)

func (g *evaluateGolden) records() []*data.Record {
	var all []*data.Record
	for i, row := range g.Rows {
		values := []data.Value{{}, data.StringValue(row.Source), {}, data.Int64Value(row.Count)}
		if row.Label != nil {
			values[0] = data.StringValue(*row.Label)
		}
		if row.Even != nil {
			values[2] = data.Float64Value(*row.Even)
		}
		all = append(all, &data.Record{Schema: labelledSchema, ID: data.ID{Source: "golden", Row: int64(i)}, Values: values})
	}
	return all
}

func newTestEvaluate(t *testing.T, by []string, fpr ...float64) *Evaluate {
	t.Helper()
	config, err := json.Marshal(map[string]any{"label": "label", "positive": "machine", "scores": []string{"even", "count"}, "by": by, "fpr": fpr})
	if err != nil {
		t.Fatal(err)
	}
	n, err := newEvaluate(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: labelledSchema}}); err != nil {
		t.Fatal(err)
	}
	return n.(*Evaluate)
}

func accumulate(t *testing.T, e *Evaluate, records []*data.Record) transforms.Accumulator {
	t.Helper()
	a := e.NewAccumulator()
	for _, r := range records {
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func emitAll(t *testing.T, a transforms.Accumulator) []*data.Record {
	t.Helper()
	var out []*data.Record
	if err := a.Emit(t.Context(), func(_ string, r *data.Record) { out = append(out, r) }); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEvaluateEqualsScikitLearn(t *testing.T) {
	var golden evaluateGolden
	readGolden(t, "evaluate.json", &golden)
	e := newTestEvaluate(t, []string{"source"}, golden.FPR...)
	out := emitAll(t, accumulate(t, e, golden.records()))
	got := e.Evaluation()
	if len(got.Scores) != len(golden.Evaluations) || len(out) != len(golden.Evaluations) {
		t.Fatalf("%d evaluations in %d rows, want %d", len(got.Scores), len(out), len(golden.Evaluations))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	for i, want := range golden.Evaluations {
		s, row := got.Scores[i], out[i]
		if s.Group != want.Group || s.Score != want.Score || row.Get("score").Text() != want.Score || row.Get("source").Text() != want.Group {
			t.Fatalf("evaluation %d is of %q in %q, want %q in %q", i, s.Score, s.Group, want.Score, want.Group)
		}
		if s.Positives != want.Positives || s.Negatives != want.Negatives || s.Missing != want.Missing {
			t.Errorf("%s %s: %d positives, %d negatives, %d missing", s.Group, s.Score, s.Positives, s.Negatives, s.Missing)
		}
		if row.Get("positives").Int64() != int64(want.Positives) || row.Get("missing").Int64() != int64(want.Missing) {
			t.Errorf("row %v", row)
		}
		if want.AUROC == nil {
			if s.Note == "" || !row.Get("auroc").IsNull() || !row.Get("tpr_at_fpr_0.1").IsNull() {
				t.Errorf("%s %s has figures without both classes", s.Group, s.Score)
			}
			continue
		}
		if !near(s.AUROC, *want.AUROC) || !near(row.Get("auroc").Float64(), *want.AUROC) {
			t.Errorf("%s %s: AUROC %v, want %v", s.Group, s.Score, s.AUROC, *want.AUROC)
		}
		if !near(s.AveragePrecision, want.AveragePrecision) || !near(row.Get("average_precision").Float64(), want.AveragePrecision) {
			t.Errorf("%s %s: average precision %v, want %v", s.Group, s.Score, s.AveragePrecision, want.AveragePrecision)
		}
		if !(s.AUROCLow < s.AUROC && s.AUROC < s.AUROCHigh) {
			t.Errorf("%s %s: AUROC %v lies outside its interval %v to %v", s.Group, s.Score, s.AUROC, s.AUROCLow, s.AUROCHigh)
		}
		for k, fpr := range golden.FPR {
			column := fmt.Sprintf("tpr_at_fpr_%g", fpr)
			if !near(s.At[k].TPR, want.TPR[k]) || !near(row.Get(column).Float64(), want.TPR[k]) {
				t.Errorf("%s %s: TPR %v at FPR %v, want %v", s.Group, s.Score, s.At[k].TPR, fpr, want.TPR[k])
			}
		}
	}
}

func TestEvaluationDoesNotDependOnDivision(t *testing.T) {
	var golden evaluateGolden
	readGolden(t, "evaluate.json", &golden)
	records := golden.records()
	for _, by := range [][]string{{}, {"source"}, {"source", "label"}} {
		e := newTestEvaluate(t, by, golden.FPR...)
		whole := emitAll(t, accumulate(t, e, records))
		want := e.Evaluation()
		rng := rand.New(rand.NewPCG(1, 2))
		for _, parts := range []int{2, 7} {
			shuffled := slices.Clone(records)
			rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			total := e.NewAccumulator()
			for part := range slices.Chunk(shuffled, len(shuffled)/parts+1) {
				encoded, err := accumulate(t, e, part).Marshal()
				if err != nil {
					t.Fatal(err)
				}
				if err := total.Merge(encoded); err != nil {
					t.Fatal(err)
				}
			}
			if out := emitAll(t, total); !slices.EqualFunc(out, whole, sameRecord) {
				t.Errorf("by %v: the rows of %d accumulators differ from those of one", by, parts)
			}
			if diff := gocmp.Diff(want, e.Evaluation()); diff != "" {
				t.Errorf("by %v: %d accumulators differ from one: %s", by, parts, diff)
			}
		}
	}
}

func sameRecord(a, b *data.Record) bool {
	return a.ID == b.ID && a.Schema.Equal(b.Schema) && slices.EqualFunc(a.Values, b.Values, data.Value.Equal)
}

func TestEvaluationOfNothing(t *testing.T) {
	for _, by := range [][]string{{}, {"source"}} {
		e := newTestEvaluate(t, by, 0.1)
		if e.Evaluation() != nil {
			t.Error("an evaluation before the end")
		}
		out := emitAll(t, e.NewAccumulator())
		if len(out) != 2 || out[0].Get("positives").Int64() != 0 || !out[0].Get("auroc").IsNull() {
			t.Errorf("by %v: %d rows", by, len(out))
		}
	}
}

// A value that is not a number counts as missing: no figure may become NaN.
func TestEvaluateCountsWhatIsNoNumber(t *testing.T) {
	e := newTestEvaluate(t, []string{}, 0.5)
	var records []*data.Record
	for i, x := range []float64{1, 2, math.NaN(), math.Inf(1), math.Inf(-1)} {
		label := []string{"human", "machine"}[i%2]
		records = append(records, &data.Record{Schema: labelledSchema, Values: []data.Value{
			data.StringValue(label), {}, data.Float64Value(x), data.Int64Value(int64(i))}})
	}
	emitAll(t, accumulate(t, e, records))
	if s := e.Evaluation().Scores[0]; s.Missing != 3 || s.Positives != 1 || s.Negatives != 1 || s.AUROC != 1 {
		t.Errorf("%+v", s)
	}
}

// Groups are told apart by all their values, whatever those contain.
func TestGroupsDoNotRunTogether(t *testing.T) {
	e := newTestEvaluate(t, []string{"source", "label"}, 0.5)
	var records []*data.Record
	for _, v := range [][2]string{{"a\x00", "b"}, {"a", "\x00b"}, {"a", ""}, {"", "a"}, {`a" "`, "b"}} {
		records = append(records, &data.Record{Schema: labelledSchema, Values: []data.Value{
			data.StringValue(v[1]), data.StringValue(v[0]), data.Float64Value(1), data.Int64Value(1)}})
	}
	emitAll(t, accumulate(t, e, records))
	groups := map[string]bool{}
	for _, s := range e.Evaluation().Scores {
		groups[s.Group] = true
	}
	if len(groups) != 6 { // and all rows
		t.Errorf("groups %v", groups)
	}
}

func TestUnreachableRateIsSaid(t *testing.T) {
	e := newTestEvaluate(t, []string{}, 0.001)
	var golden evaluateGolden
	readGolden(t, "evaluate.json", &golden)
	out := emitAll(t, accumulate(t, e, golden.records()))
	at := e.Evaluation().Scores[0].At[0]
	if at.Reachable || at.Note == "" || out[0].Get("reachable_at_fpr_0.001").Bool() {
		t.Errorf("a rate of 1 in 1,000 shown with 59 negatives: %+v", at)
	}
}

func TestEvaluateRefusesConfigurations(t *testing.T) {
	for _, test := range []struct{ config, field string }{
		{`{"label":"label","positive":"machine","scores":[],"by":[],"fpr":[]}`, "scores"},
		{`{"label":"label","positive":"machine","scores":["even","even"],"by":[],"fpr":[]}`, "scores.1"},
		{`{"label":"label","positive":"machine","scores":["even"],"by":[],"fpr":[0.1,0]}`, "fpr.1"},
		{`{"label":"label","positive":"machine","scores":["even"],"by":[],"fpr":[1]}`, "fpr.0"},
		{`{"label":"label","positive":"machine","scores":["even"],"by":[],"fpr":[0.1,0.1]}`, "fpr.1"},
		{`{"label":"nobody","positive":"machine","scores":["even"],"by":[],"fpr":[]}`, "label"},
		{`{"label":"label","positive":"machine","scores":["even","source"],"by":[],"fpr":[]}`, "scores.1"},
		{`{"label":"label","positive":"machine","scores":["even"],"by":["even"],"fpr":[]}`, "by.0"},
		{`{"label":"label","positive":"machine","scores":["even"],"by":["source","source"],"fpr":[]}`, "by"},
	} {
		n, err := newEvaluate([]byte(test.config))
		if err == nil {
			_, err = n.Columns(transforms.Ports{{Name: transforms.In, Schema: labelledSchema}})
		}
		var field *transforms.FieldError
		if !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%s: error %v, want one at %s", test.config, err, test.field)
		}
	}
}

func TestGroupsAreSorted(t *testing.T) {
	var golden evaluateGolden
	readGolden(t, "evaluate.json", &golden)
	e := newTestEvaluate(t, []string{"source"}, 0.1)
	emitAll(t, accumulate(t, e, golden.records()))
	if !slices.IsSortedFunc(e.Evaluation().Scores, func(a, b transforms.ScoreEvaluation) int { return cmp.Compare(a.Group, b.Group) }) {
		t.Error("groups are not in order")
	}
}
