package lastde

import (
	"errors"
	"fmt"
	"math"
)

// The reasons for which a text has no score; test with errors.Is.
var (
	ErrTooShort      = errors.New("too few log-probabilities")
	ErrTooLong       = errors.New("too many log-probabilities")
	ErrNotFinite     = errors.New("not a finite log-probability")
	ErrZeroAggregate = errors.New("the diversity entropy's aggregate is 0")
	ErrZeroSpread    = errors.New("the samples' scores do not differ")
)

const (
	maxBins = 1 << 26 // 256 MB of counts

	// maxMagnitude bounds the input such that no square or product of it
	// overflows. A log-probability kept in float32 stays far below.
	maxMagnitude = 1e100
)

// Scorer scores sequences of log-probabilities. It keeps its buffers: scoring
// allocates only when a sequence is longer than every one before. A Scorer is
// not safe for concurrent use.
type Scorer struct {
	params    Params
	entropies entropies
	scores    []float64 // of the samples
}

// NewScorer returns a Scorer, or the error of p.Validate.
func NewScorer(p Params) (*Scorer, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &Scorer{params: p, entropies: entropies{window: p.S}}, nil
}

// Diversity returns the diversity entropy of l at each of the scales, each in
// [0, 1]. The slice is overwritten by the Scorer's next call.
//
// l needs at least Params.MinLength values, all finite.
func (s *Scorer) Diversity(l []float64) ([]float64, error) {
	if err := s.check(l); err != nil {
		return nil, err
	}
	return s.entropies.multiscale(l, s.params.Epsilon*len(l), s.params.Scales), nil
}

// Score returns Lastde(l) = mean(l) / aggregate(DE(l)).
//
// The aggregate of a constant or repetitive text is 0 under Std, Range and
// TwoNorm; such a text has no score and the error is ErrZeroAggregate. ExpStd
// and ExpRange have a score for every text that is long enough.
func (s *Scorer) Score(l []float64) (float64, error) {
	diversity, err := s.Diversity(l)
	if err != nil {
		return 0, err
	}
	aggregate := s.params.Aggregate.of(diversity)
	if aggregate == 0 {
		return 0, fmt.Errorf("lastde: %w (%s of %d scales): the text repeats itself; ExpStd has a score for it",
			ErrZeroAggregate, s.params.Aggregate, s.params.Scales)
	}
	return mean(l) / aggregate, nil
}

// Normalised returns the Lastde++ score of observed: its Lastde score, centred
// and scaled by the mean and the standard deviation (divisor m-1) of the Lastde
// scores of the m samples, each as long as observed.
func (s *Scorer) Normalised(observed []float64, samples *Samples) (float64, error) {
	if samples.Count < 2 {
		return 0, fmt.Errorf("lastde: %d samples, want 2 or more", samples.Count)
	}
	if samples.Length != len(observed) || len(samples.LogProbs) != samples.Count*samples.Length {
		return 0, fmt.Errorf("lastde: %d samples of length %d hold %d values, for %d observed log-probabilities",
			samples.Count, samples.Length, len(samples.LogProbs), len(observed))
	}
	score, err := s.Score(observed)
	if err != nil {
		return 0, err
	}
	s.scores = s.scores[:0]
	for k := range samples.Count {
		sampled, err := s.Score(samples.Sequence(k))
		if err != nil {
			return 0, fmt.Errorf("lastde: sample %d: %w", k, err)
		}
		s.scores = append(s.scores, sampled)
	}
	normalised := (score - mean(s.scores)) / standardDeviation(s.scores)
	if math.IsNaN(normalised) || math.IsInf(normalised, 0) {
		return 0, fmt.Errorf("lastde: %w (%d samples)", ErrZeroSpread, samples.Count)
	}
	return normalised, nil
}

func (s *Scorer) check(l []float64) error {
	if least := s.params.MinLength(); len(l) < least {
		return fmt.Errorf("lastde: %w: %d, want %d or more", ErrTooShort, len(l), least)
	}
	if most := maxBins / s.params.Epsilon; len(l) > most {
		return fmt.Errorf("lastde: %w: %d, want %d or fewer", ErrTooLong, len(l), most)
	}
	return checkFinite(l)
}

// Diversity returns the diversity entropies of one sequence; see
// Scorer.Diversity.
func Diversity(l []float64, p Params) ([]float64, error) {
	s, err := NewScorer(p)
	if err != nil {
		return nil, err
	}
	return s.Diversity(l)
}

// Score returns the Lastde score of one sequence; see Scorer.Score.
func Score(l []float64, p Params) (float64, error) {
	s, err := NewScorer(p)
	if err != nil {
		return 0, err
	}
	return s.Score(l)
}

// Normalised returns the Lastde++ score of one sequence; see Scorer.Normalised.
func Normalised(observed []float64, samples *Samples, p Params) (float64, error) {
	s, err := NewScorer(p)
	if err != nil {
		return 0, err
	}
	return s.Normalised(observed, samples)
}

// of aggregates the diversity entropies of the scales.
func (a Aggregate) of(diversity []float64) float64 {
	switch a {
	case Std:
		return standardDeviation(diversity)
	case ExpStd:
		return math.Exp(standardDeviation(diversity))
	case Range:
		return spanOf(diversity)
	case ExpRange:
		return math.Exp(spanOf(diversity))
	default:
		return norm(diversity)
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// standardDeviation has divisor len(x)-1. Of equal values it is exactly 0,
// whatever the rounding of their mean.
func standardDeviation(x []float64) float64 {
	if spanOf(x) == 0 {
		return 0
	}
	centre, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - centre) * (v - centre)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// spanOf is the greatest value less the least.
func spanOf(x []float64) float64 {
	low, high := x[0], x[0]
	for _, v := range x[1:] {
		low, high = min(low, v), max(high, v)
	}
	return high - low
}

func norm(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return math.Sqrt(sum)
}

func checkFinite(l []float64) error {
	for i, v := range l {
		if !(math.Abs(v) <= maxMagnitude) { // also false for NaN
			return fmt.Errorf("lastde: position %d: %w: %g", i, ErrNotFinite, v)
		}
	}
	return nil
}
