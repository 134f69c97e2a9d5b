// Package lastde holds the mathematics of the Lastde family of detectors of
// machine-written text: plain functions from the log-probabilities that a
// language model gives a text's tokens to scores. It knows no model, no
// tokenizer and no pipeline.
//
// Lastde (Xu et al., "Training-free LLM-generated Text Detection by Mining
// Token Probability Sequences", ICLR 2025, arXiv 2410.06072) divides the mean
// log-likelihood by an aggregate of the multiscale diversity entropy of the
// log-probability sequence. Lastde++ compares that score with the scores of
// sequences drawn, position by position, from the model's own distribution.
//
//	scorer, err := lastde.NewScorer(lastde.DefaultNormalisedParams())
//	samples := lastde.NewSamples(100, len(observed))
//	for i := range observed {
//		err = lastde.Draw(logits[i], logSumExp[i], uniforms[i], draws, &scratch)
//		samples.SetPosition(i, draws)
//	}
//	score, err := scorer.Normalised(observed, samples)
//
// The package also has the scores that come from the same forward pass:
// MeanLogLikelihood, LogRank, Rank, Entropy, LRR and FastDetect.
//
// Logarithms are natural and everything is computed in float64. Every score is
// oriented as published, higher meaning "more like a machine"; whether that
// holds for a given pair of model and source is for calibration to find out.
// A score is a finite number or an error, never NaN or an infinity.
package lastde
