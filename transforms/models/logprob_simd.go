//go:build amd64 && goexperiment.simd

package models

import "simd/archsimd"

// vectorised says whether the processor has what the vector forms need.
var vectorised = archsimd.X86.AVX2() && archsimd.X86.FMA()

func maximum(values []float32) float32 {
	const lanes = 8
	if !vectorised || len(values) < lanes {
		return maximumScalar(values)
	}
	highest := archsimd.LoadFloat32x8Slice(values)
	n := len(values) &^ (lanes - 1)
	for i := lanes; i < n; i += lanes {
		highest = highest.Max(archsimd.LoadFloat32x8Slice(values[i : i+lanes]))
	}
	var lane [lanes]float32
	highest.Store(&lane)
	archsimd.ClearAVXUpperBits()
	return max(maximumScalar(lane[:]), maximumScalar(values[n:]))
}

// exponentialSums is exponentialSumsScalar eight logits at a time. A block of 64 is
// summed in float32, blocks in float64.
func exponentialSums(logits []float32, highest, own float32) sums {
	const block = 64
	n := 0
	var s sums
	if vectorised {
		n = len(logits) &^ (block - 1)
		s = exponentialSumsVector(logits[:n], highest, own)
	}
	rest := exponentialSumsScalar(logits[n:], highest, own)
	s.zeroth += rest.zeroth
	s.first += rest.first
	s.second += rest.second
	s.above += rest.above
	return s
}

func exponentialSumsVector(logits []float32, highest, own float32) sums {
	const lanes, block = 8, 64
	var (
		zero     archsimd.Float32x8
		top      = archsimd.BroadcastFloat32x8(highest)
		target   = archsimd.BroadcastFloat32x8(own)
		lowest   = archsimd.BroadcastFloat32x8(lowestExponent)
		perLn2   = archsimd.BroadcastFloat32x8(log2E)
		round    = archsimd.BroadcastFloat32x8(rounding)
		minusHi  = archsimd.BroadcastFloat32x8(-ln2High)
		minusLo  = archsimd.BroadcastFloat32x8(-ln2Low)
		one      = archsimd.BroadcastFloat32x8(1)
		c7       = archsimd.BroadcastFloat32x8(exp7)
		c6       = archsimd.BroadcastFloat32x8(exp6)
		c5       = archsimd.BroadcastFloat32x8(exp5)
		c4       = archsimd.BroadcastFloat32x8(exp4)
		c3       = archsimd.BroadcastFloat32x8(exp3)
		c2       = archsimd.BroadcastFloat32x8(exp2)
		exponent = archsimd.BroadcastInt32x8(bias)

		zeroth, first, second archsimd.Float64x4
		above                 archsimd.Int32x8
	)
	for ; len(logits) >= block; logits = logits[block:] {
		s0, s1, s2 := zero, zero, zero
		for i := 0; i < block; i += lanes {
			logit := archsimd.LoadFloat32x8Slice(logits[i : i+lanes])
			above = above.Sub(logit.Greater(target).ToInt32x8()) // true is -1
			x := logit.Sub(top)
			x = lowest.Merge(x, x.Less(lowest)) // keeps NaN, which Max would not

			shifted := x.MulAdd(perLn2, round)
			k := shifted.Sub(round)
			r := k.MulAdd(minusLo, k.MulAdd(minusHi, x))
			p := c7.MulAdd(r, c6).MulAdd(r, c5).MulAdd(r, c4).MulAdd(r, c3).MulAdd(r, c2)
			p = p.MulAdd(r.Mul(r), r.Add(one))
			e := p.Mul(shifted.AsInt32x8().ShiftAllLeft(23).Add(exponent).AsFloat32x8())

			t := x.Mul(e)
			s0 = s0.Add(e)
			s1 = s1.Add(t)
			s2 = x.MulAdd(t, s2)
		}
		zeroth = zeroth.Add(s0.GetLo().ConvertToFloat64()).Add(s0.GetHi().ConvertToFloat64())
		first = first.Add(s1.GetLo().ConvertToFloat64()).Add(s1.GetHi().ConvertToFloat64())
		second = second.Add(s2.GetLo().ConvertToFloat64()).Add(s2.GetHi().ConvertToFloat64())
	}
	var counts [lanes]int32
	above.Store(&counts)
	s := sums{zeroth: total(zeroth), first: total(first), second: total(second)}
	for _, c := range counts {
		s.above += int(c)
	}
	archsimd.ClearAVXUpperBits()
	return s
}

func total(v archsimd.Float64x4) float64 {
	var lane [4]float64
	v.Store(&lane)
	return (lane[0] + lane[1]) + (lane[2] + lane[3])
}
