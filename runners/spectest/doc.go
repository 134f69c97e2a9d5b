// Package spectest runs the tests that stand beside a graph (specs.#Tests).
//
// A test runs a part of its graph: the nodes between the ports it gives rows at and
// those it looks at (part.go). Given rows come from a source that holds them, nodes
// with a mock are replaced by the mock (mock.go), sinks only count. What left the
// ports is compared with what the test expects, row by row (compare.go).
//
//	results, ds := spectest.Run(ctx, "graph.cue", spectest.Options{Log: log})
//
// [Update] and [Record] write tests: the rows that came out in place of those
// expected, or a new test made of rows of a real run.
package spectest
