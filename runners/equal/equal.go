package equal

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"penstock.dev/data/nats"
	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Options say what to compare by.
type Options struct {
	Input     string          // file of rows with the columns of the events: .parquet, .jsonl or .csv
	Tolerance float64         // largest difference of two numbers, relative to those above 1
	Run       runners.Options // Work is where everything goes, the server's streams too; Limit bounds the rows
}

// Comparison is what came out.
type Comparison struct {
	Events   int64 // that were published
	Rejected int64 // of them, by the source
	Sinks    []Sink
	Nodes    []string // whose counts of rows differ, with the counts
}

// Equal reports whether nothing differs.
func (c *Comparison) Equal() bool {
	return len(c.Nodes) == 0 && !slices.ContainsFunc(c.Sinks, func(s Sink) bool { return s.Differing > 0 })
}

// Kinds and fields of the schema that are put in place of others.
const (
	subscribe = "SubscribeNATS"
	publish   = "PublishNATS"
	rowsName  = "EQUAL-ROWS" // a stream
)

// comparison is one under way.
type comparison struct {
	Options
	plan   *graphs.Plan
	conn   *nats.Conn
	source map[string]any // configuration of the node that takes events
	work   string
}

// Run compares. The graph must take JSON events that a key identifies, and publish
// its results.
func Run(ctx context.Context, plan *graphs.Plan, o Options) (_ *Comparison, err error) {
	c := &comparison{Options: o, plan: plan, work: o.Run.Work}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.conn, err = nats.Connect(ctx, nats.Server{URL: nats.Embedded}, "penstock equal", c.work); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.conn.Close()) }()
	result := &Comparison{}
	if result.Events, err = c.publish(ctx); err != nil {
		return nil, err
	}
	if err := c.writeRows(ctx, result); err != nil {
		return nil, err
	}
	c.Options.Run.Limit = result.Events // ends the stream
	stream, err := c.run(ctx, c.stream())
	if err != nil {
		return nil, fmt.Errorf("as a stream: %w", err)
	}
	c.Options.Run.Limit = 0
	batch, err := c.run(ctx, c.batch())
	if err != nil {
		return nil, fmt.Errorf("as a batch: %w", err)
	}
	result.Nodes = c.compareCounts(batch, stream)
	for _, n := range plan.Nodes {
		if n.Role() == "sink" {
			s, err := c.compareSink(ctx, n.Name)
			if err != nil {
				return nil, err
			}
			result.Sinks = append(result.Sinks, *s)
		}
	}
	return result, nil
}

// check refuses what cannot be compared.
func (c *comparison) check() error {
	name := c.plan.Graph.Name
	for _, n := range c.plan.Nodes {
		switch {
		case n.Kind.Name == subscribe:
			if err := json.Unmarshal(n.Config, &c.source); err != nil {
				return err
			}
		case n.Role() == "sink" && n.Kind.Name != publish:
			return fmt.Errorf("graph %s: node %s is a %s, and what streams publish alone can be compared", name, n.Name, n.Kind.Name)
		}
	}
	switch {
	case c.source == nil:
		return fmt.Errorf("graph %s takes no events (name the stream graph; its batch is made of it)", name)
	case c.source["payload"] != "json":
		return fmt.Errorf("graph %s takes payloads that are no JSON, which no file of rows holds", name)
	case c.source["key"] == nil:
		return fmt.Errorf("graph %s: the events have no key, so that a file's rows are others to every random draw (set key to a column that identifies them)", name)
	}
	return nil
}

// readers are the sources by the end of a file's name.
var readers = map[string]string{".parquet": "ReadParquet", ".jsonl": "ReadJSONL", ".csv": "ReadCSV"}

// publish publishes the rows of the input as events.
func (c *comparison) publish(ctx context.Context) (events int64, err error) {
	extension := filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(c.Input, ".gz"), ".zst"))
	var columns []string
	for column := range c.source["columns"].(map[string]any) {
		columns = append(columns, column)
	}
	slices.Sort(columns)
	b := graphs.NewBuilder("equal-publish")
	b.Set("run", map[string]any{"maxRejects": 0})
	read := b.Add("read", cmp.Or(readers[extension], "ReadParquet"), graphs.Fields{"path": c.Input, "columns": c.source["columns"]})
	rows := b.Add("rows", "Select", graphs.Fields{"in": read.Out(), "columns": columns})
	b.Add("events", publish, graphs.Fields{"in": rows.Out(), "stream": c.source["stream"], "subject": c.subject(), "create": true})
	result, err := c.runBuilt(ctx, b)
	if err != nil {
		return 0, fmt.Errorf("input: %w", err)
	}
	events = result.Counts[len(result.Counts)-1].In
	if events == 0 {
		return 0, fmt.Errorf("%s has no rows", c.Input)
	}
	return events, nil
}

