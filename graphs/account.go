package graphs

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// counts is what a node counts while it runs. Every row that enters a node
// leaves it in one of three ways: in = passed + filtered + rejected.
type counts struct {
	whole                          *counts // that these are part of, nil if of none
	expected                       counter // rows a source expects, 0 if unknown
	in, passed, filtered, rejected counter
	worked                         counter   // rows whose result is there, if not yet sent on
	emitted                        []counter // records by output port
	busy                           counter   // nanoseconds with a row or more in the node's own code

	mutex   sync.Mutex
	classes map[string]*RejectClass
	inside  int // rows in the node's own code now
	since   time.Time
}

// counter is a count that is part of another, if that is set.
type counter struct {
	n     atomic.Int64
	whole *counter
}

// Add counts n more, for the whole too.
func (c *counter) Add(n int64) {
	for ; c != nil; c = c.whole {
		c.n.Add(n)
	}
}

// Load is the count.
func (c *counter) Load() int64 { return c.n.Load() }

// newCounts are the counts of a node with that many output ports, part of whole
// unless that is nil.
func newCounts(ports int, whole *counts) *counts {
	c := &counts{whole: whole, emitted: make([]counter, ports)}
	if whole == nil {
		return c
	}
	for i, part := range c.counters() {
		part.whole = whole.counters()[i]
	}
	return c
}

func (c *counts) counters() []*counter {
	all := []*counter{&c.expected, &c.in, &c.passed, &c.filtered, &c.rejected, &c.worked}
	for i := range c.emitted {
		all = append(all, &c.emitted[i])
	}
	return all
}

// maxExamples is the number of rejected rows that are kept for each class.
const maxExamples = 5

// RejectClass counts the rejected rows of a node that have one class, and the parts
// of rows.
type RejectClass struct {
	Class    string
	Rows     int64
	Examples []RejectExample
}

// RejectExample is a rejected row.
type RejectExample struct{ Row, Message string }

