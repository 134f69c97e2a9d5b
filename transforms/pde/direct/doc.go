// Package direct solves sparse systems by factorisation: Cholesky for symmetric
// positive definite matrices, LU for any other.
//
// Both are multifrontal (Duff and Reid, ACM Trans. Math. Softw. 9, 1983) over the
// tree of a nested dissection (George, SIAM J. Numer. Anal. 10, 1973): every
// separator is a dense front. What depends on the pattern alone is an [Analysis],
// made once and shared by any number of factorisations, in any number of goroutines;
// a factor keeps its memory from one matrix of the pattern to the next.
//
//	analysis := direct.Analyse(a, direct.Grid(100, 100))
//	factor := direct.NewCholesky(analysis)
//	err := factor.Factor(ctx, a)
//	factor.Apply(x, b)
//
// LU exchanges rows within a front's own unknowns only, so that the fronts stay as
// analysed. That is enough for the matrices of discretised equations, but no
// guarantee: check the residual, and if it falls short use the factor as the
// preconditioner of a Krylov solver, which is iterative refinement and more.
package direct
