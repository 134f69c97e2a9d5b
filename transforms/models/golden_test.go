package models

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
	for _, name := range []string{"llama-tied", "llama-untied", "llama-sharded", "llama-3.1", "llama-linear", "mistral", "qwen2", "qwen3", "gpt2"} {
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

func TestGGUFGivesTheSameLogits(t *testing.T) {
	for _, name := range []string{"llama-tied", "qwen2", "qwen3"} {
		folder := filepath.Join("testdata", "tiny", name)
		var golden []goldenRow
		readJSONFile(t, filepath.Join(folder, "expected.json"), &golden)
		batch := [][]int32{golden[1].IDs, golden[4].IDs}
		want := forwardAll(t, openTest(t, folder), batch)
		got := forwardAll(t, openTest(t, folder+".gguf"), batch)
		for row := range batch {
			for pos := range batch[row] {
				if diff := maxDifference(got[row][pos], want[row][pos]); diff != 0 {
					t.Fatalf("%s: row %d position %d: logits differ by %v", name, row, pos, diff)
				}
			}
		}
	}
}

// Batches of one, of seven and of all 64 rows, in any order, give the same: to the last
// bit in Go, where XLA chooses its kernels by shape to 1e-4.
func TestBatchingDoesNotChangeLogits(t *testing.T) {
	for _, ref := range []string{"pocket", filepath.Join("testdata", "tiny", "mistral"), filepath.Join("testdata", "tiny", "qwen3")} {
		t.Run(filepath.Base(ref), func(t *testing.T) { batchingDoesNotChangeLogits(t, openTest(t, ref)) })
	}
}

func batchingDoesNotChangeLogits(t *testing.T, lm *LM) {
	rng := rand.New(rand.NewPCG(3, 4))
	batch := make([][]int32, 64)
	for i := range batch {
		batch[i] = make([]int32, 1+rng.IntN(min(70, lm.Context())))
		for j := range batch[i] {
			batch[i][j] = rng.Int32N(int32(lm.Info().Vocabulary))
		}
	}
	if lm.Context() > 300 {
		batch[5] = append(batch[5], make([]int32, 200)...) // more than one block of queries
	}
	want := moments(t, lm, batch)
	worst := 0.0
	for _, size := range []int{1, 7} {
		order := rng.Perm(len(batch))
		for group := range slices.Chunk(order, size) {
			part := make([][]int32, len(group))
			for i, row := range group {
				part[i] = batch[row]
			}
			for i, got := range moments(t, lm, part) {
				for pos, m := range got {
					worst = max(worst, math.Abs(m.LogProb-want[group[i]][pos].LogProb), math.Abs(m.Mean-want[group[i]][pos].Mean))
				}
			}
		}
		if worst > lm.traits.batchTolerance {
			t.Fatalf("batches of %d and of %d differ by %v", size, len(batch), worst)
		}
	}
}

// moments runs a batch and keeps the moments of every position that has a next token.
func moments(t testing.TB, lm *LM, batch [][]int32) [][]Moments {
	t.Helper()
	out := make([][]Moments, len(batch))
	for row := range batch {
		out[row] = make([]Moments, len(batch[row])-1)
	}
	err := lm.Forward(t.Context(), batch, func(row, pos int, logits []float32) {
		if pos+1 < len(batch[row]) {
			out[row][pos] = Position(logits, batch[row][pos+1])
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The same batch on the same number of cores gives the same bits again.
func TestForwardIsRepeatable(t *testing.T) {
	lm := openTest(t, "pocket")
	batch := [][]int32{lm.Tokenizer().Encode("The harbour was full of broken boats."), {1, 2, 3}}
	want := moments(t, lm, batch)
	for range 3 {
		for row, got := range moments(t, lm, batch) {
			if !slices.Equal(got, want[row]) {
				t.Errorf("row %d differs", row)
			}
		}
	}
}
