package graphs

import (
	"context"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"penstock.dev/data"
)

// Every further signature of a registered DoFn costs megabytes of binary: all
// kinds share these four.
func init() {
	beam.RegisterCoder(reflect.TypeFor[*data.Record](), data.EncodeRecord, data.DecodeRecord)
	register.DoFn6x1[context.Context, []byte, emitter, emitter, emitter, emitter, error](&splitFn{})
	register.DoFn6x1[context.Context, *data.Record, emitter, emitter, emitter, emitter, error](&readFn{})
	register.DoFn6x1[context.Context, *data.Record, emitter, emitter, emitter, emitter, error](&rowFn{})
	register.DoFn3x1[context.Context, *data.Record, func(int, []byte), error](&gatherFn{})
	register.DoFn7x1[context.Context, int, func(*[]byte) bool, emitter, emitter, emitter, emitter, error](&finishFn{})
	register.Emitter1[*data.Record]()
	register.Emitter2[int, []byte]()
	register.Iter1[[]byte]()
}

// emitter is an output of a DoFn: a port of the node, by its index in
// Kind.Outputs.
type emitter = func(*data.Record)

// maxPorts is the number of output ports a kind may have.
const maxPorts = 4

// key is the one key of every GroupByKey in a pipeline: the one that
// beam.AddFixedKey uses.
const key = 0

// place is where a DoFn works: at a node of a run. All DoFns of a node in a process
// share its state.
type place struct {
	Execution, Node string
	Folder          string // with what to do, for other processes; empty if this one does all the work
	live            *live
}

// Setup finds the node.
func (p *place) Setup() (err error) {
	p.live, err = lookup(p)
	return err
}

// splitFn lists the splits of a source, a record for each. Its only element is
// Beam's impulse.
type splitFn struct{ place }

func (f *splitFn) ProcessElement(_ context.Context, _ []byte, p0, _, _, p3 emitter) error {
	bundle := f.live.begin()
	if err := bundle.list(p0); err != nil {
		return err
	}
	return bundle.state(p3)
}

// readFn reads the splits of a source.
type readFn struct {
	place
	bundle *live
}

func (f *readFn) StartBundle(_ context.Context, _, _, _, _ emitter) { f.bundle = f.live.begin() }

func (f *readFn) ProcessElement(_ context.Context, split *data.Record, p0, p1, p2, p3 emitter) error {
	return f.bundle.read(split, ports{p0, p1, p2, p3})
}

func (f *readFn) FinishBundle(_ context.Context, _, _, _, p3 emitter) error {
	return f.bundle.state(p3)
}

// rowFn applies a row node.
type rowFn struct {
	place
	bundle *live
	window *window
}

func (f *rowFn) StartBundle(_ context.Context, _, _, _, _ emitter) {
	f.bundle = f.live.begin()
	f.window = newWindow(f.bundle)
}

func (f *rowFn) ProcessElement(_ context.Context, r *data.Record, p0, p1, p2, p3 emitter) error {
	return f.window.add(r, ports{p0, p1, p2, p3})
}

func (f *rowFn) FinishBundle(_ context.Context, p0, p1, p2, p3 emitter) error {
	if err := f.window.drain(ports{p0, p1, p2, p3}); err != nil {
		return err
	}
	return f.bundle.state(p3)
}

// gatherFn takes in the records of an input port of a sink, a combiner or a
// global node and emits one element per bundle that stands for all of them.
type gatherFn struct {
	place
	Port     string
	Branch   int // of those that lead to the port
	bundle   *live
	gatherer gatherer
}

// gatherer collects the records of a bundle.
type gatherer interface {
	add(r *data.Record) error
	// finish completes what was collected and returns what stands for it.
	finish() ([]byte, error)
}

func (f *gatherFn) StartBundle(_ context.Context, _ func(int, []byte)) { f.gatherer = nil }

func (f *gatherFn) ProcessElement(_ context.Context, r *data.Record, _ func(int, []byte)) error {
	if f.gatherer == nil {
		f.bundle = f.live.begin()
		f.gatherer = f.bundle.newGatherer(f.Port, f.Branch)
	}
	return f.live.guard(r.ID.String(), func() error { return f.gatherer.add(r) })
}

func (f *gatherFn) FinishBundle(_ context.Context, emit func(int, []byte)) error {
	if f.gatherer == nil {
		return nil
	}
	return f.live.guard("", func() error {
		b, err := f.gatherer.finish()
		f.gatherer = nil
		if err != nil {
			return err
		}
		statement, err := f.bundle.statement()
		emit(key, gathered{statement, b}.encode())
		return err
	})
}

// finishFn gets what the gathering DoFns of a node emitted in all bundles.
type finishFn struct{ place }

func (f *finishFn) ProcessElement(_ context.Context, _ int, next func(*[]byte) bool, p0, p1, p2, p3 emitter) error {
	return f.live.guard("", func() error {
		var all [][]byte
		for b := []byte(nil); next(&b); b = nil {
			if len(b) == 0 { // the impulse's element is empty
				continue
			}
			g, err := decodeGathered(b)
			if err != nil {
				return err
			}
			all = append(all, g.content)
			sendStatement(p3, g.statement)
		}
		bundle := f.live.begin()
		if err := bundle.finish(all, ports{p0, p1, p2, p3}); err != nil {
			return err
		}
		return bundle.state(p3)
	})
}
