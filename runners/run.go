package runners

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"penstock.dev/data/commit"
	"penstock.dev/graphs"
	"penstock.dev/transforms"
)

// Options say how a graph is run and where the run is told of.
type Options struct {
	Work       string            // folder that keeps the runs
	Limit      int64             // rows that each source reads; 0 reads all
	Samples    int               // records kept of every output port
	DryRun     bool              // read and compute, write nothing
	Parameters map[string]string // what the user set with -t
	Command    []string          // the command line, for the report
	Version    string
	Log        *slog.Logger
	Engine     Engine
	// Watch, if set, is called once the run is laid out, with what it counts;
	// what it returns is called when the pipeline has ended.
	Watch func(*graphs.Execution) (stop func())
}

// Result says how a run went.
type Result struct {
	ID         string
	Folder     string // what the run left: counts, report
	Plan       *graphs.Plan
	Options    Options
	Started    time.Time
	Duration   time.Duration
	Provenance map[string]string
	Counts     []graphs.NodeCounts
	Execution  *graphs.Execution
	Err        error // why the run failed, nil if it did not
}

// ErrInterrupted is the cause of a run that was asked to stop.
var ErrInterrupted = errors.New("interrupted: nothing was written")

// drainGrace is how long a stream that was asked to end may take to see to the
// events in flight.
const drainGrace = 30 * time.Second

var errUndrained = fmt.Errorf("not all events in flight were seen to within %v: those come again", drainGrace)

// Run executes a plan, to its end or until ctx ends: a batch is then interrupted, a
// stream drained. The error is about the run's surroundings; a run that
// failed is a result with Err set.
func Run(ctx context.Context, plan *graphs.Plan, o Options) (*Result, error) {
	if plan.Stream() && o.DryRun {
		return nil, fmt.Errorf("graph %s: a dry run of a stream would take its events (run it on a batch: a graph with another source)", plan.Graph.Name)
	}
	if o.Engine.Remote() { // other processes have other working folders
		var err error
		if o.Work, err = filepath.Abs(o.Work); err != nil {
			return nil, err
		}
	}
	r := &Result{Plan: plan, Options: o, Started: time.Now()}
	r.ID = r.Started.UTC().Format(IDTime) + "-" + strings.ToLower(rand.Text()[:6])
	r.Folder = filepath.Join(o.Work, "runs", plan.Graph.Name, r.ID)
	if err := os.MkdirAll(r.Folder, 0o755); err != nil {
		return nil, err
	}
	if err := r.saveGraph(); err != nil {
		return nil, err
	}
	sweep(o.Work)
	initBeam(o.Log)
	r.Provenance = provenance(plan, o)
	asked := ctx
	if plan.Stream() { // to end is no reason to drop what is in flight
		var stop context.CancelCauseFunc
		ctx, stop = context.WithCancelCause(context.WithoutCancel(ctx))
		defer stop(nil)
		defer context.AfterFunc(asked, func() { time.AfterFunc(drainGrace, func() { stop(errUndrained) }) })()
	}
	e, err := graphs.NewExecution(ctx, plan, graphs.Options{
		ID: r.ID, Work: r.Folder, State: o.Work, Limit: o.Limit, KeepSamples: o.Samples, NoSinks: o.DryRun, Dry: o.DryRun, Provenance: r.Provenance, Remote: o.Engine.Remote(),
	})
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(asked, e.Drain)()
	r.Execution = e
	if r.Err = r.execute(ctx, e); r.Err != nil {
		if err := e.Discard(); err != nil {
			o.Log.Warn("temporary files are left", "error", err)
		}
	}
	r.Duration = time.Since(r.Started)
	r.Counts = e.Counts()
	if err := e.Close(); err != nil && r.Err == nil {
		r.Err = err
	}
	return r, nil
}

// Files of a run's folder.
const (
	GraphFile   = "graph.json" // the graph as evaluated, written before anything runs
	AccountFile = "run.json"   // how the run went
)

// IDTime is the layout of the time, in UTC, that the id of a run begins with.
const IDTime = "20060102-150405"

// saveGraph leaves the graph in the run's folder.
func (r *Result) saveGraph() error {
	text, err := r.Plan.Graph.JSON()
	if err != nil {
		return err
	}
	_, err = r.Save(GraphFile, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	return err
}

// sweep removes the rows that runs which were killed had on disk.
func sweep(work string) {
	files := os.DirFS(work) // so that brackets in its name are no pattern
	left, _ := fs.Glob(files, "runs/*/*/spill~*")
	for _, folder := range left {
		if commit.OwnerIsGone(path.Base(folder)) {
			os.RemoveAll(filepath.Join(work, filepath.FromSlash(folder)))
		}
	}
}

// execute runs the pipeline and commits.
func (r *Result) execute(ctx context.Context, e *graphs.Execution) error {
	if r.Options.Watch != nil {
		stop := r.Options.Watch(e)
		defer stop()
	}
	err := e.Open()
	if err == nil {
		addModels(r.Provenance, r.Plan) // before any file is begun
		err = runPipeline(ctx, e, r.Plan.Graph.Name, r.Options.Engine, r.Options.Version)
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if ctx.Err() != nil {
		return interrupted(ctx, ErrInterrupted)
	}
	if r.Plan.Stream() {
		return e.Commit(ctx)
	}
	return e.Commit(context.WithoutCancel(ctx)) // once begun, it is seen through
}

// interrupted tells a run that was asked to stop from one that failed.
func interrupted(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) == errUndrained:
		return errUndrained
	case ctx.Err() != nil:
		return ErrInterrupted
	}
	return err
}

// Outputs are the paths that the sinks wrote, in the order of the plan.
func (r *Result) Outputs() []string {
	var paths []string
	for _, n := range r.Plan.Nodes {
		if n.Role() == "sink" {
			paths = append(paths, n.Destination())
		}
	}
	return paths
}

// Models lists the models that the run used.
func (r *Result) Models() []transforms.ModelUse { return models(r.Plan) }

// Save writes a file into the run's folder and returns its path.
func (r *Result) Save(name string, write func(io.Writer) error) (string, error) {
	path := filepath.Join(r.Folder, name)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return path, nil
}

// SaveJSON writes a value as JSON into the run's folder.
func (r *Result) SaveJSON(name string, v any) (string, error) {
	return r.Save(name, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}
