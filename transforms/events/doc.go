// Package events has the kinds that take events from NATS JetStream and publish
// them: SubscribeNATS and PublishNATS.
//
// The kinds say what an event is as a row and a row as a message; data/nats does
// what a server needs, the engine counts what stems from an event.
package events
