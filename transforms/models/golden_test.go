package models

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// goldenRow is a row of testdata/tiny/*/expected.json, made by transformers. Logits
// are those of the last positions of the row.
type goldenRow struct {
	IDs    []int32     `json:"ids"`
	Logits [][]float32 `json:"logits"`
}

func openTest(t testing.TB, ref string) *LM {
	t.Helper()
	lm, err := Open(t.Context(), ref, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lm.Close() })
	return lm
}

func readJSONFile(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forwardAll runs a batch and copies all logits, by row and position.
func forwardAll(t testing.TB, lm *LM, batch [][]int32) [][][]float32 {
	t.Helper()
	var mu sync.Mutex
	out := make([][][]float32, len(batch))
	for row := range batch {
		out[row] = make([][]float32, len(batch[row]))
	}
	err := lm.Forward(t.Context(), batch, func(row, pos int, logits []float32) {
		mu.Lock()
		defer mu.Unlock()
		if out[row][pos] != nil {
			t.Errorf("row %d position %d was visited twice", row, pos)
		}
		out[row][pos] = append([]float32(nil), logits...)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func maxDifference(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}

func TestLogitsEqualTransformers(t *testing.T) {
	for _, name := range []string{"llama-tied", "llama-untied", "llama-sharded", "gpt2"} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", "tiny", name)
			lm := openTest(t, folder)
			var golden []goldenRow
			readJSONFile(t, filepath.Join(folder, "expected.json"), &golden)
			batch := make([][]int32, len(golden))
			for i, row := range golden {
				batch[i] = row.IDs
			}
			got := forwardAll(t, lm, batch)
			for i, row := range golden {
				tail := got[i][len(got[i])-len(row.Logits):]
				for j, want := range row.Logits {
					if diff := maxDifference(tail[j], want); diff > 1e-4 {
						t.Errorf("row %d of %d tokens: logits differ by %v", i, len(row.IDs), diff)
					}
				}
			}
		})
	}
}