// enter and leave bracket the work on a row. Rows that are worked on, or wait,
// at the same time count once, so that a node is never busy for longer than the
// run.
func (c *counts) enter() {
	if c.whole != nil {
		c.whole.enter()
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.inside == 0 {
		c.since = time.Now()
	}
	c.inside++
}

func (c *counts) leave() {
	c.worked.Add(1)
	c.stop()
}

func (c *counts) stop() {
	if c.whole != nil {
		c.whole.stop()
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.inside--; c.inside == 0 {
		c.busy.Add(int64(time.Since(c.since)))
	}
}

// take counts a row that a gathering node took in.
func (c *counts) take(began time.Time) {
	c.in.Add(1)
	c.passed.Add(1)
	c.work(time.Since(began))
}

// work counts time in the node's own code.
func (c *counts) work(d time.Duration) {
	for ; c != nil; c = c.whole {
		c.busy.Add(int64(d))
	}
}

// reject counts what is refused by its class.
func (c *counts) reject(r *transforms.Rejected) {
	c.addClass(RejectClass{r.Class, 1, []RejectExample{{r.Record.ID.String(), r.Err}}})
}

func (c *counts) addClass(more RejectClass) {
	if c.whole != nil {
		c.whole.addClass(more)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.classes == nil {
		c.classes = map[string]*RejectClass{}
	}
	class := c.classes[more.Class]
	if class == nil {
		class = &RejectClass{Class: more.Class}
		c.classes[more.Class] = class
	}
	class.Rows += more.Rows
	room := maxExamples - len(class.Examples)
	class.Examples = append(class.Examples, more.Examples[:min(room, len(more.Examples))]...)
}

// NodeCounts are the figures of a node at one moment.
type NodeCounts struct {
	Node, Kind, Role               string
	Expected                       int64 // rows a source expects, 0 if unknown
	In, Passed, Filtered, Rejected int64
	Worked                         int64            // rows whose result is there; a few more than In while a window waits for an older row
	Emitted                        map[string]int64 // records by output port
	Busy                           time.Duration    // with a row or more in the node's own code
	Rejects                        []RejectClass    // by falling number of rows
}

// Counts are the figures of all nodes, in the order of the plan. It may be
// called while the pipeline runs.
func (e *Execution) Counts() []NodeCounts {
	if e.Remote && !e.settled.Load() {
		return e.remoteCounts()
	}
	return e.localCounts()
}

func (e *Execution) localCounts() []NodeCounts {
	all := make([]NodeCounts, 0, len(e.plan.Nodes))
	for _, n := range e.plan.Nodes {
		all = append(all, e.nodes[n.Name].snapshot())
	}
	return all
}

func (l *live) snapshot() NodeCounts {
	c := l.counts
	n := NodeCounts{
		Node: l.Name, Kind: l.Kind.Name, Role: l.Role(),
		Expected: c.expected.Load(),
		In:       c.in.Load(), Passed: c.passed.Load(), Filtered: c.filtered.Load(), Rejected: c.rejected.Load(),
		Worked:  c.worked.Load(),
		Emitted: map[string]int64{},
		Busy:    time.Duration(c.busy.Load()),
	}
	for i, port := range l.Kind.Outputs {
		n.Emitted[port] = c.emitted[i].Load()
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, class := range c.classes {
		copied := *class
		copied.Examples = slices.Clone(class.Examples)
		n.Rejects = append(n.Rejects, copied)
	}
	slices.SortFunc(n.Rejects, func(a, b RejectClass) int {
		if a.Rows != b.Rows {
			return int(b.Rows - a.Rows)
		}
		if a.Class < b.Class {
			return -1
		}
		return 1
	})
	return n
}

// Balance checks the accounts of a finished run: at every node the rows that
// came in are those that passed, were filtered or were rejected; along every
// edge as many records arrive as were sent; and no node rejected more than the
// graph allows.
func (e *Execution) Balance() error {
	for _, n := range e.plan.Nodes {
		c := e.nodes[n.Name].snapshot()
		if c.In != c.Passed+c.Filtered+c.Rejected {
			return &NodeError{Node: n.Name, Err: fmt.Errorf("accounts do not balance: %d rows in, but %d passed + %d filtered + %d rejected", c.In, c.Passed, c.Filtered, c.Rejected)}
		}
		var sent int64
		for _, in := range n.Inputs {
			from := e.nodes[in.From.Node]
			sent += from.counts.emitted[from.port(in.From.Port)].Load()
		}
		if len(n.Inputs) > 0 && sent != c.In {
			return &NodeError{Node: n.Name, Err: fmt.Errorf("accounts do not balance: %d records were sent to it, %d arrived", sent, c.In)}
		}
		if err := e.checkBudget(c); err != nil {
			return err
		}
	}
	return nil
}

func (e *Execution) checkBudget(c NodeCounts) error {
	limit := e.plan.Graph.Run.MaxRejects
	if c.In == 0 || float64(c.Rejected) <= limit*float64(c.In) || e.plan.Stream() { // a stream has dead letters
		return nil
	}
	why := ""
	for i, class := range c.Rejects[:min(3, len(c.Rejects))] {
		if i > 0 {
			why += "; "
		}
		why += fmt.Sprintf("%d %s, such as row %s: %s", class.Rows, class.Class, class.Examples[0].Row, class.Examples[0].Message)
	}
	return &NodeError{Node: c.Node, Err: fmt.Errorf("%d of %d rows rejected, more than run.maxRejects %g allows: %s", c.Rejected, c.In, limit, why)}
}

// samples keeps the first records of every output port.
type samples struct {
	limit int
	mutex sync.Mutex
	full  atomic.Int64 // ports that have all their samples
	ports [][]*data.Record
}

func (s *samples) init(limit int, ports []string) {
	s.limit = limit
	s.ports = make([][]*data.Record, len(ports))
}

func (l *live) sample(port int, r *data.Record) {
	s := &l.samples
	if s.limit == 0 || s.full.Load() == int64(len(s.ports)) {
		return
	}
	s.mutex.Lock()
	kept := s.ports[port]
	if len(kept) < s.limit {
		s.ports[port] = append(kept, r)
	}
	full := len(kept)+1 == s.limit
	s.mutex.Unlock()
	if full {
		s.full.Add(1)
		if l.execution.Sampled != nil {
			l.execution.Sampled(PortRef{Node: l.Name, Port: l.Kind.Outputs[port]})
		}
	}
}

// Samples are the first records that left an output port, by arrival.
func (e *Execution) Samples(ref PortRef) []*data.Record {
	l, ok := e.nodes[ref.Node]
	if !ok || l.port(ref.Port) < 0 {
		return nil
	}
	if len(l.told) > 0 {
		return l.toldSamples(ref.Port)
	}
	l.samples.mutex.Lock()
	defer l.samples.mutex.Unlock()
	return slices.Clone(l.samples.ports[l.port(ref.Port)])
}
