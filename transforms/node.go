package transforms

import (
	"context"
	"iter"
	"time"

	"penstock.dev/data"
)

// Node is a configured kind.
type Node interface {
	// Columns tells the schema of every output port from those of the inputs.
	// It is called before anything runs, by the checker and the drawn graph, and
	// once more when the pipeline is laid out; it may look at the head of input
	// files but starts nothing. What is wrong with the node's fields comes as a
	// *FieldError, several of them joined by errors.Join.
	//
	// The rejects port may be left out: its schema is then the input's with the
	// columns of RejectFields, and the engine knows it.
	Columns(in Ports) (Ports, error)
}

// Ports are the schemas at a node's ports. An input port that takes a list
// (Union) occurs once for each element, in order.
type Ports []Port

// Port is a port's name with the schema of the records that pass it.
type Port struct {
	Name   string
	Schema *data.Schema
}

// Get is the schema at the named port, nil if there is none.
func (p Ports) Get(name string) *data.Schema {
	for _, q := range p {
		if q.Name == name {
			return q.Schema
		}
	}
	return nil
}

// OutPort is what a node with the single output port "out" returns from Columns.
func OutPort(s *data.Schema) Ports { return Ports{{Out, s}} }

// Emit hands a record to an output port. It is called from the goroutine that
// called the node.
type Emit func(port string, r *data.Record)

// Row is a node that looks at one record at a time: filters, derived columns,
// model scores. An error rejects the row (see [Reject]), or some of the rows made
// of it (see [PartsRejected]), unless it is [Fatal];
// a row for which nothing is emitted counts as filtered.
type Row interface {
	Node
	Process(ctx context.Context, r *data.Record, emit Emit) error
}

// Windowed is a Row that works hard or waits: the engine calls Process for up
// to Window rows at once, each in its own goroutine, and emits the results in
// the order of the input. Model kinds hand their row to the model's shared
// batcher and wait there.
type Windowed interface {
	Row
	Window() int // at least 1
}

// Source reads records from outside. It is divided into splits, which may be
// read anywhere, in any order, more than once.
type Source interface {
	Node
	// Splits lists what there is to read, in the order of the input.
	Splits(ctx context.Context) ([]Split, error)
	// Read reads one split. It stops when emit returns an error and returns
	// that error. A row that cannot be read goes to reject and costs only itself.
	Read(ctx context.Context, s Split, emit func(*data.Record) error, reject func(*Rejected)) error
}

// Split is a part of a source: rows of a file. Order of the records read from
// it begins at Order and grows by one for each row.
type Split struct {
	Path       string `json:"path"`
	Name       string `json:"name"` // the path as record ids show it: relative, the same on every machine
	Begin, End int64  // row groups or bytes, as the source counts
	FirstRow   int64  // number of the split's first row in its file, if the source knows it
	Order      int64
	Rows       int64 // expected number of rows, 0 if unknown
}

// Sink writes records. Each bundle of records goes to a shard of its own under
// a temporary name; when all are written, Commit makes them visible at once.
type Sink interface {
	Node
	// Create opens a shard. attempt is unique: a bundle that is tried again
	// gets another.
	Create(ctx context.Context, run Run, attempt string) (ShardWriter, error)
	// Commit puts the shards, sorted by First, in place of the previous output.
	// shards is empty when there were no records. A commit that is repeated
	// after it succeeded must succeed.
	Commit(ctx context.Context, run Run, shards []Shard) error
	// Discard removes what a run that failed left under temporary names.
	Discard(run Run) error
}

// Run is what a node may know of the run it works for.
type Run struct {
	ID         string            // unique to the run
	Graph      string            // name of the graph
	Node       string            // name of the node
	State      string            // folder for what outlives the run
	Dry        bool              // nothing is to be written, or paid for
	Schema     *data.Schema      // of the node's input
	Provenance map[string]string // for the output's metadata: versions, hashes, parameters
}

// ShardWriter writes one shard, from one goroutine.
type ShardWriter interface {
	Write(r *data.Record) error
	// Close completes the shard and makes it durable.
	Close() (Shard, error)
	// Abort removes what was written.
	Abort()
}

