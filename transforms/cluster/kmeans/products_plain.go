//go:build !amd64 || !goexperiment.simd

package kmeans

// products are the inner products [rows, columns] of vectors x, [rows, width], with
// packed centroids, of which there are columns with those of the filling.
func products(out, x, packed []float32, width int) { productsScalar(out, x, packed, width) }
