package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	publishTimeout = 5 * time.Second // for the acknowledgement of a message
	maxUnstored    = 1024            // messages under way
	// patience is how long a stream may refuse messages, for want of space or of a
	// leader, before that is an error. A server that is away is waited for longer:
	// until the context ends.
	patience = 30 * time.Second
	// retryWait is the wait before the first repetition; it doubles up to retryMost.
	retryWait = 100 * time.Millisecond
	retryMost = 3 * time.Second
)

// Publisher stores messages in a stream, in their order unless one must be sent
// again. It is used by one goroutine.
type Publisher struct {
	conn    *Conn
	stream  string
	maxSize int // of a message in the stream, -1 for any
	filters []string
	unseen  []*unstored // oldest first

	patience time.Duration
}

// Publication is a message to be stored.
type Publication struct {
	Subject string
	ID      string // by which the stream knows a message that comes again; may be empty
	Header  map[string][]string
	Data    []byte
	Stored  func() // called once the stream has the message
}

// unstored is a message whose acknowledgement is awaited.
type unstored struct {
	Publication
	message *client.Msg
	future  jetstream.PubAckFuture
	err     error // why it was not even sent
}

// Refusal is why a message can never be stored, whatever comes.
type Refusal struct{ Class, Message string }

func (r *Refusal) Error() string { return r.Message }

// Publisher finds the stream, or makes it if create is given.
func (c *Conn) Publisher(ctx context.Context, stream string, create *NewStream) (*Publisher, error) {
	s, err := c.stream(ctx, stream, create)
	if err != nil {
		return nil, err
	}
	config := s.CachedInfo().Config
	return &Publisher{conn: c, stream: stream, maxSize: int(config.MaxMsgSize), filters: config.Subjects, patience: patience}, nil
}

// Keeps reports whether the stream keeps messages of a subject.
func (p *Publisher) Keeps(subject string) bool {
	return slices.ContainsFunc(p.filters, func(f string) bool { return matches(f, subject) })
}

// MaxSize is the most bytes of a message that the server and the stream take,
// header and payload together.
func (p *Publisher) MaxSize() int {
	most := int(p.conn.nc.MaxPayload())
	if p.maxSize >= 0 {
		most = min(most, p.maxSize)
	}
	return most
}

// Publish sends a message. It waits when too many are under way. The error is a
// [*Refusal] for a message that cannot be stored; any other says that the stream
// takes none.
func (p *Publisher) Publish(ctx context.Context, m Publication) error {
	message := &client.Msg{Subject: m.Subject, Data: m.Data, Header: client.Header{}}
	for name, values := range m.Header {
		message.Header[name] = values
	}
	if m.ID != "" {
		message.Header.Set(jetstream.MsgIDHeader, m.ID)
	}
	message.Header.Set(jetstream.ExpectedStreamHeader, p.stream)
	switch {
	case !p.Keeps(m.Subject):
		return &Refusal{"subject", fmt.Sprintf("stream %s keeps no messages of subject %q (it keeps %s)", p.stream, m.Subject, strings.Join(p.filters, ", "))}
	case size(message) > p.MaxSize():
		return &Refusal{"too-large", fmt.Sprintf("a message of %d bytes, and stream %s takes %d", size(message), p.stream, p.MaxSize())}
	}
	for len(p.unseen) >= maxUnstored {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	u := &unstored{Publication: m, message: message}
	p.send(u)
	p.unseen = append(p.unseen, u)
	return nil
}

// size is the bytes of a message as the server counts them.
func size(m *client.Msg) int {
	n := len("NATS/1.0\r\n\r\n") + len(m.Data)
	for name, values := range m.Header {
		for _, v := range values {
			n += len(name) + len(": \r\n") + len(v)
		}
	}
	return n
}

func (p *Publisher) send(u *unstored) { u.future, u.err = p.conn.js.PublishMsgAsync(u.message) }

// Flush returns when all that was published is stored.
func (p *Publisher) Flush(ctx context.Context) error {
	for len(p.unseen) > 0 {
		if err := p.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the oldest message is stored, sending it as often as it takes.
func (p *Publisher) settle(ctx context.Context) error {
	u := p.unseen[0]
	var refusedSince time.Time
	for wait := retryWait; ; wait = min(2*wait, retryMost) {
		err := p.await(ctx, u)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		u.err = err // a future tells it once
		if !p.conn.nc.IsConnected() {
			refusedSince = time.Time{}
		} else if refusedSince.IsZero() {
			refusedSince = time.Now()
		} else if time.Since(refusedSince) > p.patience {
			return fmt.Errorf("stream %s on %s takes no messages: %w%s", p.stream, p.conn.where, err, cure(err))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.send(u)
	}
	p.unseen[0] = nil
	p.unseen = p.unseen[1:]
	if u.Stored != nil {
		u.Stored()
	}
	return nil
}

// await waits for the acknowledgement of a message.
func (p *Publisher) await(ctx context.Context, u *unstored) error {
	if u.err != nil {
		return u.err
	}
	select {
	case <-u.future.Ok():
		return nil
	case err := <-u.future.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cure is what would help where a stream takes no messages.
func cure(err error) string {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api) && (api.ErrorCode == codeNoResources || api.ErrorCode == codeNoStorage || api.ErrorCode == codeNoMemory || api.ErrorCode == codeStoreFailed):
		return " (free space on the server's disk, or raise its limits)"
	case errors.As(err, &api) && api.ErrorCode == codeStreamNotFound, errors.Is(err, jetstream.ErrNoStreamResponse):
		return " (is the stream still there?)"
	}
	return ""
}

// Error codes of JetStream's that the client has no name for.
const (
	codeNoResources    = 10023
	codeNoMemory       = 10028
	codeNoStorage      = 10047
	codeStreamNotFound = 10059
	codeStoreFailed    = 10077
)

// matches reports whether a filter with wildcards takes in a subject without.
func matches(filter, subject string) bool {
	for filter != "" && subject != "" {
		f, filterRest, _ := strings.Cut(filter, ".")
		if f == ">" {
			return true
		}
		s, subjectRest, _ := strings.Cut(subject, ".")
		if f != "*" && f != s {
			return false
		}
		filter, subject = filterRest, subjectRest
	}
	return filter == "" && subject == ""
}