// Shard is a completed part of a sink's output that Commit has not yet placed.
type Shard struct {
	Path  string   // of the temporary file
	Paths []string `json:",omitempty"` // when the shard was rolled over several files, in order
	Rows  int64
	Bytes int64
	First int64 // smallest Order
}

// Combiner is an aggregation: records are added to accumulators, one for each
// bundle, whose encodings are merged into one that emits the result. Groups are
// the accumulator's own business. Its output must not depend on how records
// were divided among accumulators, up to the rounding of sums.
type Combiner interface {
	Node
	NewAccumulator() Accumulator
}

// Accumulator collects records. It is used by one goroutine at a time.
type Accumulator interface {
	Add(r *data.Record) error
	Marshal() ([]byte, error)
	Merge(other []byte) error
	// Emit emits the result, sorted by group so that it is always the same.
	Emit(ctx context.Context, emit Emit) error
}

// Global is a node that needs all records of its inputs at once: joins, sorts,
// duplicates, clusters. The engine spills the inputs to disk and calls Run once.
type Global interface {
	Node
	Run(ctx context.Context, in Inputs, emit Emit) error
}

// Inputs are the complete inputs of a Global. Rows may be iterated as often as
// needed; they come by Order, and among equals in the order they arrived.
type Inputs interface {
	// Rows are the records at an input port, in order.
	Rows(port string) iter.Seq2[*data.Record, error]
	// Count is the number of records at an input port.
	Count(port string) int64
	// Reject refuses a row of an input. Like Emit it is called from the goroutine
	// that called Run.
	Reject(r *Rejected)
}

// Unbounded is a source that never ends, such as a subscription. A graph with one
// is a stream.
type Unbounded interface {
	Node
	// Subscribe connects to where the events come from. It is called once, before
	// anything runs, so that what waiting would not mend is found then.
	Subscribe(ctx context.Context, run Run) (Subscription, error)
}

// Subscription delivers events. Next is called by one goroutine, and again only
// when the records of the call before were seen to, or are held by a sink.
type Subscription interface {
	// Next waits a moment for events and hands on those there are. A record leads to
	// its event (data.Record.Event), which is held once for the receiver; so does
	// that of an event that cannot be read, which goes to reject. An error ends the
	// run.
	Next(ctx context.Context, emit func(*data.Record), reject func(*Rejected)) error
	// Ordered reports whether events come in the order of the stream from now on: not
	// while one that a process took before it died is still to come again. It is
	// called by the goroutine that calls Next.
	Ordered(ctx context.Context) bool
	// Finish sees to what is left when the last records were seen to.
	Finish(ctx context.Context) error
	// Counts tells what became of the events so far.
	Counts() EventCounts
	// State asks how the stream stands. It may be called at any time.
	State(ctx context.Context) (StreamState, error)
	// Latency tells how long events took so far.
	Latency() Latency
	// Close ends the subscription. Events that are not settled come again.
	Close() error
}

// EventCounts are the accounts of a subscription: what it received was
// acknowledged, became a dead letter, or is in flight.
type EventCounts struct {
	Received     int64 // deliveries
	Redelivered  int64 // of them, those that were not the first of their event
	Acknowledged int64 // everything that stems from the event is stored or filtered
	DeadLetters  int64 // something that stems from it was refused
	InFlight     int64
}

// StreamState is how a stream stands, for all processes that take from it together.
type StreamState struct {
	Waiting int64     // events that nobody has taken
	Pending int64     // taken and not settled
	Floor   uint64    // place in the stream up to which all are settled
	Oldest  time.Time // publication of the oldest that is not settled; zero if all are
}

// Latency counts the events that were settled by the time since their publication.
type Latency struct {
	Bounds []time.Duration // upper, of the classes
	Counts []int64         // one more than Bounds: the last class has no bound
	Sum    time.Duration
}

// StreamSink is a sink that stores records as they come, and so may stand behind
// an unbounded source.
type StreamSink interface {
	Node
	// OpenStream is called once, before anything runs.
	OpenStream(ctx context.Context, run Run) (StreamWriter, error)
}

