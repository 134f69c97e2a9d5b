// Package jsonl reads and writes rows as JSON Lines: a JSON object a line.
//
// [Infer] finds the columns from a file's first lines, a [Decoder] turns lines
// into values, [AppendRow] turns values into a line. Lines come from
// stream.Lines.
//
// # Types
//
// Integers are int64, other numbers float64; a column that has both is float64.
// An integer is never rounded: columns with integers beyond int64, or beyond
// 2⁵³ beside fractions, are inferred as JSON. Arrays of scalars of one kind are
// lists. Everything else (objects, arrays of arrays, columns of several kinds or
// of null alone) is kept as JSON: a string with the logical type "json" that is
// the text of the value. A missing key is a null.
//
// Declared columns may also be float32, timestamps (RFC 3339 strings), bytes
// (base64 strings) and structs (objects of their fields). A declared string takes
// strings alone.
package jsonl
