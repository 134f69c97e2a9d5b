package events

import (
	"context"
	"errors"

	"penstock.dev/data/nats"
	"penstock.dev/transforms"
)

// Tapped is a node whose events can be looked at as they are published.
type Tapped interface {
	transforms.Node
	// Tap hands on the events that are published from now on: see nats.Conn.Tap. dead
	// asks for the node's dead letters instead.
	Tap(ctx context.Context, run transforms.Run, dead bool, take func(nats.Passing) bool) (over int64, err error)
}

var (
	_ Tapped = (*Subscribe)(nil)
	_ Tapped = (*Publish)(nil)
)

// Tap implements Tapped.
func (n *Subscribe) Tap(ctx context.Context, run transforms.Run, dead bool, take func(nats.Passing) bool) (int64, error) {
	return tap(ctx, n.config.NATS, run, take, func(c *nats.Conn) ([]string, error) {
		switch {
		case dead:
			return []string{n.config.DeadLetters}, nil
		case len(n.config.Subjects) > 0:
			return n.config.Subjects, nil
		}
		return c.Subjects(ctx, n.config.Stream)
	})
}

// Tap implements Tapped.
func (n *Publish) Tap(ctx context.Context, run transforms.Run, dead bool, take func(nats.Passing) bool) (int64, error) {
	if dead {
		return 0, errors.New("the node that takes the events has the dead letters")
	}
	return tap(ctx, n.config.NATS, run, take, func(*nats.Conn) ([]string, error) {
		return []string{filter(n.form.Load().subject)}, nil
	})
}

func tap(ctx context.Context, server nats.Server, run transforms.Run, take func(nats.Passing) bool, subjects func(*nats.Conn) ([]string, error)) (over int64, err error) {
	conn, err := nats.Connect(ctx, server, "penstock tap "+run.Graph, run.State)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	all, err := subjects(conn)
	if err != nil {
		return 0, err
	}
	return conn.Tap(ctx, all, take)
}
