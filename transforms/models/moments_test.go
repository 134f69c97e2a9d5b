package models

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// measureAll gives the moments of rows, each by position.
func measureAll(t testing.TB, lm *LM, batch [][]int32) [][]Moments {
	t.Helper()
	out := make([][]Moments, len(batch))
	var running sync.WaitGroup
	for i, ids := range batch {
		out[i] = make([]Moments, len(ids)-1)
		running.Go(func() {
			if err := lm.Measure(t.Context(), ids, func(pos int, at Moments) { out[i][pos] = at }); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	return out
}

func randomRows(vocabulary int, lengths ...int) [][]int32 {
	rng := rand.New(rand.NewPCG(3, 4))
	rows := make([][]int32, len(lengths))
	for i, n := range lengths {
		rows[i] = make([]int32, n)
		for j := range rows[i] {
			rows[i][j] = rng.Int32N(int32(vocabulary))
		}
	}
	return rows
}

// momentsDiffer is the largest difference of two rows' log-probabilities and moments,
// and the number of positions where ranks differ.
func momentsDiffer(a, b []Moments) (worst float64, ranks int) {
	for i := range a {
		for _, d := range []float64{a[i].LogProb - b[i].LogProb, a[i].Mean - b[i].Mean, a[i].Square - b[i].Square} {
			if !(math.Abs(d) <= worst) {
				worst = math.Abs(d)
			}
		}
		if a[i].Rank != b[i].Rank {
			ranks++
		}
	}
	return worst, ranks
}

// The moments that a device makes are those the host makes of its logits, which are
// compared with those of transformers elsewhere; padding and empty rows change nothing.
func TestDeviceMomentsEqualThoseOfLogits(t *testing.T) {
	for _, ref := range []string{"pocket", "testdata/tiny/gpt2", "testdata/tiny/llama-tied"} {
		lm := openTest(t, ref)
		batch := randomRows(lm.Info().Vocabulary, 2, 3, 17, 30, 61, 2)
		host := measureAll(t, lm, batch)

		backend, err := device()
		if err != nil {
			t.Fatal(err)
		}
		program, err := newProgram(backend, "moments", lm.weights, lm.momentsGraph)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(program.close)
		traits := *lm.traits
		traits.height = gpuTraits.height
		lm.model.traits, lm.model.moments = &traits, program
		t.Cleanup(func() { lm.model.moments = nil })
		reduced := measureAll(t, lm, batch)
		for i := range batch {
			worst, ranks := momentsDiffer(host[i], reduced[i])
			if !(worst < 1e-4) || ranks > 0 {
				t.Errorf("%s: row %d of %d tokens: off by %.2g, %d ranks differ", ref, i, len(batch[i]), worst, ranks)
			}
		}
	}
}

// Half precision is near single precision and is not it.
func TestHalfPrecisionIsNearSingle(t *testing.T) {
	lm := openTest(t, "pocket")
	half, err := Open(t.Context(), "pocket", Options{Precision: Half})
	if Device() == "pure Go" {
		if err == nil || err.Error() != "model pocket: precision bfloat16 needs XLA (`make xla`, --backend xla), or leave it at float32" {
			t.Errorf("error %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { half.Close() })
	batch := randomRows(lm.Info().Vocabulary, 20, 60)
	a, b := measureAll(t, lm, batch), measureAll(t, half, batch)
	for i := range batch {
		worst, _ := momentsDiffer(a[i], b[i])
		t.Logf("row %d: off by %.2g", i, worst)
		if !(worst < 1) || worst == 0 {
			t.Errorf("row %d: off by %.2g", i, worst)
		}
	}
}

func TestUnknownPrecisionIsRefused(t *testing.T) {
	_, err := Open(t.Context(), "pocket", Options{Precision: "int3"})
	if err == nil || err.Error() != `model pocket: no precision "int3" (float32 or bfloat16)` {
		t.Errorf("error %v", err)
	}
}
