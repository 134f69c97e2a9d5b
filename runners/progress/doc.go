// Package progress tells how a run is going while it goes: on a terminal one
// line that is rewritten in place, elsewhere one structured log line an interval.
//
// [New] takes a function that says how things stand; [Progress.Start] begins to
// ask it, [Progress.Stop] ends that and clears the line. Whatever else is
// written to the same terminal goes through the Progress, which is an
// io.Writer, so that it does not land in the middle of the line.
package progress
