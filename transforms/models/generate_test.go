package models

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// greedy is the continuation of a prompt by its likeliest tokens, by a forward pass over
// everything for each.
func greedy(t *testing.T, lm *LM, prompt []int32, n int) (out []int32) {
	t.Helper()
	for range n {
		ids := append(slices.Clone(prompt), out...)
		var next int32
		err := lm.Forward(t.Context(), [][]int32{ids}, func(_, pos int, logits []float32) {
			if pos == len(ids)-1 {
				next, _ = Sampling{}.draw(logits)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if lm.Tokenizer().Special(next) {
			return out
		}
		out = append(out, next)
	}
	return out
}

// tokensOf draws a prompt.
func tokensOf(r *rand.Rand, lm *LM, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = r.Int32N(int32(lm.Info().Vocabulary))
	}
	return ids
}

// With caches, in company, the likeliest tokens are those that whole passes give.
func TestGenerationEqualsWholePasses(t *testing.T) {
	for _, name := range []string{"llama-untied", "llama-3.1", "mistral", "qwen2", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			lm := openTest(t, filepath.Join("testdata", "tiny", name))
			r := rand.New(rand.NewPCG(3, 4))
			var wg sync.WaitGroup
			for i, n := range []int{1, 17, 30} {
				prompt := tokensOf(r, lm, n)
				want := greedy(t, lm, prompt, 4+i)
				wg.Go(func() {
					got, _, err := lm.Generate(t.Context(), prompt, Sampling{MaxTokens: 4 + i, TopP: 1})
					if err != nil || !slices.Equal(got, want) {
						t.Errorf("prompt of %d: %v, want %v, %v", n, got, want, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// A row's tokens depend on its prompt and its own draws, whatever runs beside it.
func TestCompanyDoesNotChangeDraws(t *testing.T) {
	lm := openTest(t, filepath.Join("testdata", "tiny", "llama-tied"))
	prompts := make([][]int32, 7)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range prompts {
		prompts[i] = tokensOf(r, lm, 1+r.IntN(30))
	}
	draw := func(i int) []int32 {
		out, _, err := lm.Generate(t.Context(), prompts[i], Sampling{MaxTokens: 2 + i, Temperature: 1, TopP: 0.9, TopK: 50, Random: rand.New(rand.NewPCG(uint64(i), 7))})
		if err != nil {
			t.Error(err)
		}
		return out
	}
	alone := make([][]int32, len(prompts))
	for i := range prompts {
		alone[i] = draw(i)
	}
	together := make([][]int32, len(prompts))
	var wg sync.WaitGroup
	for i := range prompts {
		wg.Go(func() { together[i] = draw(i) })
	}
	wg.Wait()
	for i := range prompts {
		if !slices.Equal(alone[i], together[i]) {
			t.Errorf("row %d: %v alone, %v in company", i, alone[i], together[i])
		}
	}
}

// Tokens are drawn as often as their probability says, and only those that topP and
// topK leave.
func TestDrawsFollowTheDistribution(t *testing.T) {
	logits := []float32{2, 1, 0, 1, -30} // e^2 : e : 1 : e
	for _, c := range []struct {
		name  string
		s     Sampling
		share []float64
	}{
		{"all", Sampling{Temperature: 1, TopP: 1}, []float64{.5345, .1966, .0723, .1966, 0}},
		{"half the temperature", Sampling{Temperature: .5, TopP: 1}, []float64{.7747, .1048, .0142, .1048, 0}},
		{"three likeliest", Sampling{Temperature: 1, TopP: 1, TopK: 3}, []float64{.5761, .2119, 0, .2119, 0}},
		{"nucleus", Sampling{Temperature: 1, TopP: .7}, []float64{.7311, .2689, 0, 0, 0}},
		{"nucleus of one", Sampling{Temperature: 1, TopP: .5}, []float64{1, 0, 0, 0, 0}},
		{"likeliest", Sampling{}, []float64{1, 0, 0, 0, 0}},
	} {
		c.s.Random = rand.New(rand.NewPCG(1, 2))
		const n = 40_000
		counts := make([]float64, len(logits))
		for range n {
			i, err := c.s.draw(logits)
			if err != nil {
				t.Fatal(err)
			}
			counts[i]++
		}
		for i, want := range c.share {
			if got := counts[i] / n; got > want+.01 || got < want-.01 || want == 0 && got > 0 {
				t.Errorf("%s: token %d in %.4f of the draws, want %.4f", c.name, i, got, want)
			}
		}
	}
}

func TestGenerationEnds(t *testing.T) {
	lm := openTest(t, filepath.Join("testdata", "tiny", "llama-tied"))
	prompt := tokensOf(rand.New(rand.NewPCG(8, 9)), lm, lm.Context()-5)
	all, whole, err := lm.Generate(t.Context(), prompt, Sampling{MaxTokens: 1 << 20, TopP: 1})
	if err != nil || whole || len(all) != lm.Context()-len(prompt) {
		t.Errorf("%d tokens of a context of %d, whole %v, %v", len(all), lm.Context(), whole, err)
	}
	some, whole, err := lm.Generate(t.Context(), prompt, Sampling{MaxTokens: 8, TopP: 1, Stop: func(tokens []int32) bool { return len(tokens) == 3 }})
	if err != nil || !whole || !slices.Equal(some, all[:3]) {
		t.Errorf("%v, whole %v, %v; want %v", some, whole, err, all[:3])
	}
	for want, prompt := range map[string][]int32{"no tokens": nil, "outside the vocabulary": {-1}, "no room in the model's context": make([]int32, lm.Context())} {
		if _, _, err := lm.Generate(t.Context(), prompt, Sampling{MaxTokens: 1, TopP: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if _, _, err := openTest(t, filepath.Join("testdata", "tiny", "gpt2")).Generate(t.Context(), prompt, Sampling{MaxTokens: 1, TopP: 1}); err == nil || !strings.Contains(err.Error(), "not of gpt2") {
		t.Errorf("error %v", err)
	}
}
