package lastde

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
)

const tolerance = 1e-9

// vectors are worked examples computed in Python and by a second, separate
// program.
type vectors struct {
	Cases []struct {
		Name       string              `json:"name"`
		Values     []float64           `json:"values"`
		LogProbs   []float64           `json:"logprobs"`
		N          int                 `json:"n"`
		S          int                 `json:"s"`
		Multiplier int                 `json:"eps_mul"`
		Bins       int                 `json:"eps"`
		Scales     int                 `json:"tau_max"`
		Diversity  []float64           `json:"de"`
		Std        float64             `json:"std_ddof1"`
		Mean       float64             `json:"mean"`
		Lastde     map[string]*float64 `json:"lastde"`
		FirstBins  []int32             `json:"bins_tau1"`
	} `json:"cases"`
	Normalised map[string]struct {
		Observed float64   `json:"observed"`
		Sampled  []float64 `json:"sampled"`
		Score    float64   `json:"score"`
	} `json:"normalised"`
	FastDetect struct {
		Probs    [][]float64 `json:"probs"`
		Labels   []int       `json:"labels"`
		LogProbs []float64   `json:"ll"`
		Expected []float64   `json:"mu"`
		Variance []float64   `json:"var"`
		Score    float64     `json:"score"`
	} `json:"fast_detect_analytic"`
}

var vectorAggregates = map[string]Aggregate{"std": Std, "expstd": ExpStd, "range": Range, "exprange": ExpRange, "2norm": TwoNorm}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/lastde.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// generated is the vectors' random sequence: a linear congruential generator's
// uniforms u, as 1.7·ln u.
func generated(seed uint64, n int) []float64 {
	l := make([]float64, n)
	for i := range l {
		seed = (1103515245*seed + 12345) % (1 << 31)
		l[i] = 1.7 * math.Log((float64(seed)+0.5)/(1<<31))
	}
	return l
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

func TestVectors(t *testing.T) {
	v := readVectors(t)
	if len(v.Cases) != 13 {
		t.Fatalf("%d cases, want 13", len(v.Cases))
	}
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			l := c.LogProbs
			switch {
			case c.Values != nil:
				l = c.Values
			case l == nil:
				l = generated(7, c.N)
			}
			e := entropies{window: c.S}
			diversity := e.multiscale(l, c.Bins, c.Scales)
			for i, want := range c.Diversity {
				near(t, "DE", diversity[i], want)
			}
			near(t, "std", Std.of(diversity), c.Std)
			if c.FirstBins != nil {
				for i, got := range e.binCosines(l, c.Bins) {
					if got != c.FirstBins[i] {
						t.Errorf("bin %d = %d, want %d", i, got, c.FirstBins[i])
					}
				}
			}
			for name, want := range c.Lastde {
				p := Params{S: c.S, Epsilon: c.Multiplier, Scales: c.Scales, Aggregate: vectorAggregates[name]}
				got, err := Score(l, p)
				switch {
				case len(l) < p.MinLength():
					// The reference scores a text one shorter than ours must be.
					if !errors.Is(err, ErrTooShort) {
						t.Errorf("%s: error %v, want ErrTooShort", name, err)
					}
					near(t, name, mean(l)/p.Aggregate.of(diversity), *want)
				case want == nil:
					if !errors.Is(err, ErrZeroAggregate) {
						t.Errorf("%s: error %v, want ErrZeroAggregate", name, err)
					}
				case err != nil:
					t.Errorf("%s: %v", name, err)
				default:
					near(t, name, got, *want)
				}
			}
		})
	}
}

func TestNormalisedVector(t *testing.T) {
	observed := generated(12345, 64)
	samples := NewSamples(4, len(observed))
	for k := range samples.Count {
		copy(samples.Sequence(k), generated(uint64(k+1), len(observed)))
	}
	for name, want := range readVectors(t).Normalised {
		p := Params{S: 4, Epsilon: 8, Scales: 15, Aggregate: vectorAggregates[name]}
		for k, score := range want.Sampled {
			got, err := Score(samples.Sequence(k), p)
			if err != nil {
				t.Fatal(err)
			}
			near(t, name+" sample", got, score)
		}
		got, err := Normalised(observed, samples, p)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name, got, want.Score)
	}
}

func TestFastDetectVector(t *testing.T) {
	v := readVectors(t).FastDetect
	n := len(v.Probs)
	l, expected, secondMoment := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, probs := range v.Probs {
		l[i] = math.Log(probs[v.Labels[i]])
		for _, p := range probs {
			expected[i] += p * math.Log(p)
			secondMoment[i] += p * math.Log(p) * math.Log(p)
		}
		near(t, "l", l[i], v.LogProbs[i])
		near(t, "mu", expected[i], v.Expected[i])
		near(t, "var", secondMoment[i]-expected[i]*expected[i], v.Variance[i])
	}
	got, err := FastDetect(l, expected, secondMoment)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "score", got, v.Score)
}
