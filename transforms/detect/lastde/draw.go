package lastde

import (
	"fmt"
	"math"
	"sort"
)

const (
	// drawBlock tokens share one entry of the cumulative distribution: enough
	// to keep it small, few enough that scanning one block costs little.
	drawBlock = 64

	// massTolerance is how far from 1 the probabilities may sum before the
	// log-sum-exp is taken to be another position's. A sum in float32 over a
	// large vocabulary is well within it.
	massTolerance = 0.01
)

// Scratch is the memory that Draw and DrawTokens reuse. Its zero value is ready;
// it is not safe for concurrent use.
type Scratch struct {
	cumulative []float64 // probability of all tokens up to and including each block
	tokens     []int
}

// Draw draws one token for each uniform number from softmax(logits),
// independently, and stores the log-probabilities of the tokens drawn in out,
// which is as long as uniforms.
//
// The logits of one position are unnormalised, with their log-sum-exp, or are
// log-probabilities with logSumExp 0; a token of logit -Inf is never drawn. The
// uniforms are in [0, 1). Token v is drawn for u when u falls in v's interval of
// the cumulative distribution in vocabulary order, so a draw depends on the
// logits and its own uniform number alone.
func Draw(logits []float32, logSumExp float64, uniforms, out []float64, scratch *Scratch) error {
	if len(out) != len(uniforms) {
		return fmt.Errorf("lastde: %d uniforms for %d draws", len(uniforms), len(out))
	}
	if cap(scratch.tokens) < len(uniforms) {
		scratch.tokens = make([]int, len(uniforms))
	}
	tokens := scratch.tokens[:len(uniforms)]
	if err := DrawTokens(logits, logSumExp, uniforms, tokens, scratch); err != nil {
		return err
	}
	for k, token := range tokens {
		out[k] = float64(logits[token]) - logSumExp
	}
	return nil
}

// DrawTokens is Draw for a scoring model other than the sampling one: it stores
// the indices of the tokens drawn, to be looked up in the scorer's distribution.
func DrawTokens(logits []float32, logSumExp float64, uniforms []float64, tokens []int, scratch *Scratch) error {
	if len(tokens) != len(uniforms) {
		return fmt.Errorf("lastde: %d uniforms for %d draws", len(uniforms), len(tokens))
	}
	mass := scratch.accumulate(logits, logSumExp)
	if !(math.Abs(mass-1) <= massTolerance) { // also false for NaN
		return fmt.Errorf("lastde: the probabilities of %d logits with log-sum-exp %g sum to %g, want 1",
			len(logits), logSumExp, mass)
	}
	for k, u := range uniforms {
		if !(u >= 0 && u < 1) {
			return fmt.Errorf("lastde: uniform %d is %g, want [0, 1)", k, u)
		}
		tokens[k] = scratch.locate(logits, logSumExp, u*mass)
	}
	return nil
}

// accumulate fills the cumulative distribution by blocks and returns its total.
func (s *Scratch) accumulate(logits []float32, logSumExp float64) float64 {
	s.cumulative = s.cumulative[:0]
	total := 0.0
	for start := 0; start < len(logits); start += drawBlock {
		sum := 0.0
		for _, logit := range logits[start:min(start+drawBlock, len(logits))] {
			sum += exponential(float64(logit) - logSumExp)
		}
		total += sum
		s.cumulative = append(s.cumulative, total)
	}
	return total
}

// locate returns the first token whose cumulative probability exceeds target.
func (s *Scratch) locate(logits []float32, logSumExp, target float64) int {
	block := sort.Search(len(s.cumulative), func(b int) bool { return s.cumulative[b] > target })
	if block == len(s.cumulative) { // target has been rounded up to the total
		block = sort.Search(len(s.cumulative), func(b int) bool { return s.cumulative[b] >= target })
	}
	cumulative := 0.0
	if block > 0 {
		cumulative = s.cumulative[block-1]
	}
	start := block * drawBlock
	possible := start
	for v := start; v < min(start+drawBlock, len(logits)); v++ {
		p := exponential(float64(logits[v]) - logSumExp)
		if p == 0 {
			continue
		}
		possible = v
		if cumulative += p; cumulative > target {
			break
		}
	}
	// Where rounding kept the scan just short of target, the block's last
	// possible token owns that sliver.
	return possible
}
