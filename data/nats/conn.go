package nats

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	client "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"penstock.dev/data"
)

// Conn is a connection to a server with JetStream. It comes back by itself when
// the server was away.
type Conn struct {
	nc       *client.Conn
	js       jetstream.JetStream
	where    string    // the server, for messages
	embedded *embedded // nil for a server elsewhere
}

const (
	dialTimeout   = 5 * time.Second
	apiTimeout    = 10 * time.Second // for an answer of JetStream's
	reconnectWait = 250 * time.Millisecond
)

// Connect connects to a server under a name that the server shows. The embedded
// server keeps its streams in the folder nats below state. A server that cannot
// be reached now is an error.
func Connect(ctx context.Context, s Server, name, state string) (*Conn, error) {
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	options = append(options, client.Name(name))
	c := &Conn{where: s.URL}
	url := s.URL
	if s.URL == Embedded {
		if c.embedded, err = startEmbedded(filepath.Join(state, "nats"), s.Port); err != nil {
			return nil, err
		}
		url = c.embedded.ClientURL()
		options = append(options, client.InProcessServer(c.embedded))
	}
	if c.nc, err = client.Connect(url, options...); err != nil {
		return nil, errors.Join(c.unreachable(err), c.releaseEmbedded())
	}
	c.js, err = jetstream.New(c.nc, jetstream.WithPublishAsyncTimeout(publishTimeout), jetstream.WithDefaultTimeout(apiTimeout))
	if err == nil {
		if _, err = c.js.AccountInfo(ctx); err != nil {
			err = c.explain(err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// options are the client's, with the secrets.
func (s Server) options() ([]client.Option, error) {
	options := []client.Option{
		client.Timeout(dialTimeout), client.MaxReconnects(-1), client.ReconnectWait(reconnectWait),
		client.IgnoreAuthErrorAbort(), // a cluster that changes its accounts refuses for a while
	}
	password, token := "", ""
	for _, secret := range []struct {
		field string
		data.Secret
		into *string
	}{{"password", s.Password, &password}, {"token", s.Token, &token}} {
		if secret.IsZero() {
			continue
		}
		value, err := secret.Read()
		if err != nil {
			return nil, fmt.Errorf("nats.%s: %w", secret.field, err)
		}
		*secret.into = value
	}
	if s.User != "" {
		options = append(options, client.UserInfo(s.User, password))
	}
	if token != "" {
		options = append(options, client.Token(token))
	}
	if s.Credentials != "" {
		options = append(options, client.UserCredentials(s.Credentials))
	}
	if s.NKey != "" {
		seed, err := client.NkeyOptionFromSeed(s.NKey)
		if err != nil {
			return nil, fmt.Errorf("nats.nkey: %s holds no seed of an NKey", s.NKey)
		}
		options = append(options, seed)
	}
	if s.CA != "" {
		options = append(options, client.RootCAs(s.CA))
	}
	if s.Certificate != "" {
		options = append(options, client.ClientCert(s.Certificate, s.Key))
	}
	return options, nil
}

// URL is an address at which other programs of this machine reach the server.
func (c *Conn) URL() string { return c.nc.ConnectedUrlRedacted() }

// unreachable says why there is no connection.
func (c *Conn) unreachable(err error) error {
	switch {
	case errors.Is(err, client.ErrAuthorization), errors.Is(err, client.ErrAuthExpired), errors.Is(err, client.ErrAuthRevoked):
		return fmt.Errorf("%s refuses the credentials (check user, password, token or credentials file)", c.where)
	case errors.Is(err, client.ErrNoServers), errors.Is(err, client.ErrTimeout):
		return fmt.Errorf("%s cannot be reached (is the server running, and the address right?)", c.where)
	case strings.Contains(err.Error(), "certificate"):
		return fmt.Errorf("%s: %w (give the certificate of its authority as ca)", c.where, err)
	}
	return fmt.Errorf("%s: %w", c.where, err)
}

// explain says what an error of JetStream's means.
func (c *Conn) explain(err error) error {
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("%s %w", c.where, errNoJetStream)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, client.ErrTimeout):
		return fmt.Errorf("%s does not answer (is JetStream of its cluster healthy?)", c.where)
	}
	return fmt.Errorf("%s: %w", c.where, err)
}

// Close ends the connection when what was sent has left, and stops the embedded
// server if nobody else uses it.
func (c *Conn) Close() error {
	if c.nc.IsConnected() {
		c.nc.FlushTimeout(dialTimeout) // acknowledgements; what is lost comes again
	}
	c.nc.Close()
	return c.releaseEmbedded()
}

func (c *Conn) releaseEmbedded() error {
	if c.embedded == nil {
		return nil
	}
	return c.embedded.release()
}

// NewStream is a stream to be made where there is none of its name.
type NewStream struct {
	Subjects   []string      // that it keeps messages of
	Duplicates time.Duration // how long it knows the ids of messages; 0 for the server's default
}

// stream finds a stream. One that is not there is made if create is given.
func (c *Conn) stream(ctx context.Context, name string, create *NewStream) (jetstream.Stream, error) {
	s, err := c.js.Stream(ctx, name)
	switch {
	case err == nil:
		return s, nil
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("stream %s: %w", name, c.explain(err))
	case create == nil:
		return nil, fmt.Errorf("%s has no stream %s (make it with: nats stream add %s, or set create: true)", c.where, name, name)
	}
	s, err = c.js.CreateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: create.Subjects, Duplicates: create.Duplicates})
	if err != nil {
		return nil, fmt.Errorf("stream %s cannot be made: %w", name, c.explain(err))
	}
	return s, nil
}
