package nats

import (
	"context"
	"fmt"
	"sync/atomic"

	client "github.com/nats-io/nats.go"
)

// Passing is a message that was published.
type Passing struct {
	Subject string
	Header  map[string][]string
	Data    []byte
}

// tapped is the number of messages that wait for a tap before further ones are passed
// over.
const tapped = 256

// Tap hands on the messages that are published to subjects from now on, until take
// answers false or ctx ends. No consumer misses any by it. Those that come while too
// many wait are passed over; their number is returned.
func (c *Conn) Tap(ctx context.Context, subjects []string, take func(Passing) bool) (over int64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waiting := make(chan Passing, tapped)
	var missed atomic.Int64
	for _, subject := range subjects {
		s, err := c.nc.Subscribe(subject, func(m *client.Msg) {
			select {
			case waiting <- Passing{m.Subject, m.Header, m.Data}:
			default:
				missed.Add(1)
			}
		})
		if err != nil {
			return 0, fmt.Errorf("subject %s: %w", subject, c.explain(err))
		}
		defer s.Unsubscribe()
	}
	for {
		select {
		case <-ctx.Done():
			return missed.Load(), nil
		case m := <-waiting:
			if !take(m) {
				return missed.Load(), nil
			}
		}
	}
}

// Subjects are those that a stream keeps messages of.
func (c *Conn) Subjects(ctx context.Context, stream string) ([]string, error) {
	s, err := c.stream(ctx, stream, nil)
	if err != nil {
		return nil, err
	}
	return s.CachedInfo().Config.Subjects, nil
}
