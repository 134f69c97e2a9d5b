// Package field draws the random inputs of equations: Gaussian random fields on
// periodic and on Neumann domains, what is made of them, Chebyshev sums, and
// sequences whose members resemble each other.
//
// Fields are on row-major grids of one to three extents, the last running fastest,
// over the unit interval, square or cube. All randomness comes from the generator
// that is handed in.
package field
