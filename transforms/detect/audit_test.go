package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// auditGolden is testdata/audit.json, made with scikit-learn by make_audit.py beside it.
type auditGolden struct {
	Rows []struct {
		Label, Group, Text string
		Score              float64
	} `json:"rows"`
	Edges     []float64 `json:"edges"`
	Confounds []struct {
		Feature    string  `json:"feature"`
		AUROC      float64 `json:"auroc"`
		Less       bool    `json:"less"`
		Group      string  `json:"group"`
		GroupAUROC float64 `json:"group_auroc"`
	} `json:"confounds"`
	Bands []struct {
		Rows  int     `json:"rows"`
		AUROC float64 `json:"auroc"`
	} `json:"bands"`
	Transfers []struct {
		FPR            float64  `json:"fpr"`
		Groups         []string `json:"groups"`
		FalsePositives [][]int  `json:"false_positives"`
		TruePositives  [][]int  `json:"true_positives"`
	} `json:"transfers"`
}

var auditSchema = data.MustSchema(
	data.Field{Name: "label", Type: data.StringType},
	data.Field{Name: "group", Type: data.StringType},
	data.Field{Name: "text", Type: data.StringType, Nullable: true},
	data.Field{Name: "length", Type: data.Int64Type, Nullable: true},
	data.Field{Name: "score", Type: data.Float64Type},
)

func auditRow(i int, label, group, text string, score float64) *data.Record {
	return &data.Record{Schema: auditSchema, ID: data.ID{Source: "golden", Row: int64(i)}, Values: []data.Value{
		data.StringValue(label), data.StringValue(group), data.StringValue(text),
		data.Int64Value(int64(utf8.RuneCountInString(text))), data.Float64Value(score)}}
}

func newAudit(t *testing.T, config map[string]any) *Evaluate {
	t.Helper()
	all := map[string]any{"label": "label", "positive": "machine", "scores": []string{"score"}, "by": []string{}, "fpr": []float64{0.1}, "maxConfound": 1}
	for name, value := range config {
		all[name] = value
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newEvaluate(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: auditSchema}}); err != nil {
		t.Fatal(err)
	}
	return n.(*Evaluate)
}

func TestAuditEqualsScikitLearn(t *testing.T) {
	var golden auditGolden
	readGolden(t, "audit.json", &golden)
	var records []*data.Record
	for i, r := range golden.Rows {
		records = append(records, auditRow(i, r.Label, r.Group, r.Text, r.Score))
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }
	e := newAudit(t, map[string]any{"by": []string{"group"}, "band": "length", "bandEdges": golden.Edges, "transfer": []float64{0.05, 0.1}})
	// In two parts, as workers make them.
	half := len(records) / 2
	total := accumulate(t, e, records[half:])
	encoded, err := accumulate(t, e, records[:half]).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := total.Merge(encoded); err != nil {
		t.Fatal(err)
	}
	out := emitAll(t, total)
	got := e.Evaluation()

	if len(got.Confounds) != len(golden.Confounds) {
		t.Fatalf("%d features, want %d", len(got.Confounds), len(golden.Confounds))
	}
	for i, want := range golden.Confounds {
		c := got.Confounds[i]
		if c.Feature != want.Feature || !near(c.AUROC, want.AUROC) || c.Less != want.Less || c.Group != want.Group || !near(c.GroupAUROC, want.GroupAUROC) {
			t.Errorf("feature %d is %+v, want %+v", i, c, want)
		}
		if c.Column != "text" || !(c.Low <= c.AUROC && c.AUROC <= c.High) {
			t.Errorf("%+v", c)
		}
	}

	if len(got.Bands) != len(golden.Bands) {
		t.Fatalf("%d bands, want %d", len(got.Bands), len(golden.Bands))
	}
	names := []string{"below 40", "40 to 80", "80 or more"}
	for i, want := range golden.Bands {
		b := got.Bands[i]
		if b.Group != names[i] || b.Positives+b.Negatives != want.Rows || !near(b.AUROC, want.AUROC) {
			t.Errorf("band %d is %s with %d rows and AUROC %v, want %s with %d and %v", i, b.Group, b.Positives+b.Negatives, b.AUROC, names[i], want.Rows, want.AUROC)
		}
		row := out[len(out)-len(names)+i]
		if row.Get("band").Text() != names[i] || !row.Get("group").IsNull() || !near(row.Get("auroc").Float64(), want.AUROC) {
			t.Errorf("row of band %d: %v", i, row)
		}
	}

	if len(got.Transfers) != len(golden.Transfers) {
		t.Fatalf("%d transfers, want %d", len(got.Transfers), len(golden.Transfers))
	}
	for i, want := range golden.Transfers {
		g := got.Transfers[i]
		if g.FPR != want.FPR || !slices.Equal(g.Groups, want.Groups) {
			t.Fatalf("transfer at %v between %v, want %v between %v", g.FPR, g.Groups, want.FPR, want.Groups)
		}
		for from := range want.Groups {
			if !slices.Equal(g.FalsePositives[from], want.FalsePositives[from]) || !slices.Equal(g.TruePositives[from], want.TruePositives[from]) {
				t.Errorf("at %v from %s: %v and %v flagged, want %v and %v", g.FPR, g.Groups[from], g.FalsePositives[from], g.TruePositives[from], want.FalsePositives[from], want.TruePositives[from])
			}
		}
	}
}

