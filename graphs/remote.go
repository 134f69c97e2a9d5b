package graphs

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"penstock.dev/data/commit"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// A run whose work other processes do has these files in its folder besides the
// accounts, which all of them must see under the same name.
const (
	chargeName   = "charge.json"   // what there is to do
	failureName  = "failure.json"  // the first error of a worker
	presenceName = "presence"      // changes as long as the submitting process lives
	progressName = "progress-"     // of a worker, by its name
	presenceBeat = 2 * time.Second // how often presence and progress are written
	goneAfter    = 40 * time.Second
)

// charge is what another process needs to take part in a run.
type charge struct {
	Options Options
	Graph   *specs.Graph
	Folder  string                           // where the run was started: relative paths of the graph begin there
	Owner   string                           // mark of the submitting process, which the temporary files bear
	Models  map[string][]transforms.ModelUse // by node
}

// checkRemote refuses what other processes cannot do.
func checkRemote(p *Plan) error {
	if p.Stream() {
		return fmt.Errorf("graph %s: a stream runs in one process (--runner prism, or penstock serve)", p.Graph.Name)
	}
	for _, n := range p.Nodes {
		if _, streams := n.Impl.(transforms.StreamSink); streams {
			return fmt.Errorf("graph %s: node %s: %s stores rows as they come, and a cluster may work on a row twice (write a file, and publish that with --runner prism)", p.Graph.Name, n.Name, n.Kind.Name)
		}
	}
	return nil
}

// Hand leaves the charge for other processes and keeps telling them that this one
// lives, until the run is closed. It is called when the nodes are open.
func (e *Execution) Hand() error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}
	graph := *e.plan.Graph
	graph.Source, graph.Files = nil, nil
	c := charge{e.Options, &graph, folder, commit.OwnerMark(), map[string][]transforms.ModelUse{}}
	for _, n := range e.plan.Nodes {
		c.Models[n.Name] = modelsOf(n)
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(e.Work, chargeName), b); err != nil {
		return err
	}
	e.keep(func(beat int) {
		writeWhole(filepath.Join(e.Work, presenceName), fmt.Append(nil, beat))
	})
	return nil
}

// keep does something now and then until the run is closed.
func (e *Execution) keep(do func(beat int)) {
	do(0)
	e.background.Go(func() {
		tick := time.NewTicker(presenceBeat)
		defer tick.Stop()
		for beat := 1; ; beat++ {
			select {
			case <-e.closed:
				return
			case <-tick.C:
				do(beat)
			}
		}
	})
}

func modelsOf(n *PlanNode) []transforms.ModelUse {
	if m, ok := n.Impl.(transforms.Modelled); ok {
		return m.Models()
	}
	return nil
}

// joined holds the runs that this process takes part in, by folder.
var joined sync.Map

// Join takes part in a run of another process: the nodes are made from what that
// left in the run's folder, once a process, and each opened when it is first needed,
// for an engine may give every stage other processes. This process then works in the
// folder where the run was started. An error is left for the submitting process too,
// if the folder can be written to.
func Join(folder string) error {
	_, err := join(folder)
	return err
}

func join(folder string) (*Execution, error) {
	once, _ := joined.LoadOrStore(folder, sync.OnceValues(func() (*Execution, error) {
		e, err := takePart(folder)
		if err != nil {
			err = fmt.Errorf("worker %s: %w", workerName(), err)
			Fail(folder, err)
		}
		return e, err
	}))
	return once.(func() (*Execution, error))()
}

func takePart(folder string) (*Execution, error) {
	b, err := os.ReadFile(filepath.Join(folder, chargeName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the run's folder %s is not there (--work must be a folder that all machines share, under one name)", folder)
	}
	if err != nil {
		return nil, err
	}
	var c charge
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, chargeName), err)
	}
	if err := failureIn(folder); err != nil { // the engine tries again what is given up
		return nil, err
	}
	if err := os.Chdir(c.Folder); err != nil {
		return nil, fmt.Errorf("the folder where the run was started is not there: %w", err)
	}
	commit.ActFor(c.Owner)
	p, ds := NewPlan(c.Graph)
	if ds.Failed() {
		return nil, errors.New(strings.ReplaceAll(ds.Error(), "\n", "; "))
	}
	e, err := newExecution(context.Background(), p, c.Options)
	if err != nil {
		return nil, err
	}
	e.worker = workerName()
	for _, n := range p.Nodes {
		l := e.nodes[n.Name]
		l.ready = sync.OnceValue(func() error { return l.openAs(c.Models[n.Name]) })
	}
	e.attend()
	return e, nil
}

// openAs opens a node of a worker, whose models must be those that the run began
// with.
func (l *live) openAs(models []transforms.ModelUse) error {
	err := l.open()
	if err == nil {
		err = sameModels(models, modelsOf(l.PlanNode))
	}
	if err != nil {
		return l.execution.fail(&NodeError{Node: l.Name, Err: fmt.Errorf("worker %s: %w", l.execution.worker, err)})
	}
	return nil
}

