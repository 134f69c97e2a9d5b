package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{Name: "PublishNATS", Inputs: []string{transforms.In}, New: newPublish})
}

// PublishConfig configures the kind PublishNATS; see specs.#PublishNATS.
type PublishConfig struct {
	NATS    nats.Server       `json:"nats"`
	Stream  string            `json:"stream"`
	Subject string            `json:"subject"` // with columns in braces
	Headers map[string]string `json:"headers"` // templates by header
	Create  bool              `json:"create"`
}

// Publish stores rows as messages of a stream: see [PublishConfig]. The payload is
// the row as JSON, as jsonl.AppendRow writes it.
type Publish struct {
	config PublishConfig
	form   atomic.Pointer[form]
}

var _ transforms.StreamSink = (*Publish)(nil)

func newPublish(config []byte) (transforms.Node, error) {
	n := &Publish{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	return n, errors.Join(serverErrors(n.config.NATS)...)
}

// form is how a row becomes a message.
type form struct {
	schema  *data.Schema
	subject transforms.Template
	names   []string // of headers
	headers []transforms.Template
}

// Columns implements transforms.Node.
func (n *Publish) Columns(in transforms.Ports) (transforms.Ports, error) {
	f := &form{}
	var err error
	if f.schema, err = transforms.Input(in); err != nil {
		return nil, err
	}
	if f.subject, err = transforms.ParseTemplate("subject", n.config.Subject, f.schema); err != nil {
		return nil, err
	}
	if s := filter(f.subject); !isFilter(s) {
		return nil, &transforms.FieldError{Field: "subject", Message: fmt.Sprintf("%q is no subject", n.config.Subject), Hint: `such as "results.{lang}"`}
	}
	for _, name := range slices.Sorted(maps.Keys(n.config.Headers)) {
		t, err := transforms.ParseTemplate("headers."+name, n.config.Headers[name], f.schema)
		if err != nil {
			return nil, err
		}
		f.names, f.headers = append(f.names, name), append(f.headers, t)
	}
	n.form.Store(f)
	return nil, nil
}

// OpenStream implements transforms.StreamSink.
func (n *Publish) OpenStream(ctx context.Context, run transforms.Run) (transforms.StreamWriter, error) {
	conn, err := nats.Connect(ctx, n.config.NATS, "penstock "+run.Graph, run.State)
	if err != nil {
		return nil, err
	}
	f := n.form.Load()
	var create *nats.NewStream
	if n.config.Create {
		create = &nats.NewStream{Subjects: []string{filter(f.subject)}, Duplicates: duplicates}
	}
	p, err := conn.Publisher(ctx, n.config.Stream, create)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &publishing{conn: conn, publisher: p, form: f}, nil
}

// publishing makes messages of rows.
type publishing struct {
	conn      *nats.Conn
	publisher *nats.Publisher
	form      *form
}

// Write implements transforms.StreamWriter.
func (p *publishing) Write(ctx context.Context, id string, r *data.Record, stored func()) error {
	subject, err := p.form.subject.Fill(r, checkToken)
	if err != nil {
		return err
	}
	header := map[string][]string{}
	for i, t := range p.form.headers {
		value, err := t.Fill(r, checkHeader(p.form.names[i]))
		if err != nil {
			return err
		}
		header[p.form.names[i]] = []string{value}
	}
	payload := bytes.TrimSuffix(jsonl.AppendRow(nil, p.form.schema, r.Values), []byte("\n"))
	err = p.publisher.Publish(ctx, nats.Publication{Subject: subject, ID: id, Header: header, Data: payload, Stored: stored})
	var refused *nats.Refusal
	if errors.As(err, &refused) {
		return transforms.Reject(refused.Class, "%s", refused.Message)
	}
	return transforms.Fatal(err)
}

// Flush implements transforms.StreamWriter.
func (p *publishing) Flush(ctx context.Context) error { return p.publisher.Flush(ctx) }

// Close implements transforms.StreamWriter.
func (p *publishing) Close(ctx context.Context) error {
	return errors.Join(p.publisher.Flush(ctx), p.conn.Close())
}
