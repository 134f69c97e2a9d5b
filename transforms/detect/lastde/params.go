package lastde

import (
	"fmt"
	"strings"
)

// Bounds of Params, wide enough for every published setting and narrow enough
// that a slip of the pen does not exhaust memory.
const (
	maxWindow  = 1024
	maxEpsilon = 1000
	maxScales  = 1024
)

// Params are the parameters of the multiscale diversity entropy.
type Params struct {
	S         int       // length of the windows whose cosines are taken, 2 to 1024
	Epsilon   int       // bins per token: a text of n tokens gets Epsilon·n bins, 1 to 1000
	Scales    int       // number of averaging scales τ', 2 to 1024
	Aggregate Aggregate // how the scales' diversity entropies become one number
}

// DefaultParams returns the authors' setting of Lastde for open source models:
// s = 3, ε = 10n, τ' = 5, Std.
func DefaultParams() Params {
	return Params{S: 3, Epsilon: 10, Scales: 5, Aggregate: Std}
}

// DefaultNormalisedParams returns the setting of Lastde++ in the authors'
// scripts, s = 4, ε = 8n, τ' = 15, with the aggregate their notes recommend,
// ExpStd, which is finite for every text.
func DefaultNormalisedParams() Params {
	return Params{S: 4, Epsilon: 8, Scales: 15, Aggregate: ExpStd}
}

// Validate reports the first parameter that is out of its range.
func (p Params) Validate() error {
	switch {
	case p.S < 2 || p.S > maxWindow:
		return fmt.Errorf("lastde: s is %d, want 2 to %d", p.S, maxWindow)
	case p.Epsilon < 1 || p.Epsilon > maxEpsilon:
		return fmt.Errorf("lastde: epsilon is %d, want 1 to %d", p.Epsilon, maxEpsilon)
	case p.Scales < 2 || p.Scales > maxScales:
		return fmt.Errorf("lastde: scales is %d, want 2 to %d", p.Scales, maxScales)
	case p.Aggregate < 0 || int(p.Aggregate) >= len(aggregateNames):
		return fmt.Errorf("lastde: aggregate %d is unknown, want one of %s", int(p.Aggregate), aggregateList())
	}
	return nil
}

// MinLength is the least number of log-probabilities that has a score, S +
// Scales: with one fewer the coarsest scale would have no cosine.
func (p Params) MinLength() int { return p.S + p.Scales }

// Aggregate says how the diversity entropies DE[1..T] of a text become the
// number that its mean log-likelihood is divided by.
type Aggregate int

const (
	Std      Aggregate = iota // standard deviation, divisor T-1
	ExpStd                    // exp(Std), at least 1
	Range                     // max - min
	ExpRange                  // exp(Range), at least 1
	TwoNorm                   // Euclidean norm
)

var aggregateNames = [...]string{Std: "Std", ExpStd: "ExpStd", Range: "Range", ExpRange: "ExpRange", TwoNorm: "2-Norm"}

// ParseAggregate is the inverse of Aggregate.String.
func ParseAggregate(name string) (Aggregate, error) {
	for i, known := range aggregateNames {
		if name == known {
			return Aggregate(i), nil
		}
	}
	return 0, fmt.Errorf("lastde: unknown aggregate %q, want one of %s", name, aggregateList())
}

// String returns the published name: Std, ExpStd, Range, ExpRange or 2-Norm.
func (a Aggregate) String() string {
	if a < 0 || int(a) >= len(aggregateNames) {
		return fmt.Sprintf("Aggregate(%d)", int(a))
	}
	return aggregateNames[a]
}

func aggregateList() string { return strings.Join(aggregateNames[:], ", ") }
