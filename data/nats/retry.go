package nats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Letter is a dead letter with all parts of its message.
type Letter struct {
	Subject                string // of the message
	Sequence               uint64 // of the message in its stream
	Nodes, Classes, Reason []string
	Data                   []byte
	header                 map[string][]string // of the message
	at                     []uint64            // places of the parts among the dead letters
}

// DeadLetters are the dead letters that a consumer left.
type DeadLetters struct {
	conn   *Conn
	config Consumer
	stream jetstream.Stream
	events *Publisher
}

// DeadLetters finds the dead letters of a consumer, and the stream that its
// messages came from.
func (c *Conn) DeadLetters(ctx context.Context, config Consumer) (*DeadLetters, error) {
	events, err := c.Publisher(ctx, config.Stream, nil)
	if err != nil {
		return nil, err
	}
	name, err := c.js.StreamNameBySubject(ctx, config.DeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("%s has no stream that keeps dead letters of subject %s", c.where, config.DeadLetters)
	} else if err != nil {
		return nil, c.explain(err)
	}
	stream, err := c.stream(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	return &DeadLetters{c, config, stream, events}, nil
}

// Each hands on the dead letters that are there now, oldest first. What is not a
// dead letter of the consumer's stream, or lacks a part, is passed over.
func (d *DeadLetters) Each(ctx context.Context, take func(*Letter) error) error {
	partial := map[uint64]*Letter{}
	return d.conn.each(ctx, d.stream, d.config.DeadLetters, func(m jetstream.Msg, at uint64) error {
		if l := d.letter(m, at, partial); l != nil {
			return take(l)
		}
		return nil
	})
}

// letter is the dead letter that a message completes, nil if it does not complete
// one.
func (d *DeadLetters) letter(m jetstream.Msg, at uint64, partial map[uint64]*Letter) *Letter {
	header := m.Headers()
	sequence, err := strconv.ParseUint(header.Get(HeaderSequence), 10, 64)
	if header.Get(HeaderStream) != d.config.Stream || err != nil {
		return nil
	}
	part, of := 1, 1
	if s := header.Get(HeaderPart); s != "" {
		if _, err := fmt.Sscanf(s, "%d/%d", &part, &of); err != nil {
			return nil
		}
	}
	l := partial[sequence]
	if part == 1 {
		l = &Letter{
			Subject: header.Get(HeaderSubject), Sequence: sequence,
			Nodes: header[HeaderNode], Classes: header[HeaderClass], Reason: header[HeaderReason],
			header: keptHeader(header),
		}
		partial[sequence] = l
	}
	if l == nil || len(l.at) != part-1 { // a part before it is gone
		delete(partial, sequence)
		return nil
	}
	l.at, l.Data = append(l.at, at), append(l.Data, m.Data()...)
	if part < of {
		return nil
	}
	delete(partial, sequence)
	return l
}

// Retry publishes the message of a dead letter again, as it was but for the number
// of retries in its header, and removes the letter. Whoever dies in between may
// repeat it: the stream knows the message within its duplicate window. The error is
// a [*Refusal] if the stream can never take the message.
func (d *DeadLetters) Retry(ctx context.Context, l *Letter) error {
	header := maps.Clone(l.header)
	before, _ := strconv.Atoi(strings.Join(header[HeaderRetries], ""))
	header[HeaderRetries] = []string{strconv.Itoa(before + 1)}
	info := d.stream.CachedInfo()
	id := fmt.Sprintf("retry.%s.%s:%d", info.Config.Name, strconv.FormatInt(info.Created.UnixMilli(), 36), l.at[0])
	if err := d.events.Publish(ctx, Publication{Subject: l.Subject, ID: id, Header: header, Data: l.Data}); err != nil {
		return err
	}
	if err := d.events.Flush(ctx); err != nil {
		return err
	}
	for _, at := range l.at {
		err := d.stream.DeleteMsg(ctx, at)
		if err == nil {
			continue
		}
		if _, gone := d.stream.GetMsg(ctx, at); !errors.Is(gone, jetstream.ErrMsgNotFound) {
			return fmt.Errorf("the message was published again, but its dead letter cannot be removed from stream %s: %w", info.Config.Name, err)
		}
	}
	return nil
}
