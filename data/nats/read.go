package nats

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Read hands on the payloads of the messages that a stream holds now, oldest first.
func (c *Conn) Read(ctx context.Context, stream string, take func(payload []byte) error) error {
	s, err := c.stream(ctx, stream, nil)
	if err != nil {
		return err
	}
	return c.each(ctx, s, ">", func(m jetstream.Msg, _ uint64) error { return take(m.Data()) })
}

// each hands on the messages of a stream that were in it when it was found, with
// their sequence, oldest first.
func (c *Conn) each(ctx context.Context, stream jetstream.Stream, filter string, take func(m jetstream.Msg, sequence uint64) error) error {
	name, last := stream.CachedInfo().Config.Name, stream.CachedInfo().State.LastSeq
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		return fmt.Errorf("stream %s: %w", name, c.explain(err))
	}
	for waiting := consumer.CachedInfo().NumPending; waiting > 0; {
		batch, err := consumer.Fetch(int(min(waiting, 256)), jetstream.FetchMaxWait(apiTimeout))
		if err != nil {
			return fmt.Errorf("stream %s: %w", name, c.explain(err))
		}
		came := false
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				return fmt.Errorf("stream %s: %w", name, err)
			}
			came, waiting = true, meta.NumPending
			if meta.Sequence.Stream > last {
				return nil
			}
			if err := take(m, meta.Sequence.Stream); err != nil {
				return err
			}
		}
		if !came {
			return fmt.Errorf("stream %s: %s does not answer", name, c.where)
		}
	}
	return nil
}
