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
	sum, first, second, above := exponentialSums(logits, highest, own)
	// With x = logit - highest and Z = sum e^x: ln p = x - ln Z.
	logSum := math.Log(sum)
	mean := first / sum
	return Moments{
		LogProb: float64(own-highest) - logSum,
		Rank:    1 + above,
		Mean:    mean - logSum,
		Square:  second/sum - 2*mean*logSum + logSum*logSum,
	}
}

// LogSumExp is ln of the sum of exponentials of logits, so that logit - LogSumExp is a
// log-probability.
func LogSumExp(logits []float32) float64 {
	highest := maximum(logits)
	sum, _, _, _ := exponentialSums(logits, highest, highest)
	return float64(highest) + math.Log(sum)
}

func maximum(values []float32) float32 {
	highest := float32(math.Inf(-1))
	for _, v := range values {
		highest = max(highest, v)
	}
	return highest
}

// exponentialSums gives, over x = logit - highest, the sums of e^x, x e^x and x^2 e^x,
// and the number of logits above own.
//
// Short blocks are summed in float32, four at a time, then added in float64: the error
// stays that of one rounding.
func exponentialSums(logits []float32, highest, own float32) (sum, first, second float64, above int) {
	n := len(logits) &^ 3
	for i := 0; i < n; i += 4 {
		block := logits[i : i+4 : i+4]
		x0, x1, x2, x3 := block[0]-highest, block[1]-highest, block[2]-highest, block[3]-highest
		e0, e1, e2, e3 := exp32(x0), exp32(x1), exp32(x2), exp32(x3)
		t0, t1, t2, t3 := x0*e0, x1*e1, x2*e2, x3*e3
		sum += float64((e0 + e1) + (e2 + e3))
		first += float64((t0 + t1) + (t2 + t3))
		second += float64((x0*t0 + x1*t1) + (x2*t2 + x3*t3))
		above += countAbove(block, own)
	}
	for _, logit := range logits[n:] {
		x := logit - highest
		e := exp32(x)
		sum += float64(e)
		first += float64(x * e)
		second += float64(x * x * e)
		if logit > own {
			above++
		}
	}
	return sum, first, second, above
}

func countAbove(block []float32, own float32) int {
	n := 0
	for _, logit := range block {
		if logit > own {
			n++
		}
	}
	return n
}

// exp32 is e^x for x <= 0, with a relative error of 2e-7; 0 below -87, where float32
// ends. NaN gives NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial, 2^n by the exponent field
// (Cephes expf, Moshier).
func exp32(x float32) float32 {
	const (
		log2E  = 1.44269504
		magic  = 3 << 22 // adding it rounds to an integer in the low bits
		ln2Hi  = 0.693359375
		ln2Lo  = -2.12194440e-4
		lowest = -87
	)
	if x < lowest {
		return 0
	}
	shifted := x*log2E + magic
	n := shifted - magic
	r := x - n*ln2Hi - n*ln2Lo
	p := float32(1.9875691500e-4)
	p = p*r + 1.3981999507e-3
	p = p*r + 8.3334519073e-3
	p = p*r + 4.1665795894e-2
	p = p*r + 1.6666665459e-1
	p = p*r + 5.0000001201e-1
	p = p*(r*r) + r + 1
	exponent := int32(math.Float32bits(shifted)) << 23
	return math.Float32frombits(uint32(int32(math.Float32bits(p)) + exponent))
}
