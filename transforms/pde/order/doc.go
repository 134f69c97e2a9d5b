// Package order puts the systems of a sequence in an order in which neighbours
// resemble each other, for solvers that carry something from one to the next.
//
// It is the sorting of Wang et al., Accelerating data generation for neural operators
// via Krylov subspace recycling (ICLR 2024, algorithm 1): from the first, always to
// the nearest that is left, by the Euclidean (Frobenius) distance of the parameters.
// For smooth fields the low frequencies order as well as all values and are far
// fewer (Dong et al., SCSF, arXiv 2510.23215).
package order
