package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"penstock.dev/graphs"
	"penstock.dev/runners"
)

// keeper keeps one graph running.
type keeper struct {
	path, name string
	options    Options
	reload     chan struct{} // holds one request to load the graph again
	watch      watch
	folders    []string // of runs, oldest first

	mutex     sync.Mutex
	plan      *graphs.Plan       // the next to run
	another   bool               // that it has not run yet and is not the first
	execution *graphs.Execution  // that runs, nil if none does
	drain     context.CancelFunc // ends it
	failure   error              // why none does
	changes   chan struct{}      // closed when the plan was replaced; nil if nobody waits
	before    figures            // counters of the pipelines that ended
	settled   int64              // events, by the pipelines that ended
	restarts  int64              // after failures
	reloads   int64
	refused   int64 // graphs that were to be loaded and are not sound
}

// maxFolders is the number of a graph's runs whose reports are kept.
const maxFolders = 20

// stampInterval is how often a graph's files are looked at for a change.
const stampInterval = time.Second

func newKeeper(path string, plan *graphs.Plan, o Options) *keeper {
	return &keeper{path: path, name: plan.Graph.Name, plan: plan, options: o, reload: make(chan struct{}, 1), watch: watch{progress: time.Now()}}
}

// keep runs the graph until ctx ends. The error says what was not drained.
func (k *keeper) keep(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { k.watchFiles(watching) })
	watchers.Go(func() { k.watchStream(watching) })
	defer watchers.Wait()
	defer stop()
	wait := k.options.FirstWait
	for {
		began := time.Now()
		asked, err := k.runOnce(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return fmt.Errorf("graph %s: %w", k.name, err)
		case ctx.Err() != nil:
			return nil
		case asked && err == nil: // to begin anew with another graph
			wait = k.options.FirstWait
			continue
		case time.Since(began) > k.options.MostWait:
			wait = k.options.FirstWait
		}
		if err == nil {
			err = errors.New("the stream ended by itself")
		}
		k.options.Log.Error("the pipeline failed", "graph", k.name, "error", oneLine(err), "again_in", wait.String())
		k.failed(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		case <-k.changed():
		}
		wait = min(2*wait, k.options.MostWait)
	}
}

// runOnce runs the plan there is. asked reports that it ended for want of another.
func (k *keeper) runOnce(ctx context.Context) (asked bool, err error) {
	running, drain := context.WithCancel(ctx)
	defer drain()
	plan, err := k.begin(drain)
	if err != nil {
		return false, err
	}
	o := k.options.Run
	o.Log = k.options.Log
	o.Watch = func(e *graphs.Execution) func() {
		k.set(e)
		k.options.Log.Info("the pipeline starts", "graph", k.name)
		return func() {}
	}
	result, err := runners.Run(running, plan, o)
	if err != nil {
		k.ended(nil)
		return false, err
	}
	k.ended(result.Execution)
	k.account(result)
	return running.Err() != nil && ctx.Err() == nil, result.Err
}

// begin is the plan to run now, fresh, for its nodes serve one run.
func (k *keeper) begin(drain context.CancelFunc) (*graphs.Plan, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	plan, ds := graphs.NewPlan(k.plan.Graph)
	if ds.Failed() {
		return nil, fmt.Errorf("the graph is no longer sound: %s", ds[0])
	}
	k.drain = drain
	if k.another {
		k.another = false
		k.reloads++
	}
	return plan, nil
}

func (k *keeper) set(e *graphs.Execution) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.execution, k.failure = e, nil
}

// ended adds the counters of a pipeline to those before it.
func (k *keeper) ended(e *graphs.Execution) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.execution, k.drain = nil, nil
	if e != nil {
		k.before.add(figuresOf(k.name, e))
		k.settled += settled(e)
	}
}

func (k *keeper) failed(err error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.failure = err
	k.restarts++
}

// account keeps what is to be told of a run that took events, for the last runs.
func (k *keeper) account(r *runners.Result) {
	c := r.Execution.Events()
	k.options.Log.Info("the pipeline ended", "graph", k.name, "received", c.Received, "acknowledged", c.Acknowledged, "dead_letters", c.DeadLetters)
	if c.Received == 0 {
		os.RemoveAll(r.Folder)
		return
	}
	if k.options.Ended != nil {
		if err := k.options.Ended(r); err != nil {
			k.options.Log.Warn("no report", "graph", k.name, "error", err)
		}
	}
	k.folders = append(k.folders, r.Folder)
	if len(k.folders) > maxFolders {
		os.RemoveAll(k.folders[0])
		k.folders = k.folders[1:]
	}
}

// askReload asks the keeper to load its graph again.
func (k *keeper) askReload() {
	select {
	case k.reload <- struct{}{}:
	default: // it was asked already
	}
}

// watchFiles loads the graph again when it is asked to or a file has changed.
func (k *keeper) watchFiles(ctx context.Context) {
	seen := stamp(k.path)
	tick := time.NewTicker(stampInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.reload:
		case <-tick.C:
			now := stamp(k.path)
			if now == seen {
				continue
			}
			seen = now
		}
		k.load()
	}
}

// load takes the graph as it is now over, if it is sound, and drains the one that
// runs; otherwise that goes on.
func (k *keeper) load() {
	plan, err := k.options.Load(k.path)
	switch {
	case err != nil:
	case !plan.Stream():
		err = fmt.Errorf("%s: the graph is a batch now", k.path)
	case plan.Graph.Name != k.name:
		err = fmt.Errorf("%s: the graph is called %s now (start again to serve a graph of another name)", k.path, plan.Graph.Name)
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if err != nil {
		k.refused++
		k.options.Log.Error("the changed graph is not taken over, the one before goes on", "graph", k.name, "error", oneLine(err))
		return
	}
	k.options.Log.Info("the graph was loaded again", "graph", k.name)
	k.plan, k.another = plan, true
	if k.drain != nil {
		k.drain()
	}
	if k.changes != nil {
		close(k.changes)
		k.changes = nil
	}
}

// changed is closed when another graph is there to run.
func (k *keeper) changed() <-chan struct{} {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.changes == nil {
		k.changes = make(chan struct{})
	}
	return k.changes
}

// stamp changes when the file of a graph or a CUE file beside it does.
func stamp(path string) string {
	folder := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		folder = filepath.Dir(path)
	}
	var b strings.Builder
	entries, _ := os.ReadDir(folder) // one that is gone is no change to take over
	for _, e := range entries {
		if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".cue" {
			fmt.Fprintf(&b, "%s %d %d\n", e.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// oneLine is an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
