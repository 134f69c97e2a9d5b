// Package commit puts the shards of a sink's output in place, all at once or
// not at all. Every file sink uses it.
//
// A sink asks an [Output] for temporary names, writes and syncs its shards
// there, and calls [Output.Commit] once when all are written. Until then the
// previous output is untouched, whatever happens to the process.
//
// # One file
//
// The shard (or what the sink's merge function made of several) is renamed to
// the output's name. The rename is the commit.
//
// # A folder
//
// Shards become part-00000-of-00003.parquet and so on, and _manifest.json,
// written last, lists them with rows, bytes and SHA-256. It holds the run's id
// but no time, so that two runs with the same result differ in that one line.
//
// Several renames are not atomic, so the commit is a plan that is written to
// disk first. Before the plan is durable the previous output is complete and
// has its manifest. Afterwards the commit can only go forward: while it is under
// way the folder has no manifest, [Pending] reports it, and whoever commits to
// the folder next completes it first. Files of the previous manifest that the
// new one lacks are removed; a file that no manifest lists is never touched, and
// one that stands where a shard should go makes the commit fail beforehand.
//
// # Temporary files
//
// They lie in .penstock-tmp/<run>/ inside the folder (beside the file), so on
// the same file system. A commit, or [Output.Discard] after a run that failed,
// removes its own and those of dead runs: a run
// is dead if every file it left belongs to a process of this machine that no
// longer exists, or if nothing in it was written for seven days. A run with an
// unfinished plan is never removed.
package commit
