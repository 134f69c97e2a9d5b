// Package graphtest has kinds that live in memory, for the tests of everything
// that runs graphs: a source of numbers, nodes that wait, fail and fan out, and
// a sink that keeps what it gets. They are not in the schema; tests make their
// graphs in Go.
package graphtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"penstock.dev/data"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Schema is that of the numbers: n int64.
var Schema = data.MustSchema(data.Field{Name: "n", Type: data.Int64Type})

func init() {
	register("test.Numbers", nil, []string{transforms.Out, transforms.Rejects}, &Numbers{})
	register("test.Keep", []string{transforms.In}, nil, &Keep{})
	register("test.Step", []string{transforms.In}, []string{transforms.Out, transforms.Else, transforms.Rejects}, &Step{})
	register("test.Wait", []string{transforms.In}, []string{transforms.Out, transforms.Rejects}, &Wait{})
	register("test.Burn", []string{transforms.In}, []string{transforms.Out, transforms.Rejects}, &Burn{})
	register("test.Sum", []string{transforms.In}, []string{transforms.Out}, &Sum{})
	register("test.Reverse", []string{transforms.In}, []string{transforms.Out, transforms.Rejects}, &Reverse{})
	register("test.Union", []string{transforms.In}, []string{transforms.Out}, &Union{})
}

func register[C any](name string, in, out []string, _ *C) {
	transforms.Register(transforms.Kind{Name: name, Inputs: in, Outputs: out, New: func(config []byte) (transforms.Node, error) {
		c := new(C)
		if err := transforms.Decode(config, c); err != nil {
			return nil, err
		}
		return any(c).(transforms.Node), nil
	}})
}

// Graph makes a graph from nodes; the edges go by the names in "node.port" form.
func Graph(nodes ...specs.Node) *specs.Graph {
	return &specs.Graph{File: "test", Name: "test", Mode: "batch", Run: specs.Run{MaxRejects: 1}, Nodes: nodes}
}

// Node makes a node with edges into its port "in".
func Node(name, kind string, config any, from ...specs.Ref) specs.Node {
	b, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	n := specs.Node{Name: name, Kind: kind, Config: b}
	for i, f := range from {
		n.Inputs = append(n.Inputs, specs.Input{Port: transforms.In, Index: i, From: f})
	}
	return n
}

// Numbers emits N records, 0 to N-1; numbers in Bad are rejected by the source.
type Numbers struct {
	N   int64
	Bad []int64
}

func (s *Numbers) Columns(transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(Schema), nil
}

func (s *Numbers) Splits(context.Context) ([]transforms.Split, error) {
	half := s.N / 2
	return []transforms.Split{
		{Name: "numbers", Begin: 0, End: half, Order: 0, Rows: half},
		{Name: "numbers", Begin: half, End: s.N, Order: half, Rows: s.N - half},
	}, nil
}

func (s *Numbers) Read(_ context.Context, split transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	for n := split.Begin; n < split.End; n++ {
		r := &data.Record{Schema: Schema, ID: data.ID{Source: split.Name, Row: n}, Order: split.Order + n - split.Begin, Values: []data.Value{data.Int64Value(n)}}
		if slices.Contains(s.Bad, n) {
			reject(&transforms.Rejected{Record: r, Class: "bad", Err: "bad number"})
			continue
		}
		if err := emit(r); err != nil {
			return err
		}
	}
	return nil
}

// Step sends even numbers to out and odd ones to else when Even is set, all to
// out otherwise, Copies times; it fails in the ways it is told.
type Step struct {
	Even                       bool
	Copies                     int64
	RejectAt, PanicAt, FatalAt int64 // 0 for never
}

func (s *Step) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.Ports{{Name: transforms.Out, Schema: in.Get(transforms.In)}, {Name: transforms.Else, Schema: in.Get(transforms.In)}}, nil
}

func (s *Step) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	n := r.Values[0].Int64()
	switch {
	case s.RejectAt > 0 && n == s.RejectAt:
		return transforms.Reject("odd", "number %d", n)
	case s.PanicAt > 0 && n == s.PanicAt:
		panic("number out of luck")
	case s.FatalAt > 0 && n == s.FatalAt:
		return transforms.Fatal(fmt.Errorf("no more"))
	}
	port := transforms.Out
	if s.Even && n%2 != 0 {
		port = transforms.Else
	}
	for range max(1, s.Copies) {
		emit(port, r)
	}
	return nil
}

