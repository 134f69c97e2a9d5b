//go:build !amd64 || !goexperiment.simd

package dense

const vectorised = false

func dot(x, y []float64) float64               { return dotPlain(x, y) }
func axpy(y []float64, a float64, x []float64) { axpyPlain(y, a, x) }
func dots4(v0, v1, v2, v3, w []float64) [4]float64 {
	return dots4Plain(v0, v1, v2, v3, w)
}
func combine4(y []float64, c [4]float64, v0, v1, v2, v3 []float64) {
	combine4Plain(y, c, v0, v1, v2, v3)
}

// tile is never called where there is no vector form of it.
func tile(a, b []float64, alpha float64, c []float64, ldc int) {}
