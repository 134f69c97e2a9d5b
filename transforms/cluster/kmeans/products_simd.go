//go:build amd64 && goexperiment.simd

package kmeans

import "simd/archsimd"

var vectorised = archsimd.X86.AVX2() && archsimd.X86.FMA()

// rowsAtOnce is the number of vectors that share what is read of a panel.
const rowsAtOnce = 4

// products are the inner products [rows, columns] of vectors x, [rows, width], with
// packed centroids, of which there are columns with those of the filling.
func products(out, x, packed []float32, width int) {
	if !vectorised {
		productsScalar(out, x, packed, width)
		return
	}
	columns := len(packed) / width
	rows := len(x) / width
	i := 0
	for ; i+rowsAtOnce <= rows; i += rowsAtOnce {
		for first := 0; first < columns; first += panel {
			productsOfPanel(out[i*columns+first:], columns, x[i*width:(i+rowsAtOnce)*width], packed[first*width:(first+panel)*width], width)
		}
	}
	archsimd.ClearAVXUpperBits()
	productsScalar(out[i*columns:], x[i*width:], packed, width)
}

// productsOfPanel multiplies four vectors with the sixteen centroids of a panel.
func productsOfPanel(out []float32, stride int, x, panelValues []float32, width int) {
	var a0, a1, b0, b1, c0, c1, d0, d1 archsimd.Float32x8
	a, b, c, d := x[:width], x[width:2*width], x[2*width:3*width], x[3*width:4*width]
	for j := range width {
		at := panelValues[j*panel : j*panel+panel : j*panel+panel]
		low, high := archsimd.LoadFloat32x8Slice(at[:8]), archsimd.LoadFloat32x8Slice(at[8:])
		v := archsimd.BroadcastFloat32x8(a[j])
		a0, a1 = v.MulAdd(low, a0), v.MulAdd(high, a1)
		v = archsimd.BroadcastFloat32x8(b[j])
		b0, b1 = v.MulAdd(low, b0), v.MulAdd(high, b1)
		v = archsimd.BroadcastFloat32x8(c[j])
		c0, c1 = v.MulAdd(low, c0), v.MulAdd(high, c1)
		v = archsimd.BroadcastFloat32x8(d[j])
		d0, d1 = v.MulAdd(low, d0), v.MulAdd(high, d1)
	}
	for r, sums := range [rowsAtOnce][2]archsimd.Float32x8{{a0, a1}, {b0, b1}, {c0, c1}, {d0, d1}} {
		sums[0].StoreSlice(out[r*stride : r*stride+8])
		sums[1].StoreSlice(out[r*stride+8 : r*stride+16])
	}
}
