package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"penstock.dev/graphs"
	"penstock.dev/runners"
)

// Options say how graphs are kept running.
type Options struct {
	Run runners.Options // of each graph
	// Load reads and checks the graph of a path.
	Load func(path string) (*graphs.Plan, error)
	// Ended, if set, is given what a pipeline came to that took events.
	Ended func(*runners.Result) error

	Listen string        // address for HTTP, host:port
	Stuck  time.Duration // how long a stream may make no progress
	// FirstWait is the wait before a failed pipeline starts again; it doubles with
	// every failure up to MostWait, and begins anew after a run longer than that.
	FirstWait, MostWait time.Duration

	Log *slog.Logger
}

// Serve runs the graphs of paths until ctx ends, and drains them then. A value from
// reload makes it load all graphs again. The error is about what stands in the way
// at the start, or what was not drained.
func Serve(ctx context.Context, paths []string, reload <-chan struct{}, o Options) error {
	keepers, err := keepersOf(paths, o)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("no place for /metrics: %w (choose another with --listen)", err)
	}
	server := &http.Server{Handler: handler(keepers, o.Run.Version), ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)}
	o.Log.Info("serving", "graphs", len(keepers), "health", "http://"+listener.Addr().String()+"/healthz")

	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("no more /metrics", "error", err)
		}
	})
	errs := make([]error, len(keepers))
	var kept sync.WaitGroup
	for i, k := range keepers {
		kept.Go(func() { errs[i] = k.keep(ctx) })
	}
	done := make(chan struct{})
	running.Go(func() { forward(reload, keepers, done) })
	kept.Wait()
	close(done)
	errs = append(errs, server.Close())
	running.Wait()
	return errors.Join(errs...)
}

// keepersOf loads all graphs, so that a mistake in one is found before any runs.
func keepersOf(paths []string, o Options) ([]*keeper, error) {
	var keepers []*keeper
	at := map[string]string{}
	for _, path := range paths {
		plan, err := o.Load(path)
		if err != nil {
			return nil, err
		}
		name := plan.Graph.Name
		switch first, twice := at[name]; {
		case !plan.Stream():
			return nil, fmt.Errorf(`%s: graph %s is a batch (use "penstock run", or add mode: "stream")`, path, name)
		case twice:
			return nil, fmt.Errorf("%s: there is a graph %s in %s already (give them different names)", path, name, first)
		}
		at[name] = path
		keepers = append(keepers, newKeeper(path, plan, o))
	}
	return keepers, nil
}

// forward tells every keeper to load its graph again, for each value of reload,
// until done is closed.
func forward(reload <-chan struct{}, keepers []*keeper, done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-reload:
			for _, k := range keepers {
				k.askReload()
			}
		}
	}
}
