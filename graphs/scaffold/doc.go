// Package scaffold writes graphs to start from: a source for a file of rows, a chain
// of nodes that fit its columns, a sink.
//
//	text, err := scaffold.Graph(ctx, scaffold.Options{Data: "texts.parquet", Kinds: []string{"Lastde"}})
//
// What a node needs and does not have by default is guessed from the columns: a column
// of the longest texts where texts are wanted, of numbers where numbers are. Every
// guess is planned, with the graph in front of it, and the first that holds is taken.
package scaffold