// Holder is a StreamSink that keeps rows back over several calls of Flush.
type Holder interface {
	// Holds is the most rows it keeps back, and the field that says so.
	Holds() (rows int, field string)
}

// StreamCombiner is an aggregation that may stand behind an unbounded source: it keeps
// rows over many bundles and emits what it makes of them later.
type StreamCombiner interface {
	Node
	// OpenStream is called once, before anything runs.
	OpenStream(ctx context.Context, run Run) (StreamAccumulator, error)
}

// StreamAccumulator collects the rows of a stream, called by one goroutine at a time.
// What it emits of several rows is under an event of its own (data.NewEvent), held once
// for the engine and settled when it is stored. Until then it is emitted again in the
// next run, should this one fail.
type StreamAccumulator interface {
	// Begin is called before the first record of a bundle, once for each branch that
	// leads to the node. ordered is what the subscription says of the events to come.
	Begin(ordered bool)
	// Add takes a record. id is the same when it comes again after a failure. stored
	// is called once the record is durable, or was emitted as it is. An error refuses
	// the row, or ends the run if it is [Fatal].
	Add(ctx context.Context, id string, r *data.Record, stored func(), emit Emit) error
	// Flush is called after the last record that comes by a branch in a bundle, and
	// in bundles without records too. An error ends the run.
	Flush(ctx context.Context, emit Emit) error
	// Close ends the accumulator.
	Close() error
}

// Capacious is an Unbounded that has a bound on the events under way at a time.
type Capacious interface {
	// Capacity is the most events under way, and the field that says so; batch is
	// how many it takes at once.
	Capacity() (events, batch int, field string)
}

// StreamWriter stores records, called by one goroutine at a time.
type StreamWriter interface {
	// Write takes a record. id is the same when the record comes again after a
	// failure, and no other record's: a store that knows it drops the record.
	// stored is called once the record is durable. An error refuses the row, or
	// ends the run if it is [Fatal].
	Write(ctx context.Context, id string, r *data.Record, stored func()) error
	// Flush is called after the last record of a bundle, on which nothing should
	// wait any longer. An error ends the run.
	Flush(ctx context.Context) error
	// Close stores what is left and ends the writer.
	Close(ctx context.Context) error
}

// Opener is a node that needs something before the first row, such as a model:
// Open is called once a process and run, before any other work.
type Opener interface {
	Open(ctx context.Context) error
}

// Keeper is an Opener that keeps something beyond the run, below run.State (nothing
// if that is empty): Open is called with the run.
type Keeper interface {
	Open(ctx context.Context, run Run) error
}

// Closer is a node that holds something: Close is called once after the run.
type Closer interface {
	Close() error
}

// Metered is a node that measured something worth a place in the report, read
// after the run: device seconds, batch fill, text lengths.
type Metered interface {
	Metrics() []Metric
}

// Names of metrics that the report knows.
const (
	DeviceSeconds = "device seconds" // wall time with a batch on the device
	BatchFill     = "batch fill"     // share of the device's work that was not padding, 0 to 1
)

// Metric is a named figure of a node, with a histogram where it has one.
type Metric struct {
	Name   string    `json:"name"`
	Value  float64   `json:"value"`
	Unit   string    `json:"unit,omitempty"`  // "s", "tokens", "1" (a ratio)
	Edges  []float64 `json:"edges,omitempty"` // of the histogram, one more than Counts
	Counts []int64   `json:"counts,omitempty"`
}

// Cautioned is a node whose results call for a word of warning in the report.
type Cautioned interface {
	Cautions() []string
}

// Summarised is a node that has more to say of a run than its counts: what it cost.
type Summarised interface {
	Summary() []string // sentences for the end of the run
}

// Rehearsed is a node that shows in a dry run what it would have done.
type Rehearsed interface {
	Rehearsal() string // text of several lines
}

// Remote is a node that may ask a server while it runs.
type Remote interface {
	Server() string // its address; empty if none is asked
}

// Modelled is a node that uses models; their hashes are part of provenance.
type Modelled interface {
	Models() []ModelUse
}

// ModelUse names a model that a node opened.
type ModelUse struct {
	Ref, Hash, Description string
	Backend                string // what computed it
}
