package detect

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms/models"
)

// published is what PyTorch computed with SmolLM2-135M-Instruct
// (transforms/models/testdata/reference/make_reference.py): for each text of a set
// a row of Columns, or one number, null for a text that is too short.
type published[T any] struct {
	Columns []string                                   `json:"columns"`
	Sets    map[string]struct{ Original, Sampled []T } `json:"sets"`
}

// of is what there is of a text.
func (p published[T]) of(text sampleText) T {
	if text.label == "machine" {
		return p.Sets[text.set].Sampled[text.pair]
	}
	return p.Sets[text.set].Original[text.pair]
}

// longPairs is the number of pairs of each set that are compared: a few minutes
// on two cores.
const longPairs = 3

// Texts of the nine published sets score as PyTorch scores them.
func TestSmolLM2ScoresAsPyTorch(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes minutes: set PENSTOCK_LONG=1 (make test-long)")
	}
	if err := models.Find("smollm2"); err != nil {
		t.Skip(err)
	}
	want := readPublished[[]float64](t, "detection_scores.json.gz")
	l := openLastde(t, map[string]any{
		"model": "smollm2", "scores": []string{"log_likelihood", "log_rank", "rank", "entropy", "lrr", "fast_detect_gpt", "lastde"},
	})
	// The reference gives LogRank and rank without their sign.
	sign := map[string]float64{"log_rank": -1, "rank": -1}
	column := map[string]string{"lastde": "lastde_expstd"}
	tolerance := map[string]float64{"fast_detect_gpt": 0.01, "lastde": 0.01} // cosines at the edge of a bin
	compared := 0
	for _, text := range readSamples(t, longPairs) {
		got, err := process(t.Context(), l, textRecord(text.id, text.text))
		if err != nil {
			t.Fatal(text.id, err)
		}
		for i, name := range want.Columns {
			for score := range statistics {
				as := score
				if column[score] != "" {
					as = column[score]
				}
				if as != name || got.Schema.Index(score) < 0 {
					continue
				}
				g, w := got.Get(score).Float64(), want.of(text)[i]
				if sign[score] != 0 {
					w *= sign[score]
				}
				if limit := max(tolerance[score], 1e-3) * max(1, math.Abs(w)); math.Abs(g-w) > limit {
					t.Errorf("%s: %s is %v, PyTorch has %v", text.id, score, g, w)
				}
				compared++
			}
		}
	}
	if want := 9 * 2 * longPairs * 7; compared != want {
		t.Errorf("%d scores compared, want %d", compared, want)
	}
}

// Lastde++ of the same texts is what PyTorch has, from the same random numbers. A
// draw that falls on the border of two tokens, or a cosine on that of two bins,
// may go either way: one of 50 samples changes a score by a few per cent.
func TestSmolLM2SamplesAsPyTorch(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes minutes: set PENSTOCK_LONG=1 (make test-long)")
	}
	if err := models.Find("smollm2"); err != nil {
		t.Skip(err)
	}
	want := readPublished[*float64](t, "lastde_pp_scores.json.gz")
	l := openLastde(t, map[string]any{
		"model": "smollm2", "scores": []string{"lastde_pp"},
		"lastdePP": map[string]any{"s": 4, "epsilon": 8, "scales": 15, "aggregate": "ExpStd", "samples": 50},
	})
	compared := 0
	for _, text := range readSamples(t, longPairs) {
		got, err := process(t.Context(), l, textRecord(text.id, text.text))
		if err != nil {
			t.Fatal(text.id, err)
		}
		g, w := got.Get("lastde_pp").Float64(), want.of(text)
		if w == nil || math.Abs(g-*w) > 0.1 {
			t.Errorf("%s: lastde_pp is %v, PyTorch has %v", text.id, g, w)
		}
		compared++
	}
	if want := 9 * 2 * longPairs; compared != want {
		t.Errorf("%d scores compared, want %d", compared, want)
	}
}

func readPublished[T any](t *testing.T, name string) published[T] {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "models", "testdata", "reference", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var p published[T]
	if err := json.NewDecoder(z).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

type sampleText struct {
	id, set, label, text string
	pair                 int
}

// readSamples reads the first pairs of each set of the shipped samples.
func readSamples(t *testing.T, pairs int) []sampleText {
	t.Helper()
	f, err := parquet.Open(filepath.Join("..", "..", "data", "samples", "fast-detect-gpt.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []sampleText
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
		r := data.Record{Schema: f.Schema(), Values: values}
		if pair := int(r.Get("pair").Int64()); pair < pairs {
			set := fmt.Sprintf("%s_%s", r.Get("source").Text(), r.Get("generator").Text())
			texts = append(texts, sampleText{r.Get("id").Text(), set, r.Get("label").Text(), r.Get("text").Text(), pair})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
