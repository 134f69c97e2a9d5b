package detect

import (
	"penstock.dev/transforms/detect/lastde"
)

// Names of the scores that need more than the observed sequence.
const (
	scoreLastde   = "lastde"
	scoreLastdePP = "lastde_pp"
)

// statistics are the scores by name, each from the one forward pass.
var statistics = map[string]func(*Lastde, *sequence) (float64, error){
	"log_likelihood": func(_ *Lastde, s *sequence) (float64, error) { return lastde.MeanLogLikelihood(s.logProbs) },
	"log_rank":       func(_ *Lastde, s *sequence) (float64, error) { return lastde.LogRank(s.ranks) },
	"rank":           func(_ *Lastde, s *sequence) (float64, error) { return lastde.Rank(s.ranks) },
	"entropy":        func(_ *Lastde, s *sequence) (float64, error) { return lastde.Entropy(s.means) },
	"lrr":            func(_ *Lastde, s *sequence) (float64, error) { return lastde.LRR(s.logProbs, s.ranks) },
	"fast_detect_gpt": func(_ *Lastde, s *sequence) (float64, error) {
		return lastde.FastDetect(s.logProbs, s.means, s.squares)
	},
	scoreLastde: func(l *Lastde, s *sequence) (float64, error) { return lastde.Score(s.logProbs, l.plain) },
	scoreLastdePP: func(l *Lastde, s *sequence) (float64, error) {
		return lastde.Normalised(s.logProbs, s.samples, l.sampled)
	},
}
