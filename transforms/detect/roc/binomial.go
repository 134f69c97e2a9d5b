package roc

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"
)

// Proportion is a count of rows with Clopper and Pearson's exact 95 % interval.
type Proportion struct {
	Count, Total int
	Value        float64 // Count/Total
	Low, High    float64 // 95 % interval, in [0, 1]
}

// proportionOf takes 0 <= count <= total and total >= 1.
func proportionOf(count, total int) Proportion {
	low, high := clopperPearson(count, total, 0.95)
	return Proportion{Count: count, Total: total, Value: float64(count) / float64(total), Low: low, High: high}
}

// ClopperPearson returns the exact interval of a binomial proportion (Clopper
// and Pearson, 1934) for a confidence between 0 and 1: the quantiles α/2 of
// Beta(k, n-k+1) and 1-α/2 of Beta(k+1, n-k).
func ClopperPearson(count, total int, confidence float64) (low, high float64, err error) {
	if total < 1 || count < 0 || count > total {
		return 0, 0, fmt.Errorf("roc: %d of %d rows is not a proportion", count, total)
	}
	if !(confidence > 0 && confidence < 1) {
		return 0, 0, fmt.Errorf("roc: confidence %g, want more than 0 and less than 1", confidence)
	}
	low, high = clopperPearson(count, total, confidence)
	return low, high, nil
}

func clopperPearson(count, total int, confidence float64) (low, high float64) {
	k, n, tail := float64(count), float64(total), (1-confidence)/2
	low, high = 0, 1
	if count > 0 {
		low = distuv.Beta{Alpha: k, Beta: n - k + 1}.Quantile(tail)
	}
	if count < total {
		high = distuv.Beta{Alpha: k + 1, Beta: n - k}.Quantile(1 - tail)
	}
	return low, high
}
