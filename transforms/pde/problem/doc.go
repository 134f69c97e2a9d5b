// Package problem turns equations into sparse systems, and draws their random inputs.
//
// [Equation] is -∇·(K∇u) + ∇·(v u) + c u = f on the cells of a box or part of one,
// discretised by finite volumes of second order: fluxes through faces, with the
// harmonic mean of K, which is exact where K jumps at a face (Patankar, Numerical Heat
// Transfer and Fluid Flow, 1980, section 4.2-3), and values at the centres. Every row
// is integrated over its cell, so that matrices are symmetric where the equation is.
//
// [Darcy], [Poisson], [Thermal], [ConvectionDiffusion] and [Helmholtz] are the
// problems that data for neural operators is made of; [Paper] builds the two matrices
// that the code published with the paper on sorting and Krylov recycling builds,
// which are not those equations.
package problem
