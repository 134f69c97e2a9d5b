// Package files has the kinds that read and write files: ReadParquet, ReadJSONL,
// ReadCSV, ReadText and ReadImages, WriteParquet, WriteJSONL and WriteCSV.
//
// Sources share how a path is expanded (paths.go) and how declared columns, keys
// and order work (columns.go): a declared column is checked against the file and
// never converted, and columns that are not declared pass through. Sinks write
// shards under temporary names and put them in place with package data/commit.
package files