// sameModels compares the models of a worker with those that the run began with.
func sameModels(want, have []transforms.ModelUse) error {
	for i, m := range want {
		if i >= len(have) || have[i].Hash != m.Hash {
			return fmt.Errorf("model %s is not the one that the run began with (its hash differs from %.12s…)", m.Ref, m.Hash)
		}
	}
	return nil
}

// workerName names this process: host~pid.
func workerName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s~%d", host, os.Getpid())
}

// attend tells the submitting process how far this one is, and ends the work when
// that one is gone: nobody would commit what is made.
func (e *Execution) attend() {
	path := filepath.Join(e.Work, progressName+e.worker+".json")
	seen, since := "", time.Now()
	e.keep(func(int) {
		if b, err := json.Marshal(e.localCounts()); err == nil {
			writeWhole(path, b)
		}
		beat, err := os.ReadFile(filepath.Join(e.Work, presenceName))
		if now := string(beat); err == nil && now != seen {
			seen, since = now, time.Now()
		}
		if time.Since(since) > goneAfter {
			e.fail(&NodeError{Node: accountsNode, Err: fmt.Errorf("the process that submitted the run has not been heard of for %v", goneAfter)})
		}
	})
}

// failure is how an error crosses from a worker to the submitting process.
type failure struct{ Node, Row, Message string }

// Fail leaves an error for the process that submitted a run, unless there is one.
func Fail(folder string, err error) {
	f := failure{Message: err.Error()}
	if n, ok := err.(*NodeError); ok {
		f = failure{n.Node, n.Row, n.Err.Error()}
	}
	path := filepath.Join(folder, failureName)
	if _, err := os.Stat(path); err == nil {
		return
	}
	if b, err := json.Marshal(f); err == nil {
		writeWhole(path, b) // without the folder nobody is there to be told
	}
}

// Failure is the first error that a worker left, nil if none did.
func (e *Execution) Failure() error { return failureIn(e.Work) }

func failureIn(folder string) error {
	b, err := os.ReadFile(filepath.Join(folder, failureName))
	if err != nil {
		return nil
	}
	var f failure
	if json.Unmarshal(b, &f) != nil {
		return nil
	}
	if f.Node == "" {
		return errors.New(f.Message)
	}
	return &NodeError{f.Node, f.Row, errors.New(f.Message)}
}

// remoteCounts adds up how far the workers are. While some of them do work again
// that was lost, it is too much.
func (e *Execution) remoteCounts() []NodeCounts {
	totals := map[string]*counts{}
	for _, n := range e.plan.Nodes {
		totals[n.Name] = newCounts(len(n.Kind.Outputs), nil)
	}
	paths, _ := fs.Glob(os.DirFS(e.Work), progressName+"*")
	for _, path := range paths {
		var some []NodeCounts
		if b, err := os.ReadFile(filepath.Join(e.Work, path)); err != nil || json.Unmarshal(b, &some) != nil {
			continue
		}
		for _, c := range some {
			if n, ok := e.plan.Node(c.Node); ok {
				totals[c.Node].absorb(c, n.Kind.Outputs)
			}
		}
	}
	var all []NodeCounts
	for _, n := range e.plan.Nodes {
		l := *e.nodes[n.Name]
		l.counts = totals[n.Name]
		all = append(all, l.snapshot())
	}
	return all
}

// cut notes that a split begins at an order, for records of other splits may come
// before it in a bundle, and others after.
func (e *Execution) cut(order int64) {
	if !e.Remote {
		return
	}
	e.cutting.Lock()
	defer e.cutting.Unlock()
	if i, known := slices.BinarySearch(e.cuts, order); !known {
		e.cuts = slices.Insert(e.cuts, i, order)
	}
}

// parted reports whether records of those orders, one after the other, are of two
// splits.
func (e *Execution) parted(a, b int64) bool {
	if !e.Remote {
		return false
	}
	e.cutting.Lock()
	defer e.cutting.Unlock()
	i, _ := slices.BinarySearch(e.cuts, a+1)
	return b < a || i < len(e.cuts) && e.cuts[i] <= b
}

// attempt is a new name for a temporary file of the node, which no other process
// gives.
func (l *live) attempt() string {
	name := fmt.Sprintf("%s-%d", l.Name, l.attempts.Add(1))
	if l.execution.Remote {
		name += "-" + processToken
	}
	return name
}

// processToken tells this process from every other, whatever its number.
var processToken = rand.Text()[:10]

// writeWhole writes a file that others see whole or not at all.
func writeWhole(path string, b []byte) error {
	temp := path + "." + processToken
	if err := os.WriteFile(temp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
