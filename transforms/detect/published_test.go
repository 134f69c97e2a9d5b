package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms/detect/calibration"
	"penstock.dev/transforms/detect/roc"
)

// published scores of SmolLM2, by data/samples/scores.parquet.
type scored struct {
	text, source, generator string
	human                   bool
	values                  []float64 // of familyScores
}

var familyScores = []string{"log_likelihood", "log_rank", "entropy", "lrr", "fast_detect_gpt", "lastde"}

// readScored reads the published scores, each text once.
func readScored(t *testing.T) []scored {
	t.Helper()
	f, err := parquet.Open(filepath.Join("..", "..", "data", "samples", "scores.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := map[string]bool{}
	var all []scored
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
		r := data.Record{Schema: f.Schema(), Values: values}
		s := scored{text: r.Get("text_sha256").Text(), source: r.Get("source").Text(), generator: r.Get("generator").Text(), human: r.Get("label").Text() == "human"}
		if seen[s.text] {
			return nil
		}
		seen[s.text] = true
		for _, name := range familyScores {
			s.values = append(s.values, r.Get(name).Float64())
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reference makes rows references of some of the scores.
func reference(rows []scored, rng *rand.Rand, scores ...int) []calibration.Reference {
	var all []calibration.Reference
	for _, r := range rows {
		c := calibration.Reference{Key: rng.Uint64(), Human: r.human, Group: r.source}
		for _, i := range scores {
			c.Values = append(c.Values, r.values[i])
		}
		all = append(all, c)
	}
	return all
}

// Calibrations made from half of the human texts of a domain keep their promise on
// the other half, for every score: over many divisions the share called a machine's
// is at most the rate.
func TestPublishedHumansKeepThePromise(t *testing.T) {
	const divisions = 200
	rng := rand.New(rand.NewPCG(11, 1))
	rows := readScored(t)
	t.Logf("%-8s %6s %-16s %-8s %s", "source", "humans", "score", "promised", "called machine: mean of 200 divisions, and 95 % of them")
	for _, source := range []string{"pubmed", "writing", "xsum"} {
		var humans []scored
		for _, r := range rows {
			if r.human && r.source == source {
				humans = append(humans, r)
			}
		}
		for i, score := range familyScores {
			for _, fpr := range []float64{0.05, 0.01} {
				var rates []float64
				for range divisions {
					rng.Shuffle(len(humans), func(a, b int) { humans[a], humans[b] = humans[b], humans[a] })
					half := len(humans) / 2
					c, err := calibration.Fit(reference(humans[:half], rng, i), calibration.Options{
						Scores: []calibration.Score{{Column: score}}, Direction: calibration.Higher, FPR: []float64{fpr},
					})
					if err != nil {
						t.Fatal(err)
					}
					flagged := 0
					for _, r := range humans[half:] {
						if c.Decide(&c.Groups[0], c.Statistic(r.values[i:i+1]), fpr).Label == calibration.Machine {
							flagged++
						}
					}
					rates = append(rates, float64(flagged)/float64(len(humans)-half))
				}
				slices.Sort(rates)
				mean := 0.0
				for _, r := range rates {
					mean += r / divisions
				}
				t.Logf("%-8s %6d %-16s %7g  %.4f, %.4f to %.4f", source, len(humans), score, fpr, mean, rates[divisions/40], rates[divisions-1-divisions/40])
				// The mean over divisions varies by less than this much.
				if slackness := 3 * math.Sqrt(fpr/float64(divisions)/float64(len(humans)/2)) * 2; mean > fpr+slackness {
					t.Errorf("%s, %s: %.4f of the other half are called machines', %g promised", source, score, mean, fpr)
				}
			}
		}
	}
}

// A combination fitted on the humans and a few machine texts of one domain and
// generator, against the single scores on every other domain and generator. This
// states what was found, not what should be.
func TestCombinationElsewhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	rows := readScored(t)
	sources, generators := []string{"pubmed", "writing", "xsum"}, []string{"davinci", "gpt-3.5-turbo", "gpt-4"}
	of := func(source, generator string, human bool) (some []scored) {
		for _, r := range rows {
			if r.source == source && r.human == human && (human || r.generator == generator) {
				some = append(some, r)
			}
		}
		return some
	}
	everything := make([]int, len(familyScores))
	var options []calibration.Score
	for i, name := range familyScores {
		everything[i], options = i, append(options, calibration.Score{Column: name})
	}
	area := func(c *calibration.Calibration, scores []int, humans, machines []scored) float64 {
		statistic := func(rows []scored) (all []float64) {
			for _, r := range reference(rows, rng, scores...) {
				all = append(all, c.Statistic(r.Values))
			}
			return all
		}
		s, err := roc.New(statistic(machines), statistic(humans))
		if err != nil {
			t.Fatal(err)
		}
		return s.DeLong().AUROC
	}
	const fewMachines = 50 // half of them go into the fit
	better, pairs := 0, 0
	var gain []float64
	t.Logf("%-24s %-12s %-34s %s", "fitted on", "combination", "the score best where it was fitted", "(mean AUROC over the four other domains and generators)")
	for _, source := range sources {
		for _, generator := range generators {
			humans, machines := of(source, generator, true), of(source, generator, false)[:fewMachines]
			combined, err := calibration.Fit(reference(append(slices.Clone(humans), machines...), rng, everything...), calibration.Options{Scores: slices.Clone(options), Direction: calibration.Auto})
			if err != nil {
				t.Fatal(err)
			}
			single := &calibration.Calibration{Direction: calibration.Higher, Scores: []calibration.Score{{Weight: 1}}}
			best, bestArea := 0, 0.0
			for i := range familyScores {
				if a := area(single, []int{i}, humans, machines); a > bestArea {
					best, bestArea = i, a
				}
			}
			var sumCombined, sumSingle float64
			n := 0
			for _, s := range sources {
				for _, g := range generators {
					if s == source || g == generator {
						continue
					}
					a := area(combined, everything, of(s, g, true), of(s, g, false))
					b := area(single, []int{best}, of(s, g, true), of(s, g, false))
					sumCombined, sumSingle, n = sumCombined+a, sumSingle+b, n+1
					pairs++
					if a > b {
						better++
					}
					gain = append(gain, a-b)
				}
			}
			t.Logf("%-24s %-12.3f %.3f %s", source+" "+generator, sumCombined/float64(n), sumSingle/float64(n), familyScores[best])
		}
	}
	slices.Sort(gain)
	t.Logf("the combination is better on %d of %d pairs; the difference of AUROC is %.3f in the median, %.3f to %.3f", better, pairs, gain[len(gain)/2], gain[0], gain[len(gain)-1])
	if pairs != 36 {
		t.Errorf("%d pairs compared", pairs)
	}
}

// Verdicts on the nine sets: calibrated on half of a domain's humans, the share of
// each generator's texts that are called machine.
func TestVerdictsOnPublishedSets(t *testing.T) {
	rows := readScored(t)
	rng := rand.New(rand.NewPCG(13, 1))
	var lines []string
	for _, fpr := range []float64{0.05, 0.01} {
		var references, rest []scored
		for _, r := range rows {
			if r.human && data.Hash(r.text, 0)&1 == 0 {
				references = append(references, r)
			} else {
				rest = append(rest, r)
			}
		}
		c, err := calibration.Fit(reference(references, rng, 0), calibration.Options{
			Scores: []calibration.Score{{Column: familyScores[0]}}, Direction: calibration.Higher, By: "source", FPR: []float64{fpr},
		})
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string][2]int{}
		for _, r := range rest {
			key := r.source + " " + r.generator
			if r.human {
				key = r.source + " human"
			}
			n := counts[key]
			g, err := c.Group(r.source)
			if err != nil {
				t.Fatal(err)
			}
			if c.Decide(g, c.Statistic(r.values[:1]), fpr).Label == calibration.Machine {
				n[0]++
			}
			n[1]++
			counts[key] = n
		}
		for key, n := range counts {
			low, high, err := roc.ClopperPearson(n[0], n[1], 0.95)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%-24s promised %4g: %3d of %3d called machine, %5.1f %% (%.1f to %.1f)", key, fpr, n[0], n[1], 100*float64(n[0])/float64(n[1]), 100*low, 100*high))
			if strings.HasSuffix(key, " human") && low > fpr {
				t.Errorf("%s: %d of %d humans are called a machine's, %g promised", key, n[0], n[1], fpr)
			}
		}
	}
	slices.Sort(lines)
	for _, line := range lines {
		t.Log(line)
	}
}
