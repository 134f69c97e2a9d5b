package models

import (
	"math"
	"math/rand/v2"
	"testing"
)

// momentsFloat64 is the definition, in float64 throughout.
func momentsFloat64(logits []float32, target int32) Moments {
	highest := math.Inf(-1)
	for _, v := range logits {
		highest = max(highest, float64(v))
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - highest)
	}
	total := highest + math.Log(sum)
	m := Moments{LogProb: float64(logits[target]) - total, Rank: 1}
	for _, v := range logits {
		logp := float64(v) - total
		p := math.Exp(logp)
		m.Mean += p * logp
		m.Square += p * logp * logp
		if v > logits[target] {
			m.Rank++
		}
	}
	return m
}

func randomLogits(n int, scale float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	logits := make([]float32, n)
	for i := range logits {
		logits[i] = float32(rng.NormFloat64() * scale)
	}
	return logits
}

func TestPositionAgreesWithFloat64(t *testing.T) {
	for _, scale := range []float64{0, 0.1, 1, 3, 10, 50} {
		for _, n := range []int{1, 2, 3, 5, 17, 4096, 49152} {
			logits := randomLogits(n, scale, uint64(n))
			for _, target := range []int32{0, int32(n / 2), int32(n - 1)} {
				got, want := Position(logits, target), momentsFloat64(logits, target)
				if got.Rank != want.Rank {
					t.Errorf("scale %v, n %d: rank %d, want %d", scale, n, got.Rank, want.Rank)
				}
				for _, c := range []struct {
					name      string
					got, want float64
				}{{"log-probability", got.LogProb, want.LogProb}, {"mean", got.Mean, want.Mean}, {"square", got.Square, want.Square}} {
					if diff := math.Abs(c.got - c.want); diff > 1e-6*max(0.1, math.Abs(c.want)) {
						t.Errorf("scale %v, n %d: %s %v, want %v", scale, n, c.name, c.got, c.want)
					}
				}
			}
		}
	}
}

func TestPositionOfExtremeLogits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, n := range []int{4, 130} { // without and with the vector form
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = -inf
		}
		logits[0], logits[2], logits[3] = 0, -200, 0
		m := Position(logits, 1)
		if !math.IsInf(m.LogProb, -1) || m.Rank != 4 {
			t.Errorf("%d logits: impossible token: %+v", n, m)
		}
		if want := -math.Ln2; !(math.Abs(m.Mean-want) < 1e-6) {
			t.Errorf("%d logits: mean %v, want %v: impossible tokens weigh nothing", n, m.Mean, want)
		}
		for _, bad := range []float32{nan, -nan, inf, math.Float32frombits(0x7fc12345)} {
			for at := range n {
				broken := append([]float32(nil), logits...)
				broken[at] = bad
				if m := Position(broken, 0); !math.IsNaN(m.Mean) || !math.IsNaN(m.LogProb) {
					t.Fatalf("%v among %d logits at %d: %+v, want NaN", bad, n, at, m)
				}
			}
		}
	}
}

func TestExp32(t *testing.T) {
	for x := float32(0); x > -86.9; x -= 0.0007 {
		want := math.Exp(float64(x))
		if got := float64(exp32(x)); math.Abs(got-want) > 2e-7*want {
			t.Fatalf("exp32(%v) = %v, want %v", x, got, want)
		}
	}
	if exp32(0) != 1 {
		t.Error("exp32(0) must be 1")
	}
}

func TestLogSumExp(t *testing.T) {
	logits := randomLogits(1000, 4, 9)
	if got, want := LogSumExp(logits), float64(logits[7])-momentsFloat64(logits, 7).LogProb; math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
}

func BenchmarkPosition(b *testing.B) {
	logits := randomLogits(49152, 3, 1)
	for b.Loop() {
		Position(logits, 17)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/49152, "ns/entry")
}
