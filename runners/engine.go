package runners

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"penstock.dev/graphs"
	"penstock.dev/runners/flink"
	"penstock.dev/runners/worker"
)

// Names of runners.
const (
	Prism     = "prism"     // in this process
	Flink     = "flink"     // a Beam job service for Apache Flink
	Universal = "universal" // any Beam job service
)

// Engine says where the pipeline of a run is executed; the zero value is Prism.
type Engine struct {
	Runner      string
	Endpoint    string         // host:port of the job service
	Workers     string         // host:port of penstock worker, as every machine of the engine sees it
	Parallelism int            // slots that a stage may occupy; 0 leaves it to the engine
	Dashboard   string         // host:port of Flink's REST interface, which says why a job does not go on; may be empty
	Options     map[string]any // further options of the engine, by their names in Beam
}

// Remote reports whether other processes do the work.
func (on Engine) Remote() bool { return on.Runner != "" && on.Runner != Prism }

func insecureCredentials() credentials.TransportCredentials { return insecure.NewCredentials() }

// runPipeline runs the pipeline of nodes that are open to its end, without
// committing anything.
func runPipeline(ctx context.Context, e *graphs.Execution, name string, on Engine, version string) error {
	if on.Remote() {
		return runRemote(ctx, e, name, on, version)
	}
	s, err := inProcess(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	j, err := s.submit(ctx, name, e.Pipeline())
	if err != nil {
		return err
	}
	err = j.wait(ctx)
	if cause := e.Cause(); cause != nil {
		return cause
	}
	return err
}

// runRemote runs the pipeline on other processes and takes over what they counted.
func runRemote(ctx context.Context, e *graphs.Execution, name string, on Engine, version string) error {
	s, err := dial(ctx, on)
	if err != nil {
		return err
	}
	defer s.close()
	dashboard := flink.Dashboard(on.Dashboard)
	if err := dashboard.Ready(ctx, on.Parallelism); err != nil {
		return err
	}
	if err := e.Hand(); err != nil {
		return err
	}
	build, err := json.Marshal(worker.ThisBuild(version))
	if err != nil {
		return err
	}
	s.told = map[string]string{worker.OptionFolder: e.Work, worker.OptionBuild: string(build)}
	name = fmt.Sprintf("penstock-%s-%s", name, e.ID)
	j, err := s.submit(ctx, name, e.Pipeline())
	if err != nil {
		return err
	}
	watched, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go watch(watched, stop, e, func() error { return dashboard.Complaint(watched, name) })
	err = j.wait(watched)
	if failure := e.Failure(); failure != nil && ctx.Err() == nil {
		return failure
	}
	if err != nil {
		return lastLine(err)
	}
	return e.Settle()
}

// watchInterval is how often a run looks for what its workers complain of.
const watchInterval = 300 * time.Millisecond

// watch stops a run when a worker has failed: the engine may try again and again.
func watch(ctx context.Context, stop context.CancelCauseFunc, e *graphs.Execution, complaint func() error) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := e.Failure()
		if err == nil {
			err = complaint()
		}
		if err != nil {
			stop(err)
			return
		}
	}
}

// lastLine is what an engine's error of many lines ends with, without the names of
// Java's exceptions.
func lastLine(err error) error {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	for {
		name, rest, ok := strings.Cut(line, "Exception: ")
		if !ok || strings.Contains(name, " ") {
			return errors.New(line)
		}
		line = rest
	}
}
