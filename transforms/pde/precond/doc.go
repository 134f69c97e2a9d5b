// Package precond holds preconditioners: approximations M of a sparse matrix A for
// which M z = r is cheap to solve.
//
// Jacobi, SSOR, ILU(0), IC(0) and block Jacobi are those of Saad, Iterative Methods
// for Sparse Linear Systems (2nd ed., SIAM 2003), chapters 4 and 10. All are made
// once a matrix and then apply it as often as needed, without allocation; one value
// serves one goroutine at a time.
package precond
