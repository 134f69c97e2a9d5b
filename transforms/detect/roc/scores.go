package roc

import (
	"fmt"
	"math"
	"slices"
)

// Scores holds the scores of both classes, sorted. It is never written after New
// and may be used concurrently.
type Scores struct {
	pos, neg []float64 // ascending
}

// New takes the scores of the positive and the negative rows, at least one of
// each and all finite, in any order. It copies them.
func New(pos, neg []float64) (*Scores, error) {
	sortedPos, err := sorted("positive", pos)
	if err != nil {
		return nil, err
	}
	sortedNeg, err := sorted("negative", neg)
	if err != nil {
		return nil, err
	}
	return &Scores{pos: sortedPos, neg: sortedNeg}, nil
}

func sorted(class string, scores []float64) ([]float64, error) {
	if len(scores) == 0 {
		return nil, fmt.Errorf("roc: there are no %s scores", class)
	}
	for i, v := range scores {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("roc: %s score %d is %g, want a finite number", class, i, v)
		}
	}
	scores = slices.Clone(scores)
	slices.Sort(scores)
	return scores, nil
}

// step is one distinct score with the rows that have it or more.
type step struct{ positives, negatives int }

// steps returns the cumulative counts at every distinct score of both classes,
// the highest first.
func (s *Scores) steps() []step {
	var steps []step
	i, j := len(s.pos), len(s.neg)
	for i > 0 || j > 0 {
		score := math.Inf(-1)
		if i > 0 {
			score = s.pos[i-1]
		}
		if j > 0 {
			score = max(score, s.neg[j-1])
		}
		for i > 0 && s.pos[i-1] == score {
			i--
		}
		for j > 0 && s.neg[j-1] == score {
			j--
		}
		steps = append(steps, step{positives: len(s.pos) - i, negatives: len(s.neg) - j})
	}
	return steps
}
