// Package sparse holds square sparse matrices in compressed rows (CSR), as the
// solvers take them: real, double precision, columns sorted within a row.
package sparse
