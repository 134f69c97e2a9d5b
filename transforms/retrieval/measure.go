package retrieval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Gains are the judgements of one query: of a document how relevant it is. What is 0
// or less, or not there, is not relevant.
type Gains map[string]float64

// Measure is a measure of a ranking down to a rank, in 0 to 1.
type Measure struct {
	Name  string // "nDCG@10"
	Depth int
	of    func(ranking []string, gains Gains, depth int) float64
}

var measures = map[string]func([]string, Gains, int) float64{
	"nDCG": ndcg, "R": recall, "P": precision, "RR": reciprocalRank,
}

// ParseMeasure reads a measure's name: nDCG (Järvelin and Kekäläinen 2002, with the
// judgements as gains), R for recall, P for precision or RR for the reciprocal rank,
// an @ and a rank. Each is what trec_eval computes.
func ParseMeasure(name string) (Measure, error) {
	family, digits, _ := strings.Cut(name, "@")
	depth, err := strconv.Atoi(digits)
	of := measures[family]
	if err != nil || depth < 1 || of == nil {
		return Measure{}, fmt.Errorf("%q is no measure, want nDCG, R, P or RR and a rank, such as nDCG@10", name)
	}
	return Measure{name, depth, of}, nil
}

// Of measures a ranking, the ids of distinct documents from the best on. It is 0 when
// nothing is relevant.
func (m Measure) Of(ranking []string, gains Gains) float64 {
	return m.of(ranking[:min(len(ranking), m.Depth)], gains, m.Depth)
}

func ndcg(ranking []string, gains Gains, depth int) float64 {
	var ideal, found float64
	for i, gain := range gains.best(depth) {
		ideal += gain / math.Log2(float64(i+2))
	}
	if ideal == 0 {
		return 0
	}
	for i, id := range ranking {
		found += max(gains[id], 0) / math.Log2(float64(i+2))
	}
	return found / ideal
}

// best are the highest gains above 0.
func (g Gains) best(depth int) []float64 {
	var gains []float64
	for _, gain := range g {
		if gain > 0 {
			gains = append(gains, gain)
		}
	}
	slices.SortFunc(gains, func(a, b float64) int { return cmp.Compare(b, a) })
	return gains[:min(len(gains), depth)]
}

func recall(ranking []string, gains Gains, _ int) float64 {
	return float64(gains.relevant(ranking)) / float64(max(len(gains.best(len(gains))), 1))
}

func precision(ranking []string, gains Gains, depth int) float64 {
	return float64(gains.relevant(ranking)) / float64(depth)
}

// relevant counts the relevant documents of a ranking.
func (g Gains) relevant(ranking []string) (n int) {
	for _, id := range ranking {
		if g[id] > 0 {
			n++
		}
	}
	return n
}

func reciprocalRank(ranking []string, gains Gains, _ int) float64 {
	for i, id := range ranking {
		if gains[id] > 0 {
			return 1 / float64(i+1)
		}
	}
	return 0
}
