//go:build amd64 && goexperiment.simd

package dense

import "simd/archsimd"

// vectorised says whether the processor has what the vector forms need.
var vectorised = archsimd.X86.AVX2() && archsimd.X86.FMA()

type quad = archsimd.Float64x4

func at(s []float64, i int) quad { return archsimd.LoadFloat64x4((*[4]float64)(s[i : i+4])) }

func put(v quad, s []float64, i int) { v.Store((*[4]float64)(s[i : i+4])) }

func total(v quad) float64 {
	var lane [4]float64
	v.Store(&lane)
	return (lane[0] + lane[1]) + (lane[2] + lane[3])
}

func dot(x, y []float64) float64 {
	y = y[:len(x)]
	if !vectorised || len(x) < 16 {
		return dotPlain(x, y)
	}
	var s0, s1, s2, s3 quad
	i := 0
	for ; i+16 <= len(x); i += 16 {
		s0 = at(x, i).MulAdd(at(y, i), s0)
		s1 = at(x, i+4).MulAdd(at(y, i+4), s1)
		s2 = at(x, i+8).MulAdd(at(y, i+8), s2)
		s3 = at(x, i+12).MulAdd(at(y, i+12), s3)
	}
	s := total(s0.Add(s1).Add(s2.Add(s3)))
	archsimd.ClearAVXUpperBits()
	return s + dotPlain(x[i:], y[i:])
}

func axpy(y []float64, a float64, x []float64) {
	x = x[:len(y)]
	if !vectorised || len(y) < 8 {
		axpyPlain(y, a, x)
		return
	}
	f := archsimd.BroadcastFloat64x4(a)
	i := 0
	for ; i+8 <= len(y); i += 8 {
		put(f.MulAdd(at(x, i), at(y, i)), y, i)
		put(f.MulAdd(at(x, i+4), at(y, i+4)), y, i+4)
	}
	archsimd.ClearAVXUpperBits()
	axpyPlain(y[i:], a, x[i:])
}

func dots4(v0, v1, v2, v3, w []float64) [4]float64 {
	n := len(w)
	v0, v1, v2, v3 = v0[:n], v1[:n], v2[:n], v3[:n]
	if !vectorised || n < 8 {
		return dots4Plain(v0, v1, v2, v3, w)
	}
	var a0, a1, a2, a3, b0, b1, b2, b3 quad
	i := 0
	for ; i+8 <= n; i += 8 {
		x, y := at(w, i), at(w, i+4)
		a0 = at(v0, i).MulAdd(x, a0)
		a1 = at(v1, i).MulAdd(x, a1)
		a2 = at(v2, i).MulAdd(x, a2)
		a3 = at(v3, i).MulAdd(x, a3)
		b0 = at(v0, i+4).MulAdd(y, b0)
		b1 = at(v1, i+4).MulAdd(y, b1)
		b2 = at(v2, i+4).MulAdd(y, b2)
		b3 = at(v3, i+4).MulAdd(y, b3)
	}
	d := [4]float64{total(a0.Add(b0)), total(a1.Add(b1)), total(a2.Add(b2)), total(a3.Add(b3))}
	archsimd.ClearAVXUpperBits()
	rest := dots4Plain(v0[i:], v1[i:], v2[i:], v3[i:], w[i:])
	for j := range d {
		d[j] += rest[j]
	}
	return d
}

func combine4(y []float64, c [4]float64, v0, v1, v2, v3 []float64) {
	n := len(y)
	v0, v1, v2, v3 = v0[:n], v1[:n], v2[:n], v3[:n]
	if !vectorised || n < 4 {
		combine4Plain(y, c, v0, v1, v2, v3)
		return
	}
	c0, c1 := archsimd.BroadcastFloat64x4(c[0]), archsimd.BroadcastFloat64x4(c[1])
	c2, c3 := archsimd.BroadcastFloat64x4(c[2]), archsimd.BroadcastFloat64x4(c[3])
	i := 0
	for ; i+4 <= n; i += 4 {
		s := c0.MulAdd(at(v0, i), at(y, i))
		t := c1.Mul(at(v1, i))
		s = c2.MulAdd(at(v2, i), s)
		t = c3.MulAdd(at(v3, i), t)
		put(s.Add(t), y, i)
	}
	archsimd.ClearAVXUpperBits()
	combine4Plain(y[i:], c, v0[i:], v1[i:], v2[i:], v3[i:])
}

// tile adds alpha a b to a tile of c, four rows by eight columns, kept in registers.
// a holds a column of four after the other, b a row of eight. Written out for two
// columns at a time it is many times slower: Go 1.26 then moves registers in a way that
// stalls on their upper halves.
func tile(a, b []float64, alpha float64, c []float64, ldc int) {
	var p0, p1, p2, p3, q0, q1, q2, q3 quad
	for len(a) >= 4 && len(b) >= 8 {
		x, y := at(b, 0), at(b, 4)
		f := archsimd.BroadcastFloat64x4(a[0])
		p0, q0 = f.MulAdd(x, p0), f.MulAdd(y, q0)
		f = archsimd.BroadcastFloat64x4(a[1])
		p1, q1 = f.MulAdd(x, p1), f.MulAdd(y, q1)
		f = archsimd.BroadcastFloat64x4(a[2])
		p2, q2 = f.MulAdd(x, p2), f.MulAdd(y, q2)
		f = archsimd.BroadcastFloat64x4(a[3])
		p3, q3 = f.MulAdd(x, p3), f.MulAdd(y, q3)
		a, b = a[4:], b[8:]
	}
	f := archsimd.BroadcastFloat64x4(alpha)
	row := c[:8]
	put(f.MulAdd(p0, at(row, 0)), row, 0)
	put(f.MulAdd(q0, at(row, 4)), row, 4)
	row = c[ldc:][:8]
	put(f.MulAdd(p1, at(row, 0)), row, 0)
	put(f.MulAdd(q1, at(row, 4)), row, 4)
	row = c[2*ldc:][:8]
	put(f.MulAdd(p2, at(row, 0)), row, 0)
	put(f.MulAdd(q2, at(row, 4)), row, 4)
	row = c[3*ldc:][:8]
	put(f.MulAdd(p3, at(row, 0)), row, 0)
	put(f.MulAdd(q3, at(row, 4)), row, 4)
	archsimd.ClearAVXUpperBits()
}
