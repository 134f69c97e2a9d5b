// Package multigrid solves symmetric positive definite systems of grids: the finite
// volume matrices of -∇·(K∇u) on a line, rectangle or box, with any K > 0.
//
// The hierarchy is cell-centred: 2×2 (2×2×2) cells become one, the coarse operator
// is the Galerkin one of piecewise constants, halved, for those make a second-order
// operator twice too stiff (Braess, Computing 55, 1995). Red-black Gauss–Seidel
// smooths, in the opposite order on the way up, so that a cycle is a symmetric
// preconditioner, and conjugate gradients accelerate it. The number of iterations is
// near constant in the size of the grid.
package multigrid
