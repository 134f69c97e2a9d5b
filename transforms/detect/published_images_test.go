package detect

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// Evaluate gives the areas that were published with six sets of image scores
// (RIGID, MINDER and blur distances by DINOv2 and DINOv3 of 4,000 images;
// github.com/AlecImhofUni/ProjectGenAI).
func TestPublishedImageScores(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "shared", "data", "detection", "scores", "rigid-imhof")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("the published score sets are not beside the repository, in ../shared/data")
	}
	schema := data.MustSchema(
		data.Field{Name: "label", Type: data.StringType},
		data.Field{Name: "score", Type: data.Float64Type},
		data.Field{Name: "dataset", Type: data.StringType})
	compared := 0
	for _, name := range []string{"v2_rigid", "v2_minder", "v2_blur", "v3_rigid", "v3_minder", "v3_blur"} {
		n, err := newEvaluate([]byte(`{"label": "label", "positive": "1", "scores": ["score"], "by": ["dataset"], "fpr": [0.05]}`))
		if err != nil {
			t.Fatal(err)
		}
		e := n.(*Evaluate)
		if _, err := e.Columns(transforms.Ports{{Name: transforms.In, Schema: schema}}); err != nil {
			t.Fatal(err)
		}
		a := e.NewAccumulator()
		for _, row := range readCSV(t, filepath.Join(folder, name+".csv")) {
			score, err := strconv.ParseFloat(row["score"], 64)
			if err != nil {
				t.Fatal(err)
			}
			err = a.Add(&data.Record{Schema: schema, Values: []data.Value{data.StringValue(row["label"]), data.Float64Value(score), data.StringValue(row["dataset"])}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := a.Emit(t.Context(), func(string, *data.Record) {}); err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, s := range e.Evaluation().Scores {
			got[s.Group] = s.AUROC
		}
		for _, row := range readCSV(t, filepath.Join(folder, name+"_summary.csv")) {
			want, err := strconv.ParseFloat(row["auroc"], 64)
			if err != nil {
				t.Fatal(err)
			}
			group := row["dataset"]
			if group == "GLOBAL" {
				group = ""
			}
			if g, ok := got[group]; !ok || math.Abs(g-want) > 1e-9 {
				t.Errorf("%s, %s: AUROC %v, published %v", name, row["dataset"], g, want)
			}
			compared++
		}
	}
	if compared != 24 {
		t.Errorf("%d areas compared, want 24", compared)
	}
}

func readCSV(t *testing.T, path string) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}
