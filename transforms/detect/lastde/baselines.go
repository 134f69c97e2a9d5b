package lastde

import (
	"errors"
	"fmt"
	"math"
)

// ErrUndefined is the reason for which a baseline has no value: its divisor is
// 0. Test with errors.Is.
var ErrUndefined = errors.New("undefined, the divisor is 0")

// MeanLogLikelihood returns the mean of the tokens' log-probabilities.
func MeanLogLikelihood(l []float64) (float64, error) {
	if err := checkSequence(l); err != nil {
		return 0, err
	}
	return mean(l), nil
}

// LogRank returns -mean(ln rank), where a token's rank is 1 for the most
// probable token of its position.
func LogRank(ranks []int) (float64, error) {
	if err := checkRanks(ranks); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, rank := range ranks {
		sum += math.Log(float64(rank))
	}
	return 0 - sum/float64(len(ranks)), nil // 0 - x: no negative zero
}

// Rank returns -mean(rank); ranks start at 1.
func Rank(ranks []int) (float64, error) {
	if err := checkRanks(ranks); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, rank := range ranks {
		sum += float64(rank)
	}
	return -sum / float64(len(ranks)), nil
}

// Entropy returns the mean over positions of Σ p ln p, the negative of the
// predictive entropy: a machine's text is more predictable, so it scores higher.
func Entropy(expectedLogProb []float64) (float64, error) {
	if err := checkSequence(expectedLogProb); err != nil {
		return 0, err
	}
	return mean(expectedLogProb), nil
}

// LRR returns the log-likelihood log-rank ratio, mean(l) / -mean(ln rank) (Su
// et al., "DetectLLM", 2023). It is undefined when every token has rank 1.
func LRR(l []float64, ranks []int) (float64, error) {
	if len(l) != len(ranks) {
		return 0, fmt.Errorf("lastde: %d log-probabilities and %d ranks", len(l), len(ranks))
	}
	likelihood, err := MeanLogLikelihood(l)
	if err != nil {
		return 0, err
	}
	logRank, err := LogRank(ranks)
	if err != nil {
		return 0, err
	}
	if logRank == 0 {
		return 0, fmt.Errorf("lastde: LRR: %w: every token has rank 1", ErrUndefined)
	}
	return likelihood / logRank, nil
}

// FastDetect returns the analytic sampling discrepancy of Fast-DetectGPT (Bao
// et al., ICLR 2024): (Σ l - Σ µ) / sqrt(Σ σ²), with µ = Σ_v p ln q and
// σ² = Σ_v p (ln q)² - µ² at each position, where p is the sampling model's
// distribution and q the scoring model's.
//
// The arguments are l, µ (expected) and Σ_v p (ln q)² (secondMoment), one value
// a position. The score is undefined when no position leaves a choice.
func FastDetect(l, expected, secondMoment []float64) (float64, error) {
	if len(expected) != len(l) || len(secondMoment) != len(l) {
		return 0, fmt.Errorf("lastde: %d log-probabilities, %d expected values and %d second moments",
			len(l), len(expected), len(secondMoment))
	}
	for _, sequence := range [][]float64{l, expected, secondMoment} {
		if err := checkSequence(sequence); err != nil {
			return 0, err
		}
	}
	discrepancy, variance := 0.0, 0.0
	for i := range l {
		discrepancy += l[i] - expected[i]
		// A certain position's variance may round to below 0.
		variance += max(secondMoment[i]-expected[i]*expected[i], 0)
	}
	if variance == 0 {
		return 0, fmt.Errorf("lastde: FastDetect: %w: every position has variance 0", ErrUndefined)
	}
	score := discrepancy / math.Sqrt(variance)
	if math.IsInf(score, 0) {
		return 0, fmt.Errorf("lastde: FastDetect: %w: the variance is %g", ErrUndefined, variance)
	}
	return score, nil
}

func checkSequence(x []float64) error {
	if len(x) == 0 {
		return fmt.Errorf("lastde: %w: 0, want 1 or more", ErrTooShort)
	}
	return checkFinite(x)
}

func checkRanks(ranks []int) error {
	if len(ranks) == 0 {
		return fmt.Errorf("lastde: %w: 0 ranks, want 1 or more", ErrTooShort)
	}
	for i, rank := range ranks {
		if rank < 1 {
			return fmt.Errorf("lastde: position %d: rank %d, want 1 or more", i, rank)
		}
	}
	return nil
}
