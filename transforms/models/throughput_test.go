package models

import (
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkForward measures tokens a second over rows of mixed length, the moments of
// every position included.
func BenchmarkForward(b *testing.B) {
	for _, ref := range []string{"pocket", "smollm2"} {
		b.Run(ref, func(b *testing.B) {
			if ref == "smollm2" {
				if _, err := cachedGGUF(ref); err != nil {
					b.Skip(err)
				}
			}
			start := time.Now()
			lm := openTest(b, ref)
			opened := time.Since(start)
			rng := rand.New(rand.NewPCG(1, 2))
			batch := make([][]int32, 16)
			tokens := 0
			for i := range batch {
				batch[i] = make([]int32, 64+rng.IntN(192))
				for j := range batch[i] {
					batch[i][j] = rng.Int32N(int32(lm.Info().Vocabulary))
				}
				tokens += len(batch[i])
			}
			for b.Loop() {
				err := lm.Forward(b.Context(), batch, func(row, pos int, logits []float32) {
					if pos+1 < len(batch[row]) {
						Position(logits, batch[row][pos+1])
					}
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
			b.ReportMetric(opened.Seconds(), "s/open")
		})
	}
}
