package match

import (
	"math"

	"penstock.dev/transforms/models/nets"
)

// Softmax makes targets of label logits, [rows, classes].
func Softmax[T nets.Number](logits []T, classes int) []T {
	targets := make([]T, len(logits))
	for at := 0; at < len(logits); at += classes {
		highest, sum := logits[at], 0.0
		for _, z := range logits[at : at+classes] {
			highest = max(highest, z)
		}
		for i, z := range logits[at : at+classes] {
			e := math.Exp(float64(z - highest))
			targets[at+i] = T(e)
			sum += e
		}
		for i := range classes {
			targets[at+i] = T(float64(targets[at+i]) / sum)
		}
	}
	return targets
}

// PullSoftmax carries a gradient by targets = Softmax(logits) back to the logits.
func PullSoftmax[T nets.Number](gradient, targets []T, classes int) []T {
	back := make([]T, len(gradient))
	for at := 0; at < len(gradient); at += classes {
		mean := T(0)
		for i := range classes {
			mean += gradient[at+i] * targets[at+i]
		}
		for i := range classes {
			back[at+i] = targets[at+i] * (gradient[at+i] - mean)
		}
	}
	return back
}
