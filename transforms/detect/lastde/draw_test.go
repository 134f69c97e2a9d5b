package lastde

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// distribution returns size random logits, as peaked as a language model's,
// and their log-sum-exp.
func distribution(seed uint64, size int) ([]float32, float64) {
	random := rand.New(rand.NewPCG(seed, 7))
	logits := make([]float32, size)
	sum := 0.0
	for v := range logits {
		logits[v] = float32(3 * random.NormFloat64())
		sum += math.Exp(float64(logits[v]))
	}
	return logits, math.Log(sum)
}

func uniforms(seed uint64, n int) []float64 {
	random := rand.New(rand.NewPCG(seed, 11))
	u := make([]float64, n)
	for k := range u {
		u[k] = random.Float64()
	}
	return u
}

func TestDrawInvertsTheCumulativeDistribution(t *testing.T) {
	for _, size := range []int{1, 2, 63, 64, 65, 1000, 49152} {
		logits, logSumExp := distribution(uint64(size), size)
		u := uniforms(uint64(size), 500)
		var scratch Scratch
		tokens, logProbs := make([]int, len(u)), make([]float64, len(u))
		if err := DrawTokens(logits, logSumExp, u, tokens, &scratch); err != nil {
			t.Fatal(err)
		}
		if err := Draw(logits, logSumExp, u, logProbs, &scratch); err != nil {
			t.Fatal(err)
		}

		cumulative, total := make([]float64, size), 0.0
		for v, logit := range logits {
			total += math.Exp(float64(logit) - logSumExp)
			cumulative[v] = total
		}
		for k := range u {
			want := 0
			for cumulative[want] <= u[k]*total {
				want++
			}
			if tokens[k] != want {
				t.Errorf("vocabulary %d: token %d for u = %g, want %d", size, tokens[k], u[k], want)
			}
			near(t, "log-probability", logProbs[k], float64(logits[want])-logSumExp)
		}
	}
}

func TestDrawFollowsTheDistribution(t *testing.T) {
	const draws = 200_000
	logits, logSumExp := distribution(42, 200)
	tokens := make([]int, draws)
	if err := DrawTokens(logits, logSumExp, uniforms(42, draws), tokens, new(Scratch)); err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, len(logits))
	for _, token := range tokens {
		counts[token]++
	}
	// Tokens expected fewer than 5 times are pooled, as the test requires.
	statistic, cells, pooled, pooledExpected := 0.0, 0, 0.0, 0.0
	for v, logit := range logits {
		expected := draws * math.Exp(float64(logit)-logSumExp)
		if expected < 5 {
			pooled, pooledExpected = pooled+counts[v], pooledExpected+expected
			continue
		}
		statistic += (counts[v] - expected) * (counts[v] - expected) / expected
		cells++
	}
	if pooledExpected > 0 {
		statistic += (pooled - pooledExpected) * (pooled - pooledExpected) / pooledExpected
		cells++
	}
	p := 1 - distuv.ChiSquared{K: float64(cells - 1)}.CDF(statistic)
	if p < 0.001 || p > 0.999 {
		t.Errorf("chi-square %g over %d cells: p = %g", statistic, cells, p)
	}
}

func TestDrawDependsOnItsOwnUniformOnly(t *testing.T) {
	logits, logSumExp := distribution(1, 5000)
	u := uniforms(1, 100)
	together := make([]float64, len(u))
	if err := Draw(logits, logSumExp, u, together, new(Scratch)); err != nil {
		t.Fatal(err)
	}
	other, otherSum := distribution(2, 300)
	scratch, alone := new(Scratch), make([]float64, 1)
	for k := len(u) - 1; k >= 0; k-- { // reverse order, one by one, with a used scratch
		if err := Draw(other, otherSum, u[k:k+1], alone, scratch); err != nil {
			t.Fatal(err)
		}
		if err := Draw(logits, logSumExp, u[k:k+1], alone, scratch); err != nil {
			t.Fatal(err)
		}
		if alone[0] != together[k] {
			t.Fatalf("draw %d is %g alone and %g together", k, alone[0], together[k])
		}
	}
}

