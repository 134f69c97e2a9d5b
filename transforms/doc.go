// Package transforms says what a node of a graph can be. The kinds themselves
// live one package a family: transforms/files, transforms/table,
// transforms/detect; the models they share in transforms/models.
//
// A [Kind] is plain Go with no pipeline in it. Its constructor turns a node's
// JSON configuration into a [Node]; the node tells its columns and has one of
// five behaviours: [Source], [Row], [Combiner], [Global] or [Sink]. Take the
// first that fits. Everything around it (parallelism, panics, rejects, counts,
// order) is the business of package graphs and the same for every kind.
//
// One instance of a node serves a whole run in a process, and its methods may
// be called from several goroutines at once.
package transforms
