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

// BenchmarkMeasure measures tokens a second where only moments are wanted, made by the
// host of logits and by the device.
func BenchmarkMeasure(b *testing.B) {
	if _, err := cachedGGUF("smollm2"); err != nil {
		b.Skip(err)
	}
	lm := openTest(b, "smollm2")
	backend, err := device()
	if err != nil {
		b.Fatal(err)
	}
	program, err := newProgram(backend, "moments", lm.weights, lm.momentsGraph)
	if err != nil {
		b.Fatal(err)
	}
	defer program.close()
	defer func() { lm.model.moments = nil }()
	batch := randomRows(lm.Info().Vocabulary, 250, 240, 230, 220, 210, 200, 190, 180)
	for name, moments := range map[string]*float64{"host": nil, "device": new(float64)} {
		b.Run(name, func(b *testing.B) {
			lm.model.moments = nil
			if moments != nil {
				lm.model.moments = program
			}
			measureAll(b, lm, batch)
			b.ResetTimer()
			for b.Loop() {
				measureAll(b, lm, batch)
			}
			b.ReportMetric(1720*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
