package roc

import (
	"math"
	"sort"
)

// A Histogram has at most MaxBins bins, and at least minBins unless all scores
// are equal: Freedman and Diaconis' rule gives a handful of rows a single one.
const (
	MaxBins = 40
	minBins = 5
)

// Histogram counts the rows of both classes over the same bins. Bin i is
// [Edges[i], Edges[i+1]), the last one closed. Scores outside the edges are
// counted in the first or last bin, so that each class's counts sum to its rows.
type Histogram struct {
	Edges              []float64 // ascending, one more than bins
	Positive, Negative []int
	Outside            int // rows of both classes that lie outside the edges
}

// Histogram chooses up to MaxBins equal bins by Freedman and Diaconis' rule. They
// cover the scores of each class up to three interquartile ranges beyond its
// quartiles, so that a single outlier does not squeeze the rest into one bin.
func (s *Scores) Histogram() Histogram {
	posLow, posHigh := bulk(s.pos)
	negLow, negHigh := bulk(s.neg)
	low, high := min(posLow, negLow), max(posHigh, negHigh)

	h := Histogram{Edges: edges(low, high, s.binCount(low, high))}
	h.Positive = make([]int, len(h.Edges)-1)
	h.Negative = make([]int, len(h.Edges)-1)
	h.Outside = h.count(h.Positive, s.pos) + h.count(h.Negative, s.neg)
	return h
}

// count adds the scores to the bins and returns how many lie outside the edges.
func (h *Histogram) count(bins []int, scores []float64) (outside int) {
	for _, score := range scores {
		if score < h.Edges[0] || score > h.Edges[len(bins)] {
			outside++
		}
		bin := sort.Search(len(bins), func(i int) bool { return h.Edges[i] > score }) - 1
		bins[max(bin, 0)]++
	}
	return outside
}

// bulk returns the range of the scores without far outliers. Half of them being
// equal, no score is more of an outlier than another and the range is whole.
func bulk(ascending []float64) (low, high float64) {
	low, high = ascending[0], ascending[len(ascending)-1]
	lower, upper := quartiles(ascending)
	if reach := 3 * (upper - lower); reach > 0 {
		low, high = max(low, lower-reach), min(high, upper+reach)
	}
	return low, high
}

// binCount follows Freedman and Diaconis with the narrower of the two classes'
// bins: 2·IQR/∛n.
func (s *Scores) binCount(low, high float64) int {
	width := math.Inf(1)
	for _, class := range [][]float64{s.pos, s.neg} {
		lower, upper := quartiles(class)
		if w := 2 * (upper - lower) / math.Cbrt(float64(len(class))); w > 0 {
			width = min(width, w)
		}
	}
	switch bins := math.Ceil((high - low) / width); {
	case low == high:
		return 1
	case math.IsInf(width, 1) || bins > MaxBins: // no spread to go by, or too fine
		return MaxBins
	default:
		return max(int(bins), minBins)
	}
}

// edges divides [low, high] into equal bins, or puts one around a single value.
func edges(low, high float64, bins int) []float64 {
	if low == high {
		margin := max(0.5, math.Abs(low)*1e-9)
		low, high = max(low-margin, -math.MaxFloat64), min(high+margin, math.MaxFloat64)
	}
	e := []float64{low}
	for i := 1; i < bins; i++ {
		share := float64(i) / float64(bins)
		edge := low*(1-share) + high*share // high-low may overflow
		// Neighbouring floats may lie closer than this rounds.
		if edge > e[len(e)-1] && edge < high {
			e = append(e, edge)
		}
	}
	return append(e, high)
}

func quartiles(ascending []float64) (lower, upper float64) {
	return quantile(ascending, 0.25), quantile(ascending, 0.75)
}

// quantile interpolates linearly between order statistics.
func quantile(ascending []float64, p float64) float64 {
	position := p * float64(len(ascending)-1)
	below := int(position)
	above := min(below+1, len(ascending)-1)
	share := position - float64(below)
	return ascending[below]*(1-share) + ascending[above]*share
}
