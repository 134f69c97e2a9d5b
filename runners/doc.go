// Package runners executes graphs. [Run] takes a plan, lays out its pipeline,
// runs it on Prism in this process or on another [Engine], watches the counters,
// settles the accounts, commits the outputs and leaves a report.
//
// The command is in runners/penstock; what a run leaves for people to read is
// made by runners/report and runners/progress.
package runners
