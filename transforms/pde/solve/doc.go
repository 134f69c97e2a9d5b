// Package solve solves the systems of a problem, one after the other, with a solver
// that is named or chosen, and goes on to others where it fails.
//
// A [Plan] is shared; every goroutine has a [Worker] of its own, which keeps factors,
// hierarchies and recycled spaces from one system to the next. What it carries begins
// anew with Begin, so that solutions depend on the systems since then and their order
// alone, not on who solved what before.
//
// Whatever solves a system, its true relative residual ‖b - A x‖ / ‖b‖ is formed at
// the end and must be within the tolerance.
package solve
