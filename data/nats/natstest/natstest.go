// Package natstest has what tests of streams need: a server, in the process or as
// a process of its own that can be killed, and a plain client to look from outside.
package natstest

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options of a server.
type Options struct {
	Folder         string // for the streams
	Port           int    // 0 for a free one
	User, Password string
	Token          string
	MaxStore       int64 // bytes of all streams, 0 for what the disk has
	NoJetStream    bool
}

func start(o Options) (*server.Server, error) {
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: o.Port, JetStream: !o.NoJetStream, StoreDir: o.Folder, JetStreamMaxStore: o.MaxStore,
		Username: o.User, Password: o.Password, Authorization: o.Token, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		return nil, fmt.Errorf("server on port %d is not ready", o.Port)
	}
	return s, nil
}

// Serve starts a server in the process that ends with the test.
func Serve(t testing.TB, o Options) (url string) {
	t.Helper()
	if o.Folder == "" {
		o.Folder = t.TempDir()
	}
	s, err := start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s.ClientURL()
}

// Main is a server as a process: natstest -folder DIR -port N, until it is stopped.
func Main() {
	var o Options
	flag.StringVar(&o.Folder, "folder", "", "")
	flag.IntVar(&o.Port, "port", 0, "")
	flag.Parse()
	s, err := start(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.ClientURL())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	s.Shutdown()
	s.WaitForShutdown()
}

// Client looks at a server from outside.
type Client struct {
	t  testing.TB
	js jetstream.JetStream
}

// Dial connects for the length of a test.
func Dial(t testing.TB, url string) *Client {
	t.Helper()
	return DialAs(t, url, "", "")
}

// DialAs connects as a user.
func DialAs(t testing.TB, url, user, password string) *Client {
	t.Helper()
	nc, err := client.Connect(url, client.UserInfo(user, password), client.MaxReconnects(-1), client.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return &Client{t, js}
}

// Make makes a stream.
func (c *Client) Make(stream string, subjects ...string) {
	c.t.Helper()
	_, err := c.js.CreateStream(c.t.Context(), jetstream.StreamConfig{Name: stream, Subjects: subjects, Duplicates: 10 * time.Minute})
	if err != nil {
		c.t.Fatal(err)
	}
}

// Delete removes a stream.
func (c *Client) Delete(stream string) {
	c.t.Helper()
	if err := c.js.DeleteStream(c.t.Context(), stream); err != nil {
		c.t.Fatal(err)
	}
}

// DeleteConsumer removes a durable consumer.
func (c *Client) DeleteConsumer(stream, durable string) {
	c.t.Helper()
	if err := c.js.DeleteConsumer(c.t.Context(), stream, durable); err != nil {
		c.t.Fatal(err)
	}
}

// Bound lets a stream keep so many messages and refuse more.
func (c *Client) Bound(stream string, messages int64) {
	c.t.Helper()
	s, err := c.js.Stream(c.t.Context(), stream)
	if err != nil {
		c.t.Fatal(err)
	}
	config := s.CachedInfo().Config
	config.MaxMsgs, config.Discard = messages, jetstream.DiscardNew
	if _, err := c.js.UpdateStream(c.t.Context(), config); err != nil {
		c.t.Fatal(err)
	}
}

// Purge removes the messages of a stream.
func (c *Client) Purge(stream string) error {
	s, err := c.js.Stream(c.t.Context(), stream)
	if err != nil {
		return err
	}
	return s.Purge(c.t.Context())
}

// Publish stores a message, however often it must be sent: id is its Nats-Msg-Id.
func (c *Client) Publish(subject, id string, payload []byte, header map[string][]string) {
	c.t.Helper()
	m := &client.Msg{Subject: subject, Data: payload, Header: client.Header{}}
	for name, values := range header {
		m.Header[name] = values
	}
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	for tries := 0; ; tries++ {
		_, err := c.js.PublishMsg(c.t.Context(), m)
		switch {
		case err == nil:
			return
		case tries == 100 || id == "":
			c.t.Fatalf("publish to %s: %v", subject, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// PublishAsync stores many messages of one subject.
func (c *Client) PublishAsync(subject string, payloads [][]byte) {
	c.t.Helper()
	for _, p := range payloads {
		for {
			if _, err := c.js.PublishAsync(subject, p); err == nil {
				break
			}
			<-c.js.PublishAsyncComplete()
		}
	}
	<-c.js.PublishAsyncComplete()
}

// Copy is a plain loop that does to n messages what a stream graph does to events:
// it takes them in batches, works on each, publishes the result with an id and
// acknowledges a batch when its results are stored. It is what the engine is
// measured by.
func (c *Client) Copy(stream string, n, batch int, subject string, work func([]byte) []byte) {
	c.t.Helper()
	consumer, err := c.js.CreateConsumer(c.t.Context(), stream, jetstream.ConsumerConfig{Durable: "copy", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 10_000})
	if err != nil {
		c.t.Fatal(err)
	}
	for done := 0; done < n; {
		fetched, err := consumer.FetchNoWait(batch)
		if err != nil {
			c.t.Fatal(err)
		}
		var taken []jetstream.Msg
		for m := range fetched.Messages() {
			taken = append(taken, m)
			id := "copy:" + strconv.Itoa(done+len(taken))
			if _, err := c.js.PublishAsync(subject, work(m.Data()), jetstream.WithMsgID(id)); err != nil {
				c.t.Fatal(err)
			}
		}
		<-c.js.PublishAsyncComplete()
		for _, m := range taken {
			m.Ack()
		}
		done += len(taken)
	}
}

// Stored is a message in a stream.
type Stored struct {
	Subject string
	Header  map[string][]string
	Data    []byte
	Time    time.Time
}

// All reads a stream from its beginning to its present end.
func (c *Client) All(stream string) []Stored {
	c.t.Helper()
	n := c.Count(stream)
	if n == 0 {
		return nil
	}
	consumer, err := c.js.OrderedConsumer(c.t.Context(), stream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		c.t.Fatal(err)
	}
	var all []Stored
	for uint64(len(all)) < n {
		batch, err := consumer.Fetch(int(min(n-uint64(len(all)), 1000)), jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			c.t.Fatal(err)
		}
		before := len(all)
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil {
				c.t.Fatal(err)
			}
			all = append(all, Stored{m.Subject(), m.Headers(), m.Data(), meta.Timestamp})
		}
		if len(all) == before {
			c.t.Fatalf("stream %s: %d messages of %d came", stream, len(all), n)
		}
	}
	return all
}

// Count is the number of messages in a stream, 0 if there is none of the name.
func (c *Client) Count(stream string) uint64 {
	ctx, stop := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer stop()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return 0
	}
	return s.CachedInfo().State.Msgs
}

// Position is where a durable consumer stands.
type Position struct {
	Waiting, InFlight int
	Floor             uint64 // up to which of the stream all are acknowledged
	Deliveries        uint64 // those of a message that came again among them
}

// Position is that of a consumer.
func (c *Client) Position(stream, durable string) (Position, error) {
	ctx, stop := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer stop()
	consumer, err := c.js.Consumer(ctx, stream, durable)
	if err != nil {
		return Position{}, err
	}
	info := consumer.CachedInfo()
	return Position{int(info.NumPending), info.NumAckPending, info.AckFloor.Stream, info.Delivered.Consumer}, nil
}

// JSON decodes the payload of a message.
func (s Stored) JSON(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(s.Data, &v); err != nil {
		t.Fatalf("%q: %v", s.Data, err)
	}
	return v
}
