// Package csv reads and writes rows as CSV (RFC 4180): fields between
// delimiters, in double quotes where they hold one, a quote or a line end.
//
// [Reader] takes a text apart into fields and goes on behind a broken row,
// [Infer] finds the types of columns from sample rows, [Convert] makes values,
// [Header] and [AppendRow] write.
//
// # Types
//
// An empty field is a null; a quoted empty field is an empty string where the
// column is of strings. Inferred types are bool (true, false), int64, float64 and
// string. Numbers that an int64 or float64 would not give back, such as 007 or
// integers beyond int64, make a column of strings. Declared columns may also be
// float32, timestamps (RFC 3339), bytes (base64) and lists (JSON).
package csv
