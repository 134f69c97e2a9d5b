package lastde

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// definition computes DE[1..T] as the paper writes it: every mean, window and
// cosine from scratch.
func definition(l []float64, p Params) []float64 {
	bins := float64(p.Epsilon * len(l))
	var diversity []float64
	for tau := 1; tau <= p.Scales; tau++ {
		var y []float64
		for i := 0; i+tau <= len(l); i++ {
			y = append(y, mean(l[i:i+tau]))
		}
		counts := map[int]float64{}
		cosines := len(y) - p.S
		for i := range cosines {
			u, v := y[i:i+p.S], y[i+1:i+1+p.S]
			dot := 0.0
			for j := range u {
				dot += u[j] * v[j]
			}
			cosine := dot / (max(norm(u), 1e-8) * max(norm(v), 1e-8))
			counts[int(min(math.Floor((min(cosine, 1)+1)*bins/2), bins-1))]++
		}
		de := 0.0
		for _, c := range counts {
			de -= c / float64(cosines) * math.Log(c/float64(cosines))
		}
		diversity = append(diversity, de/math.Log(bins))
	}
	return diversity
}

func TestDiversityEqualsItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range []Params{DefaultParams(), DefaultNormalisedParams(), {S: 2, Epsilon: 1, Scales: 2}, {S: 7, Epsilon: 3, Scales: 20}} {
		scorer, err := NewScorer(p)
		if err != nil {
			t.Fatal(err)
		}
		// Long and short sequences in turn: buffers must not leak between them.
		for _, extra := range []int{400, 0, 1, 90, 2000, 17} {
			l := make([]float64, p.MinLength()+extra)
			for i := range l {
				l[i] = -3 * random.ExpFloat64()
			}
			got, err := scorer.Diversity(l)
			if err != nil {
				t.Fatal(err)
			}
			for tau, want := range definition(l, p) {
				near(t, "DE", got[tau], want)
			}
		}
	}
}

func TestScalingLeavesDiversityUnchangedAndScalesTheScore(t *testing.T) {
	l := generated(99, 150)
	p := DefaultParams()
	diversity, err := Diversity(l, p)
	if err != nil {
		t.Fatal(err)
	}
	score, _ := Score(l, p)
	for _, c := range []float64{0.25, 2, 1 << 20} { // powers of two: no rounding moves a bin
		scaled := make([]float64, len(l))
		for i := range l {
			scaled[i] = c * l[i]
		}
		got, _ := Diversity(scaled, p)
		for tau := range got {
			near(t, "DE", got[tau], diversity[tau])
		}
		gotScore, _ := Score(scaled, p)
		near(t, "score", gotScore, c*score)
	}
}

func TestReversingLeavesDiversityUnchanged(t *testing.T) {
	l := generated(5, 120)
	reversed := make([]float64, len(l))
	for i, v := range l {
		reversed[len(l)-1-i] = v
	}
	want, _ := Diversity(l, DefaultNormalisedParams())
	got, _ := Diversity(reversed, DefaultNormalisedParams())
	for tau := range want {
		near(t, "DE", got[tau], want[tau])
	}
}

