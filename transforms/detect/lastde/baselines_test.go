package lastde

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestBaselines(t *testing.T) {
	// By hand: ln 1 = 0, ln 2 + ln 4 = 3 ln 2.
	l, ranks := []float64{-0.5, -1.5, -4}, []int{1, 2, 4}
	for _, c := range []struct {
		name  string
		score func() (float64, error)
		want  float64
	}{
		{"likelihood", func() (float64, error) { return MeanLogLikelihood(l) }, -2},
		{"log rank", func() (float64, error) { return LogRank(ranks) }, -math.Ln2},
		{"rank", func() (float64, error) { return Rank(ranks) }, -7.0 / 3},
		{"entropy", func() (float64, error) { return Entropy([]float64{-1, -2}) }, -1.5},
		{"LRR", func() (float64, error) { return LRR(l, ranks) }, 2 / math.Ln2},
		{"Fast-DetectGPT", func() (float64, error) {
			// µ sums to -6, σ² to (5-4)+(19-16) = 4.
			return FastDetect([]float64{-1, -2}, []float64{-2, -4}, []float64{5, 19})
		}, 1.5},
	} {
		got, err := c.score()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		near(t, c.name, got, c.want)
	}
}

func TestBaselinesRefuse(t *testing.T) {
	undefined := func(err error) bool { return errors.Is(err, ErrUndefined) }
	says := func(text string) func(error) bool {
		return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
	}
	for _, c := range []struct {
		name  string
		score func() (float64, error)
		check func(error) bool
	}{
		{"no tokens", func() (float64, error) { return MeanLogLikelihood(nil) }, func(err error) bool { return errors.Is(err, ErrTooShort) }},
		{"no ranks", func() (float64, error) { return Rank(nil) }, func(err error) bool { return errors.Is(err, ErrTooShort) }},
		{"NaN", func() (float64, error) { return Entropy([]float64{math.NaN()}) }, func(err error) bool { return errors.Is(err, ErrNotFinite) }},
		{"rank 0", func() (float64, error) { return LogRank([]int{1, 0}) }, says("position 1: rank 0")},
		{"all first", func() (float64, error) { return LRR([]float64{-1, -2}, []int{1, 1}) }, undefined},
		{"lengths", func() (float64, error) { return LRR([]float64{-1}, []int{1, 1}) }, says("1 log-probabilities and 2 ranks")},
		{"certain", func() (float64, error) { return FastDetect([]float64{0}, []float64{0}, []float64{0}) }, undefined},
		{"certain by rounding", func() (float64, error) { return FastDetect([]float64{-1}, []float64{-2}, []float64{3.9999}) }, undefined},
		{"overflow", func() (float64, error) { return FastDetect([]float64{-1e100}, []float64{0}, []float64{5e-324}) }, func(err error) bool { return err == nil }},
		{"moments", func() (float64, error) { return FastDetect([]float64{-1}, []float64{-2}, nil) }, says("0 second moments")},
	} {
		if _, err := c.score(); !c.check(err) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	if got, _ := LogRank([]int{1, 1}); math.Signbit(got) {
		t.Error("the log rank of certain tokens is negative zero")
	}
}
