package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "SubscribeNATS", Outputs: []string{transforms.Out, transforms.Rejects},
		New: newSubscribe,
	})
}

// SubscribeConfig configures the kind SubscribeNATS; see specs.#SubscribeNATS.
type SubscribeConfig struct {
	NATS          nats.Server         `json:"nats"`
	Stream        string              `json:"stream"`
	Durable       string              `json:"durable"`
	Subjects      []string            `json:"subjects"`
	Create        bool                `json:"create"`
	Start         string              `json:"start"` // "all" or "new"
	StartSequence uint64              `json:"startSequence"`
	StartTime     time.Time           `json:"startTime"`
	Payload       string              `json:"payload"` // "json", "text" or "bytes"
	Declare       transforms.Columns  `json:"columns"` // of JSON
	Unknown       string              `json:"unknown"` // "reject" or "drop"
	Column        string              `json:"column"`  // for a payload of text or bytes
	Key           string              `json:"key"`
	Subject       string              `json:"subjectColumn"`
	Sequence      string              `json:"sequenceColumn"`
	Time          string              `json:"timeColumn"`
	Headers       map[string]string   `json:"headers"` // header by column
	Batch         int                 `json:"batch"`
	MaxAckPending int                 `json:"maxAckPending"`
	AckWait       transforms.Duration `json:"ackWait"`
	MaxDeliver    int                 `json:"maxDeliver"`
	DeadLetters   string              `json:"deadLetters"`
}

// Subscribe takes events from a stream: see [SubscribeConfig].
type Subscribe struct {
	config SubscribeConfig
	shape  atomic.Pointer[shape]
}

var _ transforms.Unbounded = (*Subscribe)(nil)

