package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/runners/serve"
	"penstock.dev/specs"
)

func serveCommand() *cobra.Command {
	o := serve.Options{FirstWait: time.Second, MostWait: time.Minute}
	cmd := &cobra.Command{
		Use:   "serve FILE...",
		Short: "Keep stream graphs running",
		Long: `Serve checks stream graphs and runs them until it is asked to end. A pipeline that
fails starts again, after a wait that grows to a minute. When a graph's file, or
a CUE file beside it, changes, or on SIGHUP, the graph is checked again and taken
over if it is sound: the events in flight are seen to first. SIGTERM and Ctrl-C
drain all graphs; a second one ends at once, and events in flight come again.

It tells how the graphs stand over HTTP: /healthz (503 when a graph makes no
progress though events wait, or does not run, for as long as --stuck says),
/readyz (503 when a graph takes no events now) and /metrics for Prometheus.`,
		Example: `  penstock serve graphs/examples/stream-detect
  penstock serve text.cue images.cue -t nats=nats://one:4222 --listen 127.0.0.1:9000
  curl -s 127.0.0.1:9464/metrics`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Stuck <= 0 {
				return fmt.Errorf("--stuck %v: want a time above zero", o.Stuck)
			}
			values, err := tags(cmd)
			if err != nil {
				return err
			}
			ds := checkGraphs(args, values)
			printDiagnostics(cmd.ErrOrStderr(), ds)
			if ds.Failed() {
				return &exitError{code: exitInvalid}
			}
			o.Load = func(path string) (*graphs.Plan, error) {
				p, ds := graphs.Load(path, specs.Options{Tags: values})
				return p, firstOf(ds)
			}
			o.Ended = func(r *runners.Result) error {
				_, err := saveReport(r, "")
				return err
			}
			o.Log = logger(cmd)
			o.Run.Samples, o.Run.Parameters, o.Run.Version, o.Run.Command = 5, values, version(), os.Args
			return failed(serve.Serve(cmd.Context(), args, hangups(cmd), o))
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().StringVar(&o.Run.Work, "work", ".penstock", "folder that keeps what runs leave, and the streams of an embedded server")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:9464", "address for /healthz, /readyz and /metrics; port 0 takes a free one")
	cmd.Flags().DurationVar(&o.Stuck, "stuck", time.Minute, "time without progress after which a graph is unhealthy")
	return cmd
}

// firstOf is the first mistake, with the number of those behind it.
func firstOf(ds specs.Diagnostics) error {
	if !ds.Failed() {
		return nil
	}
	var first string
	more := -1
	for _, d := range ds {
		if d.Warning() {
			continue
		}
		if more++; more == 0 {
			first = fmt.Sprintf("%s [%s]", d, d.Code)
		}
	}
	if more > 0 {
		first += fmt.Sprintf(" (and %d more: see penstock check)", more)
	}
	return fmt.Errorf("%s", first)
}

// hangups has a value for each SIGHUP while the command runs.
func hangups(cmd *cobra.Command) <-chan struct{} {
	signals, reload := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-cmd.Context().Done():
				return
			case <-signals:
			}
			select {
			case <-cmd.Context().Done():
				return
			case reload <- struct{}{}:
			}
		}
	}()
	return reload
}
