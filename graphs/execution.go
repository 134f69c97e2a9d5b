package graphs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/transforms"
)

// Execution is one run of a plan in this process. The DoFns of its pipeline
// find it by ID, so that they share the nodes, the counters and the first error.
type Execution struct {
	Options
	plan  *Plan
	nodes map[string]*live
	ctx   context.Context
	stop  context.CancelFunc
	cause atomic.Pointer[NodeError]

	draining atomic.Bool          // a stream is to end
	source   atomic.Pointer[live] // of a stream, once it is connected

	worker     string           // this process, if it works for another
	workers    map[string]int64 // processes that worked for this one, with their rows
	settled    atomic.Bool      // what they did is taken over
	serial     atomic.Int64     // of statements
	closed     chan struct{}
	background sync.WaitGroup
	cutting    sync.Mutex
	cuts       []int64 // orders at which splits begin, sorted
}

// Options say how a plan is run.
type Options struct {
	ID   string // unique; names temporary files
	Work string // folder for what the run keeps to itself; it must exist
	// State is the folder for what outlives the run, such as the streams of an
	// embedded server.
	State string
	// Limit bounds the rows that each source reads; 0 reads all. A stream ends with
	// the batch of events that reaches it.
	Limit int64
	// KeepSamples is the number of records kept of every output port.
	KeepSamples int
	// NoSinks counts what reaches the sinks and writes nothing.
	NoSinks bool
	// Dry says that nothing is to be paid for either.
	Dry bool
	// Provenance goes into the metadata of every output.
	Provenance map[string]string
	// Remote says that other processes do the work, which share the folders: they
	// find in Work what to do.
	Remote bool
	// Sampled is called, if set, when a port has its full number of samples.
	Sampled func(PortRef) `json:"-"`
}

// NodeError says where a run failed.
type NodeError struct {
	Node string
	Row  string // id of the row, empty if the error is no row's
	Err  error
}

func (e *NodeError) Error() string {
	if e.Row == "" {
		return fmt.Sprintf("node %s: %v", e.Node, e.Err)
	}
	return fmt.Sprintf("node %s: row %s: %v", e.Node, e.Row, e.Err)
}

func (e *NodeError) Unwrap() error { return e.Err }

// executions holds the runs of this process for the DoFns to find.
var executions sync.Map

// NewExecution prepares a run: it opens nothing yet. Close must be called.
func NewExecution(ctx context.Context, p *Plan, o Options) (*Execution, error) {
	e, err := newExecution(ctx, p, o)
	if err != nil || o.Remote { // its DoFns do as in another process, even in this one
		return e, err
	}
	if _, taken := executions.LoadOrStore(e.ID, e); taken {
		return nil, fmt.Errorf("a run with id %s is under way", e.ID)
	}
	return e, nil
}

func newExecution(ctx context.Context, p *Plan, o Options) (*Execution, error) {
	if o.Remote {
		if err := checkRemote(p); err != nil {
			return nil, err
		}
	}
	e := &Execution{Options: o, plan: p, nodes: map[string]*live{}, workers: map[string]int64{}, closed: make(chan struct{})}
	e.ctx, e.stop = context.WithCancel(ctx)
	order := map[string]int64{}
	for i, name := range p.sources() {
		order[name] = int64(i) << sourceShift
	}
	for _, n := range p.Nodes {
		l := newLive(e, n)
		l.order = order[n.Name]
		e.nodes[n.Name] = l
		if n.KeepsRejects() {
			kept, err := newRejectKeeper(e, n)
			if err != nil {
				return nil, err
			}
			e.nodes[rejectsOf(n.Name)] = kept
		}
		for _, port := range n.Outputs {
			data.Know(port.Schema)
		}
	}
	if o.Remote {
		e.nodes[accountsNode] = newAccounts(e)
	}
	return e, nil
}

// sourceShift leaves 2^56 rows to each source and 127 sources to a graph.
const sourceShift = 56

