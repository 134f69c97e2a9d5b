package graphs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"penstock.dev/data"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// statement is what a bundle adds to the accounts of a run, where other processes
// do the work. It travels with the records, so that a bundle which is tried again
// counts once, whatever the runner does.
type statement struct {
	Worker string
	Counts NodeCounts
	Shards []transforms.Shard `json:",omitempty"` // of a sink that is complete
	Told   told
}

// told is what a node of another process has to tell, beyond counts.
type told struct {
	Serial     int64 // grows from one statement to the next of a process
	Evaluation *transforms.Evaluation
	Metrics    []transforms.Metric
	Cautions   []string
	Summary    []string
	Samples    map[string][][]byte // encoded records by port
}

// tell is what there is to tell of the node in this process.
func (l *live) tell() told {
	t := told{Serial: l.execution.serial.Add(1)}
	if n, ok := l.Impl.(transforms.Evaluator); ok {
		t.Evaluation = n.Evaluation()
	}
	if n, ok := l.Impl.(transforms.Metered); ok {
		t.Metrics = n.Metrics()
	}
	if n, ok := l.Impl.(transforms.Cautioned); ok {
		t.Cautions = n.Cautions()
	}
	if n, ok := l.Impl.(transforms.Summarised); ok {
		t.Summary = n.Summary()
	}
	return t
}

// encodedSamples are the samples of the node by port.
func (l *live) encodedSamples() map[string][][]byte {
	encoded := map[string][][]byte{}
	l.samples.mutex.Lock()
	defer l.samples.mutex.Unlock()
	for i, port := range l.Kind.Outputs {
		for _, r := range l.samples.ports[i] {
			encoded[port] = append(encoded[port], data.EncodeRecord(r))
		}
	}
	return encoded
}

// statement is that of a bundle as JSON; none if the counts are this process's own
// affair.
func (l *live) statement() ([]byte, error) {
	if !l.execution.Remote {
		return nil, nil
	}
	s := statement{Worker: l.execution.worker, Counts: l.snapshot(), Told: l.tell()}
	s.Told.Samples = l.encodedSamples()
	l.mutex.Lock()
	s.Shards = l.shards
	l.mutex.Unlock()
	return json.Marshal(s)
}

// state sends the statement of a bundle on its way, through a port that no kind has.
func (l *live) state(out emitter) error {
	b, err := l.statement()
	if err == nil {
		sendStatement(out, b)
	}
	return err
}

// statementSchema is that of the records which carry statements.
var statementSchema = data.MustSchema(data.Field{Name: "statement", Type: data.BytesType})

func init() {
	data.Know(splitSchema)
	data.Know(statementSchema)
}

func sendStatement(out emitter, b []byte) {
	if len(b) > 0 {
		out(&data.Record{Schema: statementSchema, Values: []data.Value{data.BytesValue(b)}})
	}
}

// gathered is the element of a gathering DoFn.
type gathered struct {
	statement []byte
	content   []byte
}

func (g gathered) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(g.statement)))
	return append(append(b, g.statement...), g.content...)
}

func decodeGathered(b []byte) (gathered, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return gathered{}, errors.New("truncated or corrupt element of a bundle")
	}
	b = b[size:]
	return gathered{b[:n], b[n:]}, nil
}

// accountsNode names the node that takes in the statements. No user's node can have
// this name.
const accountsNode = ".accounts"

// accountsName is the file in the run's folder that holds the statements.
const accountsName = "accounts.json"

// accounts is the end of a pipeline whose work is done by other processes: it writes
// the statements of all bundles to a file.
type accounts struct{ path string }

func (*accounts) Columns(transforms.Ports) (transforms.Ports, error) { return nil, nil }

func newAccounts(e *Execution) *live {
	kind := transforms.Kind{Name: "accounts", Inputs: []string{transforms.In}}
	return newLive(e, &PlanNode{
		Node: &specs.Node{Name: accountsNode, Kind: kind.Name},
		Kind: kind,
		Impl: &accounts{filepath.Join(e.Work, accountsName)},
	})
}

// write leaves all statements in the file, at once. It may be repeated.
func (a *accounts) write(gathered [][]byte) error {
	return writeWhole(a.path, append(append([]byte("["), bytes.Join(gathered, []byte(","))...), ']'))
}

// accounting collects statements.
type accounting struct{ statements [][]byte }

func (a *accounting) add(r *data.Record) error {
	a.statements = append(a.statements, r.Values[0].Bytes())
	return nil
}