func TestDiversityIsBetween0And1AndOrderMatters(t *testing.T) {
	l := generated(3, 200)
	p := DefaultParams()
	shuffled := append([]float64(nil), l...)
	rand.New(rand.NewPCG(3, 3)).Shuffle(len(l), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	first, _ := Diversity(l, p)
	for _, de := range first {
		if de < 0 || de > 1 {
			t.Errorf("DE = %g, want [0, 1]", de)
		}
	}
	a, _ := Score(l, p)
	b, _ := Score(shuffled, p)
	if a == b {
		t.Error("a shuffled sequence has the same score: the score ignores order")
	}
	near(t, "mean", mean(shuffled), mean(l))
}

func TestAggregatesOfOneSequenceAgree(t *testing.T) {
	l := generated(11, 100)
	score := func(a Aggregate) float64 {
		v, err := Score(l, Params{S: 3, Epsilon: 10, Scales: 5, Aggregate: a})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	near(t, "ExpStd", score(ExpStd), mean(l)/math.Exp(mean(l)/score(Std)))
	near(t, "ExpRange", score(ExpRange), mean(l)/math.Exp(mean(l)/score(Range)))
	// Std <= Range, and both exponentials are at least 1.
	if score(Std) > score(Range) || score(ExpStd) < mean(l) {
		t.Errorf("Std %g, Range %g, ExpStd %g, mean %g out of order", score(Std), score(Range), score(ExpStd), mean(l))
	}
}

func TestRepetitiveTextHasExactlyZeroDiversity(t *testing.T) {
	for _, value := range []float64{-0.1, -1.0 / 3, -7.7, -1e-12, 0} {
		l := make([]float64, 64)
		for i := range l {
			l[i] = value
		}
		if _, err := Score(l, DefaultParams()); !errors.Is(err, ErrZeroAggregate) {
			t.Errorf("constant %g: error %v, want ErrZeroAggregate", value, err)
		}
		got, err := Score(l, DefaultNormalisedParams())
		if err != nil {
			t.Fatal(err)
		}
		near(t, "ExpStd score", got, value)
	}
}

func TestScoreRefuses(t *testing.T) {
	with := func(v float64) []float64 {
		l := generated(1, 40)
		l[17] = v
		return l
	}
	for _, c := range []struct {
		name string
		l    []float64
		want error
		text string
	}{
		{"nothing", nil, ErrTooShort, "0, want 19 or more"},
		{"one too short", generated(1, 18), ErrTooShort, "18, want 19 or more"},
		{"NaN", with(math.NaN()), ErrNotFinite, "position 17"},
		{"zero probability", with(math.Inf(-1)), ErrNotFinite, "position 17"},
		{"absurd", with(-1e200), ErrNotFinite, "position 17"},
		{"too long", make([]float64, maxBins/8+1), ErrTooLong, "or fewer"},
	} {
		_, err := Score(c.l, DefaultNormalisedParams())
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want %v with %q", c.name, err, c.want, c.text)
		}
	}
	if _, err := Score(generated(1, 19), DefaultNormalisedParams()); err != nil {
		t.Errorf("the least length is refused: %v", err)
	}
}

func TestNormalisedRefuses(t *testing.T) {
	observed := generated(1, 40)
	same := NewSamples(3, 40)
	for k := range same.Count {
		copy(same.Sequence(k), generated(2, 40))
	}
	infinite := NewSamples(2, 40)
	copy(infinite.Sequence(0), observed)
	infinite.Sequence(1)[3] = math.Inf(-1)
	for _, c := range []struct {
		name    string
		samples *Samples
		text    string
	}{
		{"one sample", NewSamples(1, 40), "1 samples, want 2 or more"},
		{"another length", NewSamples(2, 41), "length 41"},
		{"equal samples", same, "the samples' scores do not differ"},
		{"infinite sample", infinite, "sample 1: lastde: position 3"},
	} {
		if _, err := Normalised(observed, c.samples, DefaultNormalisedParams()); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.text)
		}
	}
}

func TestNormalisedCentresAndScales(t *testing.T) {
	p := DefaultNormalisedParams()
	samples := NewSamples(20, 60)
	var scores []float64
	for k := range samples.Count {
		copy(samples.Sequence(k), generated(uint64(100+k), 60))
		score, err := Score(samples.Sequence(k), p)
		if err != nil {
			t.Fatal(err)
		}
		scores = append(scores, score)
	}
	// A sample's own normalised scores have mean 0 and standard deviation 1.
	var normalised []float64
	for k := range samples.Count {
		z, err := Normalised(samples.Sequence(k), samples, p)
		if err != nil {
			t.Fatal(err)
		}
		normalised = append(normalised, z)
	}
	near(t, "mean", mean(normalised), 0)
	near(t, "standard deviation", standardDeviation(normalised), 1)
	for i := range scores {
		for j := range scores {
			if (scores[i] < scores[j]) != (normalised[i] < normalised[j]) {
				t.Fatalf("normalising changed the order of samples %d and %d", i, j)
			}
		}
	}
}

