// Package roc evaluates a score that is meant to tell two classes apart: the
// receiver operating characteristic, its area with an interval, average
// precision, and operating points at a given false-positive rate.
//
//	scores, err := roc.New(machine, human)
//	auroc := scores.DeLong()
//	point, err := scores.TPRAt(0.01)
//	fmt.Println(auroc.AUROC, point.TPR.Value, point.Reachable)
//
// Higher scores mean the positive class; negate a score that works the other
// way. Ties are treated exactly: tied scores are never told apart, and a row is
// flagged when its score is strictly above the threshold.
//
// New refuses scores that are not finite and classes without rows, so that no
// result is NaN or infinite.
package roc
