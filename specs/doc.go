// Package specs says what a graph may say, and checks that it says no more.
//
// The folder is two things at once: the CUE module penstock.dev/specs, which
// graphs import and whose definitions are the reference of every kind of node,
// and this Go package, which loads graphs against it. The schema is embedded,
// so loading needs no network and no file but the graph.
//
//	g, ds := specs.Load("essays.cue", specs.Options{})
//	if ds.Failed() {
//		return ds // one line a mistake: essays.cue:14:11: graph.nodes.score.model: …
//	}
//
// Read [Graph] and [Node] for what a load returns, [Diagnostic] for what it
// complains of, [Kinds] for the schema as data, and [Explain] for the text
// behind a diagnostic's code. [Vendor] writes the schema where the CUE command and
// editors find it.
//
// A load goes in waves (load.go): the text is parsed, references that lead
// nowhere are reported and mended, the graph is evaluated against the schema,
// and every node is compared with the definition of its kind in Go. CUE is the
// judge of what is right; the comparison in Go finds every mistake at once and
// words it for the author. Cycles, columns and expressions need to know what
// kinds do and are checked by the package graphs, with codes of this package.
package specs
