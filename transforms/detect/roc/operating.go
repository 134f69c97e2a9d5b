package roc

import (
	"fmt"
	"math"
	"sort"
)

// OperatingPoint is what a threshold does to rows of both classes. A row is
// flagged when its score is above the threshold.
type OperatingPoint struct {
	Threshold float64
	FPR       Proportion // share of the negative rows that are flagged
	TPR       Proportion // share of the positive rows that are flagged
}

// TargetPoint is the operating point that was chosen for a false-positive rate.
type TargetPoint struct {
	Target float64 // the rate asked for
	OperatingPoint
	// Reachable is false when a single negative row is more than the target,
	// 1/n > Target: with so few rows the rate cannot be shown. The threshold is
	// then the highest negative score and flags none of them.
	Reachable bool
}

// TPRAt chooses the threshold for a false-positive rate on the negative rows and
// measures it on the same rows; see Threshold.
func (s *Scores) TPRAt(fpr float64) (TargetPoint, error) {
	if err := checkRate(fpr); err != nil {
		return TargetPoint{}, err
	}
	threshold, reachable := thresholdOf(s.neg, fpr)
	return TargetPoint{Target: fpr, OperatingPoint: s.At(threshold), Reachable: reachable}, nil
}

// At measures a threshold that was chosen elsewhere, such as on another domain's
// rows.
func (s *Scores) At(threshold float64) OperatingPoint {
	return OperatingPoint{
		Threshold: threshold,
		FPR:       proportionOf(countAbove(s.neg, threshold), len(s.neg)),
		TPR:       proportionOf(countAbove(s.pos, threshold), len(s.pos)),
	}
}

// Flagged counts the rows of each class that a threshold flags.
func (s *Scores) Flagged(threshold float64) (positives, negatives int) {
	return countAbove(s.pos, threshold), countAbove(s.neg, threshold)
}

// Threshold returns the lowest threshold with at most the given share of the
// negative scores above it, 0 < fpr < 1. It is one of the scores, so that equal
// scores fall on the same side and the rate achieved may be below the one asked
// for, never above. Reachable is false when 1/n > fpr; see TargetPoint.
func Threshold(neg []float64, fpr float64) (threshold float64, reachable bool, err error) {
	if err := checkRate(fpr); err != nil {
		return 0, false, err
	}
	ascending, err := sorted("negative", neg)
	if err != nil {
		return 0, false, err
	}
	threshold, reachable = thresholdOf(ascending, fpr)
	return threshold, reachable, nil
}

func thresholdOf(ascending []float64, fpr float64) (threshold float64, reachable bool) {
	n := len(ascending)
	// The margin makes 0.29 of 100 rows 29 of them, not 28.
	allowed := min(int(math.Floor(fpr*float64(n)*(1+1e-12))), n-1)
	return ascending[n-1-allowed], allowed >= 1
}

func checkRate(fpr float64) error {
	if !(fpr > 0 && fpr < 1) {
		return fmt.Errorf("roc: false-positive rate %g, want more than 0 and less than 1", fpr)
	}
	return nil
}

func countAbove(ascending []float64, threshold float64) int {
	return len(ascending) - sort.Search(len(ascending), func(i int) bool { return ascending[i] > threshold })
}
