// Package dense holds the dense kernels under the solvers: inner products and
// combinations of several vectors at once, matrix products, triangular solves and
// the factorisations of the dense blocks of a sparse factorisation.
//
// Matrices are row-major with a row stride. A set of vectors is a matrix whose rows
// are the vectors. Built with GOEXPERIMENT=simd on a processor with AVX2 and FMA the
// kernels use both; elsewhere they are plain Go. The two differ by rounding only,
// and each gives the same bits in every run.
//
// Functions panic when a slice is too short, as indexing does; packages above check
// what users bring.
package dense
