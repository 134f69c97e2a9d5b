// Package krylov holds Krylov solvers for sparse systems A x = b: CG, BiCGStab,
// GMRES(m), FGMRES(m), and GCRO-DR(m, k), which carries a recycled space over a
// sequence of systems.
//
// All take an [Operator], so A may be matrix-free, a [Preconditioner] (nil for none),
// x with the initial guess, which becomes the solution, and b. Preconditioning is
// from the right (CG: symmetric), so that every solver sees the residual of the
// system itself, and there is one stopping rule for all:
//
//	‖b - A x‖₂ ≤ Tolerance ‖b‖₂
//
// with the residual formed from x anew before a solver returns success; what a
// recurrence claims is never enough. A right-hand side of zero has the solution zero.
//
// Whatever else happens is an error that wraps one of the package's sentinels, or
// the context's; Result then says how far the solver came, and x is the best it had.
// The time a solve may take is the context's deadline, looked at in every iteration.
package krylov
