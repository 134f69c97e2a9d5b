// Package table holds the kinds that work on rows and columns alone, each in a
// file of its name; they register themselves when the package is imported.
//
// A node works out what it needs (positions of columns, compiled expressions,
// the output schema) in Columns, which must be called before any row.
//
// # Expressions
//
// Filter and Derive take CEL (https://cel.dev) with the libraries strings,
// math, lists and sets. Columns are typed variables: int64 is int, float32 and
// float64 are double, timestamps, lists, strings, bytes and bools are
// themselves; structs and maps are maps whose values are typed when they are
// used. Tensors cannot be read. An int compared with a double is compared as one. A column whose name is not a CEL identifier, or
// is hidden by a loop variable, is row["odd name"]; row.name works for every
// name that is an identifier.
//
// Null equals null and nothing else: score == null tests for it, and so does
// !has(row.score), which also works for lists and maps. Any other operation on
// a null refuses the row with class "null" and the column's name; && and || and
// ?: leave out the side that does not matter, so that
// score != null && score < 2.5 refuses nothing.
//
// A loop (all, exists, map, filter, …) may take a million turns for a row.
package table
