package models

import "math"

// Moments summarises the next-token distribution p at one position, in nats.
type Moments struct {
	LogProb float64 // ln p of the target
	Rank    int     // 1 + number of tokens more likely than the target
	Mean    float64 // sum p ln p, the negative entropy
	Square  float64 // sum p (ln p)^2
}

// Variance of ln p under p.
func (m Moments) Variance() float64 { return max(0, m.Square-m.Mean*m.Mean) }

// Position computes the moments of the distribution that softmax gives to logits and
// the place of target in it. Exponentials are float32 (relative error 2e-7), sums are
// float64. A logit that is NaN or +Inf makes LogProb, Mean and Square NaN.
//
// target must be an index of logits.
func Position(logits []float32, target int32) Moments {
	own := logits[target]
	highest := maximum(logits)
	s := exponentialSums(logits, highest, own)
	// With x = logit - highest and Z = sum e^x: ln p = x - ln Z.
	logSum := math.Log(s.zeroth)
	mean := s.first / s.zeroth
	return Moments{
		LogProb: float64(own) - float64(highest) - logSum,
		Rank:    1 + s.above,
		Mean:    mean - logSum,
		Square:  s.second/s.zeroth - 2*mean*logSum + logSum*logSum,
	}
}

// LogSumExp is ln of the sum of exponentials of logits, so that logit - LogSumExp is a
// log-probability.
func LogSumExp(logits []float32) float64 {
	highest := maximum(logits)
	return float64(highest) + math.Log(exponentialSums(logits, highest, highest).zeroth)
}

// sums are what one pass over a row gives: over x = logit - highest, the sums of e^x,
// x e^x and x^2 e^x, and the number of logits above own.
type sums struct {
	zeroth, first, second float64
	above                 int
}

// lowestExponent ends the range of exp32. Logits further below the highest are taken
// to be there: they weigh less than 1e-37 either way.
const lowestExponent = -87

// maximumScalar is -Inf for no values and NaN when one is NaN.
func maximumScalar(values []float32) float32 {
	highest := float32(math.Inf(-1))
	for _, v := range values {
		highest = max(highest, v)
	}
	return highest
}

func exponentialSumsScalar(logits []float32, highest, own float32) sums {
	var s sums
	for _, logit := range logits {
		x := logit - highest
		if x < lowestExponent {
			x = lowestExponent
		}
		e := exp32(x)
		t := x * e
		s.zeroth += float64(e)
		s.first += float64(t)
		s.second += float64(x * t)
		if logit > own {
			s.above++
		}
	}
	return s
}

// Coefficients of exp32: x = n ln 2 + r with |r| <= ln 2 / 2, e^r by a polynomial,
// 2^n by the exponent field (Cephes expf, Moshier).
const (
	log2E    = 1.44269504
	ln2High  = 0.693359375
	ln2Low   = -2.12194440e-4
	rounding = 3 << 22 // adding it leaves the rounded integer in the low bits
	bias     = 127 << 23

	exp7 = 1.9875691500e-4
	exp6 = 1.3981999507e-3
	exp5 = 8.3334519073e-3
	exp4 = 4.1665795894e-2
	exp3 = 1.6666665459e-1
	exp2 = 5.0000001201e-1
)

// exp32 is e^x for x from -87 to 0 with a relative error below 2e-7. NaN gives NaN.
func exp32(x float32) float32 {
	shifted := x*log2E + rounding
	n := shifted - rounding
	r := x - n*ln2High - n*ln2Low
	p := (((((exp7*r+exp6)*r+exp5)*r+exp4)*r+exp3)*r+exp2)*(r*r) + r + 1
	return p * math.Float32frombits(math.Float32bits(shifted)<<23+bias)
}
