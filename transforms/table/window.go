package table

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Window",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, Late, transforms.Rejects},
		New:     newWindow,
	})
}

// Late is the port for rows whose windows are over.
const Late = "late"

// maxOverlap bounds the windows a row may lie in.
const maxOverlap = 1000

// WindowConfig aggregates the rows of a stream by windows of their time: of one Size,
// one after the other or a new one every Slide, aligned to 1970-01-01 UTC; or sessions,
// which end when a group has had no row for Gap. Groups and functions are those of
// [AggregateConfig].
//
// The stream's time is that of the newest row that came in an earlier bundle; it stands
// still while events of a process that died are still to come again. A window
// is over when the stream's time has passed its end by Lateness: its rows are emitted
// then, and a row that comes after that is late. With Idle the stream's time goes on
// with the clock when no row has come for so long. A row whose time is more than Ahead
// of the clock is rejected, for it would end all windows.
//
// Memory is that of an Aggregate over the open windows, and about 10 MB for the ids of
// the last 131,072 rows.
type WindowConfig struct {
	AggregateConfig
	Time     string              `json:"time"` // a column of timestamps
	Size     transforms.Duration `json:"size"`
	Slide    transforms.Duration `json:"slide"`
	Gap      transforms.Duration `json:"gap"`
	Lateness transforms.Duration `json:"lateness"`
	Idle     transforms.Duration `json:"idle"` // 0 for never
	Ahead    transforms.Duration `json:"ahead"`
}

type window struct {
	config WindowConfig
	groups aggregate
	plan   plan[windowing]
}

// windowing is where things are in the rows, and what comes out.
type windowing struct {
	*aggregation
	in   *data.Schema
	time int
	used []int // columns of the input that the groups look at
	out  *data.Schema
}

var _ transforms.StreamCombiner = (*window)(nil)

func newWindow(config []byte) (transforms.Node, error) {
	n := &window{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := &n.config
	n.groups.config = c.AggregateConfig
	wrong := func(field, format string, args ...any) error {
		return &transforms.FieldError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(c.AggregateConfig.Columns) == 0:
		return nil, wrong("columns", "computes no column")
	case c.Size.Duration > 0 == (c.Gap.Duration > 0):
		return nil, &transforms.FieldError{Message: "wants either the size of its windows or the gap that ends a session", Hint: `size: "1m" or gap: "10m"`}
	case c.Gap.Duration > 0 && c.Slide.Duration > 0:
		return nil, wrong("slide", "belongs to windows of one size, not to sessions")
	}
	if c.Slide.Duration == 0 {
		c.Slide = c.Size
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"size", c.Size.Duration}, {"slide", c.Slide.Duration}, {"gap", c.Gap.Duration}} {
		if f.value%time.Microsecond != 0 {
			return nil, wrong(f.name, "%v is not a whole number of microseconds", f.value)
		}
	}
	switch {
	case c.Slide.Duration > c.Size.Duration:
		return nil, wrong("slide", "%v is longer than size: rows between the windows would be lost", c.Slide.Duration)
	case c.Slide.Duration > 0 && c.Size.Duration/c.Slide.Duration > maxOverlap:
		return nil, wrong("slide", "every row would lie in %d windows; %d are possible", c.Size.Duration/c.Slide.Duration, maxOverlap)
	}
	return n, nil
}

// Columns implements transforms.Node.
func (n *window) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	if err := transforms.NeedColumn(s, "time", n.config.Time, data.Timestamp); err != nil {
		return nil, err
	}
	if _, err := n.groups.Columns(in); err != nil {
		return nil, err
	}
	p := &windowing{in: s, time: s.Index(n.config.Time)}
	if p.aggregation, err = n.groups.plan.get(); err != nil {
		return nil, err
	}
	p.used = append(p.used, p.by...)
	for _, f := range p.functions {
		if f.column >= 0 {
			p.used = append(p.used, f.column)
		}
	}
	fields := []data.Field{{Name: "start", Type: data.TimestampType}, {Name: "end", Type: data.TimestampType}}
	for _, f := range p.aggregation.out.Fields() {
		if f.Name == "start" || f.Name == "end" {
			return nil, &transforms.FieldError{Field: "columns", Code: transforms.ColumnTwice, Message: fmt.Sprintf("%q is the window's", f.Name), Hint: "choose another name, or Rename the column of by"}
		}
		fields = append(fields, f)
	}
	if p.out, err = data.NewSchema(fields...); err != nil {
		return nil, err
	}
	n.plan.set(p)
	return transforms.Ports{{Name: transforms.Out, Schema: p.out}, {Name: Late, Schema: s}}, nil
}

// OpenStream implements transforms.StreamCombiner. Open windows outlive the run, below
// run.State; a dry run has none.
func (n *window) OpenStream(_ context.Context, run transforms.Run) (transforms.StreamAccumulator, error) {
	p, err := n.plan.get()
	if err != nil {
		return nil, err
	}
	w := newWindows(n, p, run)
	if run.Dry || run.State == "" {
		return w, nil
	}
	if err := w.open(filepath.Join(run.State, "windows", run.Graph, run.Node)); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}
