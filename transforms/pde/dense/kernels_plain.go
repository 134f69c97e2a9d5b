package dense

// The kernels in plain Go, for processors and builds without vector instructions
// and as the reference of the tests.

func dotPlain(x, y []float64) float64 {
	var s0, s1, s2, s3 float64
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i] * y[i]
		s1 += x[i+1] * y[i+1]
		s2 += x[i+2] * y[i+2]
		s3 += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

func axpyPlain(y []float64, a float64, x []float64) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

func dots4Plain(v0, v1, v2, v3, w []float64) (d [4]float64) {
	v0, v1, v2, v3 = v0[:len(w)], v1[:len(w)], v2[:len(w)], v3[:len(w)]
	for i, x := range w {
		d[0] += v0[i] * x
		d[1] += v1[i] * x
		d[2] += v2[i] * x
		d[3] += v3[i] * x
	}
	return d
}

func combine4Plain(y []float64, c [4]float64, v0, v1, v2, v3 []float64) {
	v0, v1, v2, v3 = v0[:len(y)], v1[:len(y)], v2[:len(y)], v3[:len(y)]
	for i := range y {
		y[i] += (c[0]*v0[i] + c[1]*v1[i]) + (c[2]*v2[i] + c[3]*v3[i])
	}
}