// lookup finds a node of a run for a DoFn.
func lookup(p *place) (*live, error) {
	e, err := find(p)
	if err != nil {
		return nil, err
	}
	l, ok := e.nodes[p.Node]
	if !ok {
		return nil, fmt.Errorf("run %s has no node %s", p.Execution, p.Node)
	}
	if l.ready != nil {
		return l, l.ready()
	}
	return l, nil
}

func find(p *place) (*Execution, error) {
	if p.Folder != "" {
		return join(p.Folder)
	}
	e, ok := executions.Load(p.Execution)
	if !ok {
		return nil, fmt.Errorf("run %s is not in this process", p.Execution)
	}
	return e.(*Execution), nil
}

// Open readies the nodes that need something before the first row: models are
// loaded here, so that a missing file fails before anything is read.
func (e *Execution) Open() error {
	for _, n := range e.plan.Nodes {
		if err := e.nodes[n.Name].open(); err != nil {
			return &NodeError{Node: n.Name, Err: err}
		}
	}
	return e.openStreams()
}

func (l *live) open() error {
	switch o := l.Impl.(type) {
	case transforms.Opener:
		return o.Open(l.execution.ctx)
	case transforms.Keeper:
		return o.Open(l.execution.ctx, l.run())
	}
	return nil
}

// Close releases what the nodes hold, rows on disk too. The execution's figures stay readable.
func (e *Execution) Close() error {
	e.stop()
	close(e.closed)
	e.background.Wait()
	if !e.Remote {
		executions.Delete(e.ID)
	}
	errs := []error{os.RemoveAll(e.spillFolder())}
	for _, n := range e.plan.Nodes {
		if err := e.nodes[n.Name].closeStreams(); err != nil {
			errs = append(errs, &NodeError{Node: n.Name, Err: err})
		}
		if c, ok := n.Impl.(transforms.Closer); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, &NodeError{Node: n.Name, Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// Cause is the first error of a node, nil if none failed.
func (e *Execution) Cause() error {
	if err := e.cause.Load(); err != nil {
		return err
	}
	return nil
}

// fail notes the first error and stops the work of every node.
func (e *Execution) fail(err *NodeError) error {
	if e.cause.CompareAndSwap(nil, err) && e.worker != "" {
		Fail(e.Work, err)
	}
	e.stop()
	return err
}

// Commit puts the outputs of all sinks in place, after the pipeline is done and
// the accounting balances: a run that fails leaves every previous output as it
// was. Rejects are committed even when there are more than the graph allows, for
// they are what tells why.
func (e *Execution) Commit(ctx context.Context) error {
	var kept []*live
	for _, n := range e.plan.Nodes {
		if l, ok := e.nodes[rejectsOf(n.Name)]; ok {
			kept = append(kept, l)
		}
	}
	for _, l := range kept {
		if err := l.commit(ctx); err != nil {
			return err
		}
	}
	if err := e.finishStreams(ctx); err != nil {
		return err
	}
	if err := e.Balance(); err != nil {
		return err
	}
	for _, n := range e.plan.Nodes {
		if _, ok := n.Impl.(transforms.Sink); ok {
			if err := e.nodes[n.Name].commit(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Discard removes what the sinks of a run that failed left under temporary names.
func (e *Execution) Discard() error {
	if e.NoSinks {
		return nil
	}
	var errs []error
	for _, n := range e.plan.Nodes {
		for _, name := range []string{n.Name, rejectsOf(n.Name)} {
			if l, ok := e.nodes[name]; ok {
				if sink, ok := l.Impl.(transforms.Sink); ok {
					errs = append(errs, sink.Discard(l.run()))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// spillFolder holds the rows that nodes keep on disk; its name tells whose it is.
func (e *Execution) spillFolder() string {
	return filepath.Join(e.Work, "spill"+commit.OwnerMark())
}

// spillPath is the path of a file in the spill folder.
func (e *Execution) spillPath(name string) string {
	return filepath.Join(e.spillFolder(), e.ID+"-"+name)
}
