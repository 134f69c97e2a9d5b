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
	register.DoFn6x1[context.Context, []byte, emitter, emitter, emitter, emitter, error](&sourceFn{})
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

// sourceFn reads a source: its only element is Beam's impulse.
type sourceFn struct {
	Execution, Node string
	live            *live
}

func (f *sourceFn) Setup() (err error) {
	f.live, err = lookup(f.Execution, f.Node)
	return err
}

func (f *sourceFn) ProcessElement(_ context.Context, _ []byte, p0, p1, p2, p3 emitter) error {
	return f.live.read(ports{p0, p1, p2, p3})
}

// rowFn applies a row node.
type rowFn struct {
	Execution, Node string
	live            *live
	window          *window
}

func (f *rowFn) Setup() (err error) {
	f.live, err = lookup(f.Execution, f.Node)
	return err
}

func (f *rowFn) StartBundle(_ context.Context, _, _, _, _ emitter) { f.window = newWindow(f.live) }

func (f *rowFn) ProcessElement(_ context.Context, r *data.Record, p0, p1, p2, p3 emitter) error {
	return f.window.add(r, ports{p0, p1, p2, p3})
}

func (f *rowFn) FinishBundle(_ context.Context, p0, p1, p2, p3 emitter) error {
	return f.window.drain(ports{p0, p1, p2, p3})
}

// gatherFn takes in the records of an input port of a sink, a combiner or a
// global node and emits one element per bundle that stands for all of them.
type gatherFn struct {
	Execution, Node, Port string
	live                  *live
	gatherer              gatherer
}

// gatherer collects the records of a bundle.
type gatherer interface {
	add(r *data.Record) error
	// finish completes what was collected and returns the element for it.
	finish() ([]byte, error)
}

func (f *gatherFn) Setup() (err error) {
	f.live, err = lookup(f.Execution, f.Node)
	return err
}

func (f *gatherFn) StartBundle(_ context.Context, _ func(int, []byte)) { f.gatherer = nil }

func (f *gatherFn) ProcessElement(_ context.Context, r *data.Record, _ func(int, []byte)) error {
	if f.gatherer == nil {
		f.gatherer = f.live.newGatherer(f.Port)
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
		if err == nil {
			emit(key, b)
		}
		return err
	})
}

// finishFn gets what the gathering DoFns of a node emitted in all bundles.
type finishFn struct {
	Execution, Node string
	live            *live
}

func (f *finishFn) Setup() (err error) {
	f.live, err = lookup(f.Execution, f.Node)
	return err
}

func (f *finishFn) ProcessElement(_ context.Context, _ int, gathered func(*[]byte) bool, p0, p1, p2, p3 emitter) error {
	var all [][]byte
	for b := []byte(nil); gathered(&b); b = nil {
		if len(b) > 0 { // the impulse's element is empty
			all = append(all, b)
		}
	}
	return f.live.guard("", func() error { return f.live.finish(all, ports{p0, p1, p2, p3}) })
}
