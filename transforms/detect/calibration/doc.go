// Package calibration turns scores into verdicts that keep a promise: of human
// rows like those it was made from, at most a stated share is called machine,
// however few they were.
//
// [Fit] takes the scores of reference rows and makes a [Calibration], a small
// JSON artefact that is signed by its own hash. [Calibration.Decide] gives a row
// its conformal p-value and a verdict.
//
// # The promise
//
// A row's statistic is a score, turned so that higher means machine, or a linear
// combination of scores. Its p-value is
//
//	p = (1 + number of human references with a statistic at least as high) / (1 + number of human references)
//
// (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005). If a
// human row and the references are exchangeable, p is at most α with probability
// at most α, for every α and every number of references: no model of the scores is
// assumed. The probability is over the choice of the references too; with n of
// them, the rate that one calibration has in the long run is spread as
// Beta(k, n+1-k) with k = ⌊α(n+1)⌋ around it.
//
// Nothing holds for other domains: a calibration has one group of references for
// each, and a row is judged by its own group's alone. Nor for texts of other
// lengths, other models or other scores, all of which are refused.
//
// # Combinations
//
// Several scores are joined by logistic regression, fitted on one half of the
// references and calibrated on the other: the promise holds whatever the fit is
// worth. Which half a row belongs to is drawn by its id.
package calibration