func newSubscribe(config []byte) (transforms.Node, error) {
	n := &Subscribe{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := &n.config
	var errs []error
	wrong := func(field, message, hint string) {
		errs = append(errs, &transforms.FieldError{Field: field, Message: message, Hint: hint})
	}
	errs = append(errs, serverErrors(c.NATS)...)
	if c.MaxAckPending < c.Batch {
		wrong("maxAckPending", fmt.Sprintf("%d is below batch: a batch of %d would never be full", c.MaxAckPending, c.Batch), "raise it, or lower batch")
	}
	if c.Create && len(c.Subjects) == 0 {
		wrong("create", "makes a stream, but of which subjects?", `subjects: ["events.>"]`)
	}
	if c.DeadLetters == "" {
		c.DeadLetters = nats.LettersOf(c.Stream, c.Durable)
	}
	for i, s := range c.Subjects {
		if !isFilter(s) {
			wrong(fmt.Sprintf("subjects.%d", i), fmt.Sprintf("%q is no subject", s), `such as "events.>" or "events.*.new"`)
		}
	}
	if !isFilter(c.DeadLetters) || strings.ContainsAny(c.DeadLetters, "*>") {
		wrong("deadLetters", fmt.Sprintf("%q is no subject to publish to", c.DeadLetters), `such as "dead.events"`)
	}
	if (c.Payload == payloadJSON) != (len(c.Declare) > 0) {
		wrong("columns", "belong to a JSON payload, and it needs them", `payload: "json" with columns: text: "string"`)
	}
	if c.StartSequence > 0 && !c.StartTime.IsZero() {
		wrong("startTime", "and startSequence exclude each other", "")
	}
	return n, errors.Join(errs...)
}

// Payloads of an event.
const (
	payloadJSON  = "json"
	payloadText  = "text"
	payloadBytes = "bytes"
)

// duplicates is how long streams that are made here know the ids of messages.
const duplicates = 10 * time.Minute

// shape is how an event becomes a row.
type shape struct {
	schema  *data.Schema
	decoder *jsonl.Decoder // of the first columns
	key     int            // index of the key column, -1 for none
	headers []string       // in the order of their columns, the last of the schema
}

// Columns implements transforms.Node.
func (n *Subscribe) Columns(transforms.Ports) (transforms.Ports, error) {
	c := n.config
	var fields []data.Field
	switch c.Payload {
	case payloadText:
		fields = []data.Field{{Name: c.Column, Type: data.StringType}}
	case payloadBytes:
		fields = []data.Field{{Name: c.Column, Type: data.BytesType}}
	default:
		fields = slices.Clone(c.Declare)
	}
	payload, err := data.NewSchema(fields...)
	if err != nil {
		return nil, &transforms.FieldError{Field: "columns", Message: err.Error()}
	}
	s := &shape{decoder: jsonl.NewDecoder(payload), key: -1}
	s.decoder.NeedAll, s.decoder.DropUnknown = true, c.Unknown == "drop"
	for _, f := range []data.Field{
		{Name: c.Subject, Type: data.StringType}, {Name: c.Sequence, Type: data.Int64Type}, {Name: c.Time, Type: data.TimestampType},
	} {
		if f.Name != "" {
			fields = append(fields, f)
		}
	}
	columns := make([]string, 0, len(c.Headers))
	for column := range c.Headers {
		columns = append(columns, column)
	}
	slices.Sort(columns)
	for _, column := range columns {
		fields = append(fields, data.Field{Name: column, Type: data.StringType, Nullable: true})
		s.headers = append(s.headers, c.Headers[column])
	}
	if s.schema, err = data.NewSchema(fields...); err != nil {
		return nil, &transforms.FieldError{Code: transforms.ColumnTwice, Message: err.Error(), Hint: "give the column of the event's subject, sequence, time or header another name"}
	}
	if c.Key != "" {
		if err := transforms.NeedColumn(s.schema, "key", c.Key, data.String, data.Int64); err != nil {
			return nil, err
		}
		s.key = s.schema.Index(c.Key)
	}
	n.shape.Store(s)
	return transforms.OutPort(s.schema), nil
}

// Subscribe implements transforms.Unbounded.
func (n *Subscribe) Subscribe(ctx context.Context, run transforms.Run) (transforms.Subscription, error) {
	conn, err := nats.Connect(ctx, n.config.NATS, "penstock "+run.Graph, run.State)
	if err != nil {
		return nil, err
	}
	s, err := conn.Subscribe(ctx, n.consumer(), run.State)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &subscription{conn: conn, subscriber: s, config: n.config, shape: n.shape.Load()}, nil
}

func (n *Subscribe) consumer() nats.Consumer {
	c := n.config
	consumer := nats.Consumer{
		Stream: c.Stream, Durable: c.Durable, Subjects: c.Subjects,
		FromSequence: c.StartSequence, FromTime: c.StartTime, OnlyNew: c.Start == "new",
		Batch: c.Batch, MaxAckPending: c.MaxAckPending, AckWait: c.AckWait.Duration, MaxDeliver: c.MaxDeliver,
		DeadLetters: c.DeadLetters,
	}
	if c.Create {
		consumer.Create = &nats.NewStream{Subjects: c.Subjects, Duplicates: duplicates}
	}
	return consumer
}

// Capacity implements transforms.Capacious.
func (n *Subscribe) Capacity() (events, batch int, field string) {
	return n.config.MaxAckPending, n.config.Batch, "maxAckPending"
}

// DeadLetters finds the dead letters of the node, for as long as use runs.
func (n *Subscribe) DeadLetters(ctx context.Context, run transforms.Run, use func(*nats.DeadLetters) error) (err error) {
	conn, err := nats.Connect(ctx, n.config.NATS, "penstock "+run.Graph, run.State)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	d, err := conn.DeadLetters(ctx, n.consumer())
	if err != nil {
		return err
	}
	return use(d)
}

// subscription makes rows of the messages of a consumer.
type subscription struct {
	conn       *nats.Conn
	subscriber *nats.Subscriber
	config     SubscribeConfig
	shape      *shape
}

// Next implements transforms.Subscription.
func (s *subscription) Next(ctx context.Context, emit func(*data.Record), reject func(*transforms.Rejected)) error {
	return s.subscriber.Next(ctx, func(m *nats.Message) {
		r := (&data.Record{
			Schema: s.shape.schema,
			ID:     data.ID{Source: s.config.Stream, Row: int64(m.Sequence)},
			Order:  int64(m.Sequence),
		}).Under(m.Event)
		var err error
		if r.Values, err = s.values(m); err == nil {
			r.ID, err = s.id(r)
		}
		if err != nil {
			if r.Values == nil {
				r.Values = make([]data.Value, s.shape.schema.Len())
			}
			reject(transforms.AsRejected(r, err))
			return
		}
		emit(r)
	})
}

// values are the row that a message stands for.
func (s *subscription) values(m *nats.Message) ([]data.Value, error) {
	values, err := s.payload(m.Data)
	if err != nil {
		return nil, err
	}
	if s.config.Subject != "" {
		values = append(values, data.StringValue(m.Subject))
	}
	if s.config.Sequence != "" {
		values = append(values, data.Int64Value(int64(m.Sequence)))
	}
	if s.config.Time != "" {
		values = append(values, data.TimeValue(m.Time))
	}
	for _, name := range s.shape.headers {
		v := data.Value{}
		if given := m.Header[name]; len(given) > 0 {
			if !utf8.ValidString(given[0]) {
				return nil, transforms.Reject("utf8", "header %s is not UTF-8", name)
			}
			v = data.StringValue(given[0])
		}
		values = append(values, v)
	}
	return values, nil
}

func (s *subscription) payload(payload []byte) ([]data.Value, error) {
	switch s.config.Payload {
	case payloadBytes:
		return []data.Value{data.BytesValue(payload)}, nil
	case payloadText:
		if !utf8.Valid(payload) {
			return nil, transforms.Reject("utf8", "the payload is not UTF-8")
		}
		return []data.Value{data.StringValue(string(payload))}, nil
	}
	if len(payload) == 0 {
		return nil, transforms.Reject("empty", "the event has no payload")
	}
	values, err := s.shape.decoder.Decode(payload)
	var wrong *jsonl.Error
	if errors.As(err, &wrong) {
		return nil, transforms.Reject(wrong.Class, "%s", wrong.Message)
	}
	return values, err
}

// id is the row's id: its key, or stream and sequence.
func (s *subscription) id(r *data.Record) (data.ID, error) {
	if s.shape.key < 0 {
		return r.ID, nil
	}
	key := r.Values[s.shape.key]
	if key.IsNull() {
		return r.ID, transforms.Reject("null", "the key column %q is null", s.config.Key)
	}
	return data.KeyID(string(data.AppendText(nil, key, s.shape.schema.Field(s.shape.key).Type))), nil
}

// Ordered implements transforms.Subscription.
func (s *subscription) Ordered(ctx context.Context) bool { return s.subscriber.Ordered(ctx) }

// Finish implements transforms.Subscription.
func (s *subscription) Finish(ctx context.Context) error { return s.subscriber.Finish(ctx) }

// Counts implements transforms.Subscription.
func (s *subscription) Counts() transforms.EventCounts {
	return transforms.EventCounts(s.subscriber.Taken())
}

// State implements transforms.Subscription.
func (s *subscription) State(ctx context.Context) (transforms.StreamState, error) {
	state, err := s.subscriber.State(ctx)
	return transforms.StreamState(state), err
}

// Latency implements transforms.Subscription.
func (s *subscription) Latency() transforms.Latency {
	counts, sum := s.subscriber.Latency()
	return transforms.Latency{Bounds: nats.Bounds[:], Counts: counts, Sum: sum}
}

// Close implements transforms.Subscription.
func (s *subscription) Close() error {
	s.subscriber.Close()
	return s.conn.Close()
}