func TestDrawNeverPicksAnImpossibleToken(t *testing.T) {
	masked := float32(math.Inf(-1))
	ends := []float64{0, math.SmallestNonzeroFloat64, 0.5, math.Nextafter(1, 0)}
	for _, logits := range [][]float32{
		{masked, 0, masked},
		slices.Concat(slices.Repeat([]float32{masked}, 200), []float32{0}, slices.Repeat([]float32{masked}, 200)),
		slices.Concat(slices.Repeat([]float32{-1e9}, 64), []float32{0}, slices.Repeat([]float32{-1e9}, 64)),
	} {
		tokens := make([]int, len(ends))
		if err := DrawTokens(logits, 0, ends, tokens, new(Scratch)); err != nil {
			t.Fatal(err)
		}
		for k, token := range tokens {
			if logits[token] != 0 {
				t.Errorf("u = %g drew token %d of probability 0", ends[k], token)
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	nan := float32(math.NaN())
	masked := float32(math.Inf(-1))
	half := []float64{0.5}
	for _, c := range []struct {
		name      string
		logits    []float32
		logSumExp float64
		uniforms  []float64
		text      string
	}{
		{"no logits", nil, 0, half, "0 logits"},
		{"NaN logit", []float32{0, nan}, 0, half, "sum to NaN"},
		{"all masked", []float32{masked, masked}, 0, half, "sum to 0"},
		{"another position's log-sum-exp", []float32{1, 2, 3}, 5, half, "want 1"},
		{"infinite log-sum-exp", []float32{1, 2, 3}, math.Inf(-1), half, "want 1"},
		{"u = 1", []float32{0}, 0, []float64{1}, "uniform 0 is 1"},
		{"u = NaN", []float32{0}, 0, []float64{math.NaN()}, "uniform 0 is NaN"},
		{"lengths", []float32{0}, 0, nil, "0 uniforms for 1 draws"},
	} {
		if err := Draw(c.logits, c.logSumExp, c.uniforms, make([]float64, 1), new(Scratch)); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.text)
		}
	}
}

func TestSamplesKeepPositionsApart(t *testing.T) {
	samples := NewSamples(2, 3)
	for i := range 3 {
		samples.SetPosition(i, []float64{float64(i), float64(10 + i)})
	}
	if !slices.Equal(samples.Sequence(0), []float64{0, 1, 2}) || !slices.Equal(samples.Sequence(1), []float64{10, 11, 12}) {
		t.Errorf("sequences %v and %v", samples.Sequence(0), samples.Sequence(1))
	}
}

func FuzzDraw(f *testing.F) {
	f.Add(float32(0), float32(1), float32(-3), 0.5)
	f.Add(float32(88), float32(-88), float32(0), 0.999999)
	f.Fuzz(func(t *testing.T, a, b, c float32, u float64) {
		logits := []float32{a, b, c}
		top := float64(max(a, b, c))
		logSumExp := top + math.Log(math.Exp(float64(a)-top)+math.Exp(float64(b)-top)+math.Exp(float64(c)-top))
		out := make([]float64, 1)
		if err := Draw(logits, logSumExp, []float64{u}, out, new(Scratch)); err == nil && (math.IsNaN(out[0]) || math.IsInf(out[0], 0)) {
			t.Errorf("drew log-probability %g from %v", out[0], logits)
		}
	})
}

// The cost of one position: 100 draws.
func BenchmarkDraw(b *testing.B) {
	for _, size := range []struct {
		name       string
		vocabulary int
	}{{"49k", 49152}, {"150k", 150000}} {
		b.Run(size.name, func(b *testing.B) {
			logits, logSumExp := distribution(1, size.vocabulary)
			u, out, scratch := uniforms(1, 100), make([]float64, 100), new(Scratch)
			b.ReportAllocs()
			for b.Loop() {
				if err := Draw(logits, logSumExp, u, out, scratch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
