// Package detect holds the kinds that tell machine-made data from human-made.
// Lastde scores texts by the likelihood that a language model gives their
// tokens; Evaluate says how well such scores separate labelled rows; Calibrate and
// Decide turn them into verdicts that keep a false-positive rate. The mathematics
// is in detect/lastde, detect/roc and detect/calibration, which know nothing of
// records.
//
// Every score is oriented so that higher means more machine-like for the models
// it was published with. Whether that holds for a given model and source is
// what Evaluate measures: it is a property of both, not of the method.
package detect
