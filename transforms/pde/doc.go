// Package pde has the kinds that make data of partial differential equations, for
// neural operators: SamplePDE draws the inputs of problems, SolvePDE solves them.
//
// Neither knows much: the equations and their inputs are in package problem (with the
// random fields of package field), the solvers in package solve, which chooses among
// the packages krylov, multigrid and direct over sparse and precond, on the kernels of
// package dense. All of them are a small library without rows or graphs in it.
package pde