func (a *accounting) finish() ([]byte, error) { return bytes.Join(a.statements, []byte(",")), nil }

// Settle takes over what other processes counted and wrote, after the pipeline is
// done. It does nothing where this process did the work.
func (e *Execution) Settle() error {
	if !e.Remote {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(e.Work, accountsName))
	if err != nil {
		return fmt.Errorf("the workers left no accounts: %w", err)
	}
	var all []statement
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("accounts of the workers: %w", err)
	}
	for _, s := range all {
		l, ok := e.nodes[s.Counts.Node]
		if !ok {
			return fmt.Errorf("accounts of the workers: no node %q", s.Counts.Node)
		}
		l.absorb(s)
		if s.Counts.In > 0 {
			e.workers[s.Worker] += s.Counts.In
		}
	}
	e.settled.Store(true)
	return nil
}

// absorb adds a statement of another process.
func (l *live) absorb(s statement) {
	l.counts.absorb(s.Counts, l.Kind.Outputs)
	if s.Shards != nil {
		l.shards = s.Shards
	}
	if l.told == nil {
		l.told = map[string]told{}
	}
	if s.Told.Serial >= l.told[s.Worker].Serial {
		l.told[s.Worker] = s.Told
	}
}

func (c *counts) absorb(n NodeCounts, ports []string) {
	c.expected.Add(n.Expected)
	c.in.Add(n.In)
	c.passed.Add(n.Passed)
	c.filtered.Add(n.Filtered)
	c.rejected.Add(n.Rejected)
	c.worked.Add(n.Worked)
	c.work(n.Busy)
	for i, port := range ports {
		c.emitted[i].Add(n.Emitted[port])
	}
	for _, class := range n.Rejects {
		c.addClass(class)
	}
}

// Workers are the processes that other than this one did the work, with the rows
// that each took in, over all nodes; none if this one did.
func (e *Execution) Workers() map[string]int64 { return e.workers }

// all is what the node told, by process: the others, or this one.
func (l *live) all() []told {
	if len(l.told) == 0 {
		return []told{l.tell()}
	}
	var all []told
	for _, worker := range sortedKeys(l.told) {
		all = append(all, l.told[worker])
	}
	return all
}

// Metrics are what a node has measured so far. Those of several processes are added;
// shares are averaged.
func (e *Execution) Metrics(node string) []transforms.Metric {
	var total []transforms.Metric
	for _, t := range e.toldBy(node) {
		total = addMetrics(total, t.Metrics)
	}
	for i := range total {
		if n := len(e.toldBy(node)); n > 1 && total[i].Unit == "1" {
			total[i].Value /= float64(n)
		}
	}
	return total
}

func addMetrics(total, more []transforms.Metric) []transforms.Metric {
	for _, m := range more {
		i := slices.IndexFunc(total, func(t transforms.Metric) bool {
			return t.Name == m.Name && slices.Equal(t.Edges, m.Edges)
		})
		if i < 0 {
			m.Counts = slices.Clone(m.Counts)
			total = append(total, m)
			continue
		}
		total[i].Value += m.Value
		for j := range m.Counts {
			total[i].Counts[j] += m.Counts[j]
		}
	}
	return total
}

// Evaluation is what a node found, nil if it evaluates nothing or is not done.
func (e *Execution) Evaluation(node string) *transforms.Evaluation {
	for _, t := range e.toldBy(node) {
		if t.Evaluation != nil {
			return t.Evaluation
		}
	}
	return nil
}

// Cautions are the words of warning that go with a node's results.
func (e *Execution) Cautions(node string) (all []string) {
	for _, t := range e.toldBy(node) {
		for _, caution := range t.Cautions {
			if !slices.Contains(all, caution) {
				all = append(all, caution)
			}
		}
	}
	return all
}

// Summary is what a node says at the end, by process.
func (e *Execution) Summary(node string) (all []string) {
	for _, t := range e.toldBy(node) {
		all = append(all, t.Summary...)
	}
	return all
}

func (e *Execution) toldBy(node string) []told {
	if l, ok := e.nodes[node]; ok {
		return l.all()
	}
	return nil
}

// toldSamples are the samples of other processes, by order.
func (l *live) toldSamples(port string) (all []*data.Record) {
	for _, t := range l.told {
		for _, b := range t.Samples[port] {
			if r, err := data.DecodeRecord(b); err == nil {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *data.Record) int { return cmp.Compare(a.Order, b.Order) })
	return all[:min(l.samples.limit, len(all))]
}
