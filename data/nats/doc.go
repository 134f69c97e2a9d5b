// Package nats speaks with NATS JetStream: it connects to a server, or starts one
// inside the process ([Connect]), takes messages from a durable consumer
// ([Subscribe]) and stores messages in a stream ([Publisher]).
//
// # What holds
//
// A message that was taken stays the consumer's until it is acknowledged: its
// taker acknowledges it when all that came of it is stored. Whoever dies before
// that gets it again, and what is stored a second time bears the same
// Nats-Msg-Id, which the stream drops within its duplicate window. So a message is
// neither lost nor answered twice, as long as that window is longer than the time
// between the two attempts: the acknowledgement wait of the consumer and what an
// outage lasts.
//
// A server that is away is waited for. What waiting does not mend is an error of
// one line that says what would.
package nats