// subject is one that the graph's filters take in.
func (c *comparison) subject() string {
	subjects, _ := c.source["subjects"].([]any)
	if len(subjects) == 0 {
		return "equal.events"
	}
	return strings.NewReplacer("*", "equal", ">", "equal").Replace(subjects[0].(string))
}

// writeRows writes the events as a file of rows: as the graph's source sees them,
// with its columns for subject, time and the like.
func (c *comparison) writeRows(ctx context.Context, result *Comparison) error {
	c.Options.Run.Limit = result.Events
	g := &specs.Graph{File: c.plan.Graph.File, Name: "equal-rows", Mode: "stream", Nodes: []specs.Node{
		{Name: "read", Kind: subscribe, Config: c.sourceConfig("equal-rows")},
		{Name: "rows", Kind: publish, Config: config(map[string]any{
			"nats": map[string]any{"url": nats.Embedded}, "stream": rowsName, "subject": "equal.rows", "create": true,
		}), Inputs: []specs.Input{{Port: transforms.In, From: specs.Ref{Node: "read", Port: transforms.Out}}}},
	}}
	r, err := c.run(ctx, g)
	if err != nil {
		return err
	}
	result.Rejected = r.Execution.Events().DeadLetters
	f, err := os.Create(c.rowsPath())
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = c.conn.Read(ctx, rowsName, func(payload []byte) error {
		w.Write(payload)
		return w.WriteByte('\n')
	})
	return errors.Join(err, w.Flush(), f.Close())
}

func (c *comparison) rowsPath() string { return filepath.Join(c.work, "rows.jsonl") }

func (c *comparison) sinkPath(node string) string {
	return filepath.Join(c.work, "batch", node+".jsonl")
}

func (c *comparison) sinkStream(node string) string { return "EQUAL-SINK-" + node }

// sourceConfig is the source's on the server of the comparison, as another consumer.
func (c *comparison) sourceConfig(durable string) json.RawMessage {
	m := map[string]any{}
	for field, value := range c.source {
		switch field {
		case "startSequence", "startTime", "deadLetters": // of the stream that is served
		default:
			m[field] = value
		}
	}
	m["nats"] = map[string]any{"url": nats.Embedded}
	m["durable"], m["create"], m["start"] = durable, true, "all"
	if m["subjects"] == nil {
		m["subjects"] = []string{c.subject()}
	}
	return config(m)
}

// stream is the graph on the server of the comparison.
func (c *comparison) stream() *specs.Graph {
	return c.edited("stream", func(n *specs.Node) {
		switch n.Kind {
		case subscribe:
			n.Config = c.sourceConfig("equal")
		case publish:
			m := map[string]any{}
			json.Unmarshal(n.Config, &m) // it was read before
			m["nats"] = map[string]any{"url": nats.Embedded}
			m["stream"], m["create"] = c.sinkStream(n.Name), true
			m["subject"] = fmt.Sprintf("equal.sink.%s.%s", n.Name, m["subject"])
			n.Config = config(m)
		}
	})
}

// batch is the graph with files in place of streams.
func (c *comparison) batch() *specs.Graph {
	return c.edited("batch", func(n *specs.Node) {
		switch n.Kind {
		case subscribe:
			source, _ := c.plan.Node(n.Name)
			columns := map[string]string{}
			for _, f := range source.Outputs.Get(transforms.Out).Fields() {
				columns[f.Name] = f.Type.String()
			}
			n.Kind, n.Config = "ReadJSONL", config(map[string]any{"path": c.rowsPath(), "columns": columns, "key": c.source["key"]})
		case publish:
			n.Kind, n.Config = "WriteJSONL", config(map[string]any{"path": c.sinkPath(n.Name)})
		}
	})
}

// edited is the graph in a mode, with its nodes changed.
func (c *comparison) edited(mode string, edit func(*specs.Node)) *specs.Graph {
	g := *c.plan.Graph
	g.Mode, g.Run.MaxRejects = mode, 1
	g.Nodes = slices.Clone(g.Nodes)
	for i := range g.Nodes {
		edit(&g.Nodes[i])
	}
	return &g
}

// config is a configuration as a graph has it.
func config(fields map[string]any) json.RawMessage {
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err) // of what was JSON before
	}
	return b
}

func (c *comparison) runBuilt(ctx context.Context, b *graphs.Builder) (*runners.Result, error) {
	p, ds := b.Plan()
	if p == nil {
		return nil, errors.New(ds[0].Message)
	}
	return c.runPlan(ctx, p)
}

func (c *comparison) run(ctx context.Context, g *specs.Graph) (*runners.Result, error) {
	p, ds := graphs.NewPlan(g)
	if ds.Failed() {
		return nil, errors.New(ds[0].String())
	}
	return c.runPlan(ctx, p)
}

func (c *comparison) runPlan(ctx context.Context, p *graphs.Plan) (*runners.Result, error) {
	r, err := runners.Run(ctx, p, c.Options.Run)
	switch {
	case err != nil:
		return nil, err
	case r.Err != nil:
		return nil, r.Err
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	return r, nil
}
