package roc

import "math"

// z95 is the 0.975 quantile of the standard normal distribution.
const z95 = 1.959963984540054

// Area is the area under the curve with a 95 % interval.
type Area struct {
	AUROC     float64
	Variance  float64 // DeLong's estimate; 0 where the data show no variation
	Low, High float64 // 95 % interval, in [0, 1]
}

// AUROC returns the area under the curve of unsorted scores; see Scores.AUROC.
func AUROC(pos, neg []float64) (float64, error) {
	s, err := New(pos, neg)
	if err != nil {
		return 0, err
	}
	return s.AUROC(), nil
}

// AUROC returns the area under the curve: the share of pairs of a positive and a
// negative row in which the positive scores higher, a tie counting one half (the
// Mann-Whitney statistic). The pairs are counted in integers.
func (s *Scores) AUROC() float64 {
	wins := 0
	for _, w := range doubledWins(s.pos, s.neg) {
		wins += w
	}
	return s.areaOf(wins)
}

// DeLong returns the area with the variance of DeLong, DeLong and Clarke-Pearson
// (1988), in O(n log n) from ranks as Sun and Xu (2014) do.
//
// The interval is symmetric on the logit scale, which keeps it inside (0, 1).
// When a class has one row, or the variance is 0 (perfect separation, all scores
// equal), DeLong's estimate says nothing about the uncertainty; the interval is
// then Wilson's score interval for a proportion over as many trials as the
// smaller class has rows. It errs on the wide side, for the variance of the area
// is at most A(1-A)/min(m, n) (Birnbaum and Klose, 1957).
func (s *Scores) DeLong() Area {
	posWins, negWins := doubledWins(s.pos, s.neg), doubledWins(s.neg, s.pos)
	wins := 0
	for _, w := range posWins {
		wins += w
	}
	m, n := float64(len(s.pos)), float64(len(s.neg))
	area := Area{AUROC: s.areaOf(wins)}
	// A row's placement is its wins over twice the size of the other class.
	area.Variance = sampleVariance(posWins)/(4*n*n*m) + sampleVariance(negWins)/(4*m*m*n)
	if area.Variance == 0 || len(s.pos) < 2 || len(s.neg) < 2 {
		area.Low, area.High = wilson(area.AUROC, min(m, n))
	} else {
		area.Low, area.High = logitInterval(area.AUROC, area.Variance)
	}
	return area
}

// areaOf turns doubled wins into the share of all pairs.
func (s *Scores) areaOf(wins int) float64 {
	return float64(wins) / (2 * float64(len(s.pos)) * float64(len(s.neg)))
}

// doubledWins counts, for every row of own, the rows of other below it twice and
// those equal to it once. Both are ascending.
func doubledWins(own, other []float64) []int {
	wins := make([]int, len(own))
	below, notAbove := 0, 0
	for i, score := range own {
		for below < len(other) && other[below] < score {
			below++
		}
		for notAbove < len(other) && other[notAbove] <= score {
			notAbove++
		}
		wins[i] = below + notAbove
	}
	return wins
}

// sampleVariance has divisor len(x)-1; of one value it is 0. Of equal values it
// is exactly 0, for their sum divides exactly.
func sampleVariance(x []int) float64 {
	if len(x) < 2 {
		return 0
	}
	total := 0
	for _, v := range x {
		total += v
	}
	mean, squares := float64(total)/float64(len(x)), 0.0
	for _, v := range x {
		squares += (float64(v) - mean) * (float64(v) - mean)
	}
	return squares / float64(len(x)-1)
}

// logitInterval is logit(a) ± z·σ/(a(1-a)), mapped back; 0 < a < 1.
func logitInterval(a, variance float64) (low, high float64) {
	centre := math.Log(a / (1 - a))
	half := z95 * math.Sqrt(variance) / (a * (1 - a))
	return 1 / (1 + math.Exp(half-centre)), 1 / (1 + math.Exp(-half-centre))
}

// wilson is the score interval of a proportion over the given number of trials.
func wilson(proportion, trials float64) (low, high float64) {
	z2 := z95 * z95
	centre := (proportion + z2/(2*trials)) / (1 + z2/trials)
	half := z95 / (1 + z2/trials) * math.Sqrt(proportion*(1-proportion)/trials+z2/(4*trials*trials))
	return max(centre-half, 0), min(centre+half, 1)
}
