package dense

import "math"

// Dot is x·y, over the length of x.
func Dot(x, y []float64) float64 { return dot(x, y[:len(x)]) }

// Axpy adds a x to y.
func Axpy(y []float64, a float64, x []float64) { axpy(y, a, x[:len(y)]) }

// Norm is the Euclidean norm of x. Where the sum of squares leaves the range of
// float64 it is formed again from scaled values.
func Norm(x []float64) float64 {
	s := dot(x, x)
	if s > 1e-290 && s < 1e290 {
		return math.Sqrt(s)
	}
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v)) // NaN stays
	}
	if largest == 0 || math.IsInf(largest, 0) || math.IsNaN(largest) {
		return largest
	}
	s = 0
	for _, v := range x {
		v /= largest
		s += v * v
	}
	return largest * math.Sqrt(s)
}

// Scale multiplies x by a.
func Scale(x []float64, a float64) {
	for i := range x {
		x[i] *= a
	}
}

// Finite reports whether x holds neither NaN nor an infinity.
func Finite(x []float64) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// strip is how many elements of each vector are worked on at a time, so that what
// several passes share stays in the cache.
const strip = 1024

// Dots sets h[i] to the inner product of w with row i of v, whose rows are stride
// apart.
func Dots(h, v []float64, stride int, w []float64) {
	clear(h)
	for from := 0; from < len(w); from += strip {
		part := w[from:min(from+strip, len(w))]
		i := 0
		for ; i+4 <= len(h); i += 4 {
			at := v[i*stride+from:]
			d := dots4(at, at[stride:], at[2*stride:], at[3*stride:], part)
			h[i] += d[0]
			h[i+1] += d[1]
			h[i+2] += d[2]
			h[i+3] += d[3]
		}
		for ; i < len(h); i++ {
			h[i] += dot(part, v[i*stride+from:][:len(part)])
		}
	}
}

// Combine adds to y the sum of c[i] times row i of v, whose rows are stride apart.
func Combine(y, c, v []float64, stride int) {
	for from := 0; from < len(y); from += strip {
		part := y[from:min(from+strip, len(y))]
		i := 0
		for ; i+4 <= len(c); i += 4 {
			at := v[i*stride+from:]
			combine4(part, [4]float64(c[i:i+4]), at, at[stride:], at[2*stride:], at[3*stride:])
		}
		for ; i < len(c); i++ {
			axpy(part, c[i], v[i*stride+from:][:len(part)])
		}
	}
}

// Gram sets g, m×k, to the inner products of the m rows of v with the k rows of w,
// both of length n and n apart.
func Gram(g, v []float64, m int, w []float64, k, n int) {
	clear(g[:m*k])
	var d [4]float64
	for from := 0; from < n; from += strip {
		to := min(from+strip, n)
		for j := 0; j < k; j++ {
			part := w[j*n+from : j*n+to]
			i := 0
			for ; i+4 <= m; i += 4 {
				at := v[i*n+from:]
				d = dots4(at, at[n:], at[2*n:], at[3*n:], part)
				g[i*k+j] += d[0]
				g[(i+1)*k+j] += d[1]
				g[(i+2)*k+j] += d[2]
				g[(i+3)*k+j] += d[3]
			}
			for ; i < m; i++ {
				g[i*k+j] += dot(part, v[i*n+from:][:len(part)])
			}
		}
	}
}
