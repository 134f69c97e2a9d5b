// Package graphs says what a graph is and turns it into a Beam pipeline.
//
// A [Graph] comes from a file ([FromSpec]) or from Go ([Builder]); [NewPlan]
// checks it, propagates the columns along the edges and orders the nodes; an
// [Execution] is one run of a plan: it lays out the pipeline, holds the nodes
// while it runs, counts, and commits the outputs when every row is accounted
// for.
//
// # How a plan becomes a pipeline
//
// Sources and row nodes become ParDos that Beam fuses into one stage per
// source: records pass from node to node by reference. Where everything must
// come together (sinks, aggregations, global nodes) a gathering DoFn writes a
// file or an accumulator per bundle and emits one small element; a GroupByKey
// on a single key brings these to a finishing DoFn. Records themselves are never
// grouped or flattened by the runner, so memory stays bounded: a Union keeps its
// branches apart until the next gathering DoFn.
//
// # Other processes
//
// With [Options].Remote a cluster's workers do the work. The execution leaves what
// there is to do in the run's folder ([Execution.Hand]), which all machines share;
// a worker makes the nodes from it ([Join]), once a process. Splits of sources are
// dealt out among the workers, so a sink's bundle begins another shard wherever a
// split begins, and shards are sorted before they are committed. What a bundle
// counts travels as a record of its own to one last gathering node, so that a bundle
// which is tried again counts once; the submitting process takes over the counts
// ([Execution.Settle]), checks that they balance, and commits.
//
// Every pipeline in one process ends in one Flatten of what the finishing DoFns emit. A stage
// without output would make Prism spin on a closed channel for as long as the
// stage runs.
package graphs
