//go:build !amd64 || !goexperiment.simd

package models

func maximum(values []float32) float32 { return maximumScalar(values) }

func exponentialSums(logits []float32, highest, own float32) sums {
	return exponentialSumsScalar(logits, highest, own)
}
