// Package data holds what flows through a graph: records, their schemas and
// their encoding. The formats live beside it: data/parquet, data/jsonl,
// data/csv, data/folder.
//
// Read [Record] first, then [Schema], [Type] and [Value]. A record is one row:
// a schema shared by pointer, one value per field, and an [ID] that is the same
// in every run. Records are never written after they are emitted: a node that
// adds a column makes a new record with [Record.Append]; the values a file
// brought pass through untouched.
package data