func TestParams(t *testing.T) {
	for _, a := range []Aggregate{Std, ExpStd, Range, ExpRange, TwoNorm} {
		if got, err := ParseAggregate(a.String()); err != nil || got != a {
			t.Errorf("ParseAggregate(%q) = %v, %v", a.String(), got, err)
		}
	}
	if _, err := ParseAggregate("std"); err == nil || !strings.Contains(err.Error(), "Std, ExpStd, Range, ExpRange, 2-Norm") {
		t.Errorf("error %v, want the known names", err)
	}
	for _, c := range []struct {
		p    Params
		text string
	}{
		{Params{S: 1, Epsilon: 1, Scales: 2}, "s is 1"},
		{Params{S: 3, Epsilon: 0, Scales: 2}, "epsilon is 0"},
		{Params{S: 3, Epsilon: 1, Scales: 1}, "scales is 1"},
		{Params{S: 3, Epsilon: 1, Scales: 2, Aggregate: 9}, "aggregate 9"},
	} {
		if _, err := Score(generated(1, 50), c.p); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: error %v, want %q", c.p, err, c.text)
		}
	}
	if got := DefaultParams().MinLength(); got != 8 {
		t.Errorf("least length %d, want 8", got)
	}
}

func TestScorerDoesNotAllocate(t *testing.T) {
	scorer, observed, samples := lastdePlusPlusInput(t, 200, 10)
	if got := testing.AllocsPerRun(5, func() {
		if _, err := scorer.Normalised(observed, samples); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%g allocations a text, want 0", got)
	}
}

// FuzzScoreIsFiniteOrAnError feeds arbitrary float64 bit patterns.
func FuzzScoreIsFiniteOrAnError(f *testing.F) {
	for _, l := range [][]float64{generated(1, 12), make([]float64, 9), {1e-310, -1e100, 1e100, 0, math.Copysign(0, -1), 5e-324, 1, -1, 3}} {
		var bits []byte
		for _, v := range l {
			bits = binary.LittleEndian.AppendUint64(bits, math.Float64bits(v))
		}
		f.Add(bits, 0)
	}
	f.Fuzz(func(t *testing.T, bits []byte, aggregate int) {
		var l []float64
		for ; len(bits) >= 8 && len(l) < 64; bits = bits[8:] {
			l = append(l, math.Float64frombits(binary.LittleEndian.Uint64(bits)))
		}
		p := Params{S: 3, Epsilon: 10, Scales: 5, Aggregate: Aggregate(aggregate)}
		score, err := Score(l, p)
		if err == nil && (math.IsNaN(score) || math.IsInf(score, 0)) {
			t.Errorf("score of %g is %g", l, score)
		}
		samples := NewSamples(2, len(l))
		copy(samples.Sequence(0), l)
		copy(samples.Sequence(1), generated(uint64(len(l)), len(l)))
		score, err = Normalised(l, samples, p)
		if err == nil && (math.IsNaN(score) || math.IsInf(score, 0)) {
			t.Errorf("normalised score of %g is %g", l, score)
		}
	})
}

func lastdePlusPlusInput(t testing.TB, n, m int) (*Scorer, []float64, *Samples) {
	t.Helper()
	scorer, err := NewScorer(DefaultNormalisedParams())
	if err != nil {
		t.Fatal(err)
	}
	samples := NewSamples(m, n)
	for k := range m {
		copy(samples.Sequence(k), generated(uint64(k+1), n))
	}
	return scorer, generated(12345, n), samples
}

// The cost of one text: 101 sequences, 15 scales.
func BenchmarkNormalised(b *testing.B) {
	for _, size := range []struct {
		name string
		n    int
	}{{"200 tokens", 200}, {"512 tokens", 512}} {
		b.Run(size.name, func(b *testing.B) {
			scorer, observed, samples := lastdePlusPlusInput(b, size.n, 100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := scorer.Normalised(observed, samples); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