// Wait sleeps for each row, on Rows of them at once.
type Wait struct {
	Milliseconds, Rows int
}

func (s *Wait) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(in.Get(transforms.In)), nil
}

// Window implements transforms.Windowed.
func (s *Wait) Window() int { return s.Rows }

func (s *Wait) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	select {
	case <-time.After(time.Duration(s.Milliseconds) * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	emit(transforms.Out, r)
	return nil
}

// Burn computes for each row, on Rows of them at once.
type Burn struct{ Turns, Rows int }

func (s *Burn) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(in.Get(transforms.In)), nil
}

// Window implements transforms.Windowed.
func (s *Burn) Window() int { return s.Rows }

func (s *Burn) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	x := uint64(r.Values[0].Int64())
	for range s.Turns {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x != 0 { // so that the loop is not left out
		emit(transforms.Out, r)
	}
	return nil
}

// Union passes the records of all its inputs.
type Union struct{}

func (s *Union) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(in.Get(transforms.In)), nil
}

func (s *Union) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	emit(transforms.Out, r)
	return nil
}

// Sum emits the sum of the numbers.
type Sum struct{}

func (s *Sum) Columns(transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(Schema), nil
}

func (s *Sum) NewAccumulator() transforms.Accumulator { return new(sum) }

type sum int64

func (s *sum) Add(r *data.Record) error {
	*s += sum(r.Values[0].Int64())
	return nil
}
func (s *sum) Marshal() ([]byte, error) { return json.Marshal(*s) }
func (s *sum) Merge(b []byte) error {
	var o sum
	err := json.Unmarshal(b, &o)
	*s += o
	return err
}
func (s *sum) Emit(_ context.Context, emit transforms.Emit) error {
	emit(transforms.Out, &data.Record{Schema: Schema, ID: data.KeyID("sum"), Values: []data.Value{data.Int64Value(int64(*s))}})
	return nil
}

// Reverse emits its input backwards, without a number that it is told.
type Reverse struct{ RejectAt int64 } // 0 for none

func (s *Reverse) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(in.Get(transforms.In)), nil
}

func (s *Reverse) Run(_ context.Context, in transforms.Inputs, emit transforms.Emit) error {
	var all []*data.Record
	for r, err := range in.Rows(transforms.In) {
		if err != nil {
			return err
		}
		if n := r.Values[0].Int64(); s.RejectAt > 0 && n == s.RejectAt {
			in.Reject(transforms.AsRejected(r, transforms.Reject("odd", "number %d", n)))
			continue
		}
		all = append(all, r)
	}
	for _, r := range slices.Backward(all) {
		emit(transforms.Out, r)
	}
	return nil
}

// Keep is a sink that keeps its rows in memory, under Name.
type Keep struct{ Name string }

var kept sync.Map

// Kept is what the last committed run left in the sink of that name.
func Kept(name string) []int64 {
	v, ok := kept.LoadAndDelete(name)
	if !ok {
		return nil
	}
	return v.([]int64)
}

func (s *Keep) Columns(transforms.Ports) (transforms.Ports, error) { return nil, nil }

func (s *Keep) Create(_ context.Context, _ transforms.Run, attempt string) (transforms.ShardWriter, error) {
	return &keeping{name: s.Name + "/" + attempt}, nil
}

func (s *Keep) Commit(_ context.Context, _ transforms.Run, shards []transforms.Shard) error {
	all := []int64{}
	for _, shard := range shards {
		part, _ := kept.LoadAndDelete(shard.Path)
		all = append(all, part.([]int64)...)
	}
	kept.Store(s.Name, all)
	return nil
}

// Discard implements transforms.Sink: nothing is left on disk.
func (s *Keep) Discard(transforms.Run) error { return nil }

type keeping struct {
	name  string
	rows  []int64
	first int64
}

func (k *keeping) Write(r *data.Record) error {
	if len(k.rows) == 0 {
		k.first = r.Order
	}
	k.rows = append(k.rows, r.Values[0].Int64())
	return nil
}

func (k *keeping) Close() (transforms.Shard, error) {
	kept.Store(k.name, k.rows)
	return transforms.Shard{Path: k.name, Rows: int64(len(k.rows)), First: k.first}, nil
}

func (k *keeping) Abort() {}
