package lastde

import "math"

// normFloor is the least norm a window is given, so that a window of zeros
// has cosine 0 with its neighbours.
const normFloor = 1e-8

// entropies computes the multiscale diversity entropy of sequences and keeps
// its buffers between them.
type entropies struct {
	window int // s

	sums       []float64 // sums[i] = l[i] + … + l[i+τ-1] at the current scale τ
	means      []float64 // the scale's coarse-grained sequence y
	products   []float64 // y[i]·y[i], then y[i]·y[i+1]
	norms      []float64 // of the windows of y
	dots       []float64 // of neighbouring windows
	indices    []int32   // the bin of each cosine
	counts     []int32   // cosines in each bin; all zero between scales
	fillings   []int32   // fillings[c]: bins that hold c cosines or more; all zero between scales
	logarithms []float64 // logarithms[c] = ln c
	perScale   []float64 // the result
}

// multiscale returns DE[1..scales] of l, which has at least scales values, over
// the given number of bins, at least 2; a scale without a cosine has entropy 0.
// The slice is overwritten by the next call.
func (e *entropies) multiscale(l []float64, bins, scales int) []float64 {
	e.reserve(len(l), bins, scales)
	normaliser := math.Log(float64(bins))

	copy(e.sums, l)
	for tau := 1; tau <= scales; tau++ {
		// Adding one term a scale keeps the order of a direct summation, so
		// nothing drifts as it would in a running window.
		length := len(l) - tau + 1
		if tau > 1 {
			addTo(e.sums[:length], l[tau-1:])
		}
		for i, sum := range e.sums[:length] {
			e.means[i] = sum / float64(tau)
		}
		e.perScale[tau-1] = e.entropy(e.binCosines(e.means[:length], bins)) / normaliser
	}
	return e.perScale[:scales]
}

// reserve makes the buffers large enough for a sequence of n values.
func (e *entropies) reserve(n, bins, scales int) {
	if len(e.sums) < n {
		e.sums, e.means = make([]float64, n), make([]float64, n)
		e.products, e.norms, e.dots = make([]float64, n), make([]float64, n), make([]float64, n)
		e.indices, e.fillings = make([]int32, n), make([]int32, n+2)
		e.logarithms = make([]float64, n+1)
		for c := 1; c <= n; c++ {
			e.logarithms[c] = math.Log(float64(c))
		}
	}
	if len(e.counts) < bins {
		e.counts = make([]int32, bins)
	}
	if len(e.perScale) < scales {
		e.perScale = make([]float64, scales)
	}
}

// binCosines returns, for every pair of neighbouring windows of y, which of the
// equal bins of [-1, 1] their cosine falls into.
func (e *entropies) binCosines(y []float64, bins int) []int32 {
	windows := len(y) - e.window + 1
	if windows < 2 {
		return nil
	}
	products, norms, dots := e.products[:len(y)], e.norms[:windows], e.dots[:windows-1]
	for i, v := range y {
		products[i] = v * v
	}
	windowSums(norms, products, e.window)
	for i, square := range norms {
		norms[i] = max(math.Sqrt(square), normFloor)
	}
	for i, v := range y[1:] {
		products[i] = y[i] * v
	}
	windowSums(dots, products, e.window)

	indices, following := e.indices[:len(dots)], norms[1:]
	perUnit, top := float64(bins)/2, int32(bins-1)
	for i, dot := range dots {
		cosine := dot / (norms[i] * following[i])
		// A cosine of 1, or just above it by rounding, belongs to the top bin.
		indices[i] = min(int32((cosine+1)*perUnit), top)
	}
	return indices
}

// entropy returns the Shannon entropy, in nats, of the histogram of bin indices.
//
// It counts how many bins hold c cosines, which makes the sum exact in its
// integer part and independent of the order of the cosines: when all cosines share
// one bin the entropy is exactly 0.
func (e *entropies) entropy(indices []int32) float64 {
	for _, b := range indices {
		e.counts[b]++
		e.fillings[e.counts[b]]++
	}
	total := float64(len(indices))
	sum := 0.0
	for c := 1; e.fillings[c] > 0; c++ {
		exactly := e.fillings[c] - e.fillings[c+1]
		sum += float64(exactly) * (float64(c) / total) * (e.logarithms[len(indices)] - e.logarithms[c])
		e.fillings[c] = 0
	}
	for _, b := range indices {
		e.counts[b] = 0
	}
	return sum
}

// windowSums sets dst[i] = x[i] + … + x[i+window-1], summed in that order.
func windowSums(dst, x []float64, window int) {
	copy(dst, x)
	for j := 1; j < window; j++ {
		addTo(dst, x[j:])
	}
}

// addTo adds the first len(dst) values of x to dst.
func addTo(dst, x []float64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += x[i]
	}
}
