// Package equal certifies that a stream graph gives the same results as a batch of
// the same nodes: [Run] publishes rows as events to a server of its own, lets the
// graph take them, lets a batch read them from a file, and compares what each sink
// was given.
package equal