// Texts that differ in length alone fail the gate, and the evaluation is there to see.
func TestGateNamesTheConfound(t *testing.T) {
	e := newAudit(t, map[string]any{"maxConfound": 0.8})
	var records []*data.Record
	for i := range 20 {
		records = append(records, auditRow(2*i, "human", "", strings.Repeat("x", 10+i), 0), auditRow(2*i+1, "machine", "", strings.Repeat("x", 40+i), 1))
	}
	err := accumulate(t, e, records).Emit(t.Context(), func(string, *data.Record) {})
	want := "characters of column text (AUROC 1.000) alone tells machine from the rest, more than maxConfound 0.8 allows: match the classes in it, or raise maxConfound"
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	if e.Evaluation() == nil || e.Evaluation().Confounds[0].Feature != "characters" {
		t.Error("the evaluation is lost")
	}
}

func TestAuditOfImages(t *testing.T) {
	var small, large bytes.Buffer
	if err := png.Encode(&small, image.NewGray(image.Rect(0, 0, 8, 4))); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&large, image.NewGray(image.Rect(0, 0, 16, 32)), nil); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		file []byte
		want []float64
	}{
		{small.Bytes(), []float64{float64(small.Len()), 8, 4, float64(small.Len()) / 32, 0, 1, 0, 0, 0, 0}},
		{large.Bytes(), []float64{float64(large.Len()), 16, 32, float64(large.Len()) / 512, 1, 0, 0, 0, 0, 0}},
	} {
		if got := imageTraits(data.BytesValue(test.file), data.BytesType); !slices.Equal(got, test.want) {
			t.Errorf("%v, want %v", got, test.want)
		}
	}
	for _, file := range [][]byte{nil, []byte("no image"), small.Bytes()[:20]} {
		if got := imageTraits(data.BytesValue(file), data.BytesType); !math.IsNaN(got[0]) {
			t.Errorf("features %v of what is no image", got)
		}
	}
}

func TestAuditRefusesConfigurations(t *testing.T) {
	for _, test := range []struct{ more, field string }{
		{`"audit":["nothing"]`, "audit.0"},
		{`"band":"length"`, "bandEdges"},
		{`"bandEdges":[1]`, "bandEdges"},
		{`"band":"length","bandEdges":[2,1]`, "bandEdges"},
		{`"band":"length","bandEdges":[1,1]`, "bandEdges"},
		{`"band":"text","bandEdges":[1]`, "band"},
		{`"transfer":[0.1,0.1]`, "transfer.1"},
		{`"transfer":[1]`, "transfer.0"},
	} {
		n, err := newEvaluate([]byte(`{"label":"label","positive":"machine","scores":["score"],"by":[],"fpr":[],` + test.more + `}`))
		if err == nil {
			_, err = n.Columns(transforms.Ports{{Name: transforms.In, Schema: auditSchema}})
		}
		if field := fieldOf(err); field != test.field {
			t.Errorf("%s: error %v, want one at %s", test.more, err, test.field)
		}
	}
}

// fieldOf is the field that a configuration's error names.
func fieldOf(err error) string {
	var field *transforms.FieldError
	if !errors.As(err, &field) {
		return ""
	}
	return field.Field
}
