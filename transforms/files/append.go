package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "AppendParquet", Inputs: []string{transforms.In},
		New: func(config []byte) (transforms.Node, error) {
			n := new(AppendParquet)
			if err := transforms.Decode(config, n); err != nil {
				return nil, err
			}
			return n, n.check()
		},
	})
}

var (
	_ transforms.StreamSink = (*AppendParquet)(nil)
	_ transforms.Holder     = (*AppendParquet)(nil)
)

// AppendParquet adds Parquet files to a folder as rows come. A file appears when it
// is complete, and the events of its rows are settled then. A row that comes again,
// for a process died between the two, is known.
type AppendParquet struct {
	Path         string              `json:"path"`         // a folder
	Rows         int                 `json:"rows"`         // of a file, at most
	Bytes        int64               `json:"bytes"`        // of a file's rows in memory, about; at least one row
	Age          transforms.Duration `json:"age"`          // of a file's first row
	Compression  string              `json:"compression"`  // see parquet.Options
	RowsPerGroup int64               `json:"rowsPerGroup"` // see parquet.Options
}

func (n *AppendParquet) check() error {
	if info, err := os.Stat(n.Path); err == nil && !info.IsDir() {
		return pathError(n.Path+" is a file", "name a folder: files are added to it")
	}
	return (&WriteParquet{Path: n.Path, Compression: n.Compression}).check()
}

// Columns checks that the input can be stored.
func (n *AppendParquet) Columns(in transforms.Ports) (transforms.Ports, error) {
	return (&WriteParquet{}).Columns(in)
}

// Holds implements transforms.Holder.
func (n *AppendParquet) Holds() (rows int, field string) { return n.Rows, "rows" }

// OpenStream implements transforms.StreamSink.
func (n *AppendParquet) OpenStream(_ context.Context, run transforms.Run) (transforms.StreamWriter, error) {
	series, err := commit.OpenSeries(n.Path)
	if err != nil {
		return nil, err
	}
	return &appending{node: n, series: series, schema: run.Schema, options: parquet.Options{
		Compression: n.Compression, RowsPerGroup: n.RowsPerGroup, Metadata: run.Provenance, Features: true,
	}}, nil
}

// appending writes one file after the other.
type appending struct {
	node    *AppendParquet
	series  *commit.Series
	schema  *data.Schema
	options parquet.Options

	file   *parquet.Writer // that grows, nil if no row waits
	began  time.Time
	bytes  int64
	ids    []string
	stored []func() // to be called once the file is in place
	in     map[string]bool
}

// Write implements transforms.StreamWriter.
func (a *appending) Write(_ context.Context, id string, r *data.Record, stored func()) error {
	switch {
	case a.series.Knows(id):
		stored()
		return nil
	case a.in[id]: // it comes again though it was not settled
		a.stored = append(a.stored, stored)
		return nil
	case a.file == nil:
		if err := a.open(); err != nil {
			return transforms.Fatal(err)
		}
	}
	if err := a.file.Write(r.Values); err != nil {
		return transforms.Fatal(fmt.Errorf("%s: row %s: %w", a.node.Path, r.ID, err))
	}
	a.ids, a.stored, a.in[id] = append(a.ids, id), append(a.stored, stored), true
	a.bytes += int64(r.Size())
	if len(a.ids) >= a.node.Rows || a.bytes >= a.node.Bytes {
		return transforms.Fatal(a.roll())
	}
	return nil
}

func (a *appending) open() (err error) {
	a.file, err = parquet.NewWriter(a.series.Temp(".parquet"), a.schema, a.options)
	a.began, a.bytes, a.ids, a.stored, a.in = time.Now(), 0, nil, nil, map[string]bool{}
	return err
}

// roll puts the file in place, and lets the events of its rows go.
func (a *appending) roll() error {
	file := a.file
	a.file, a.in = nil, nil
	if _, _, err := file.Close(); err != nil {
		return fmt.Errorf("%s: %w", a.node.Path, err)
	}
	if _, err := a.series.Add(a.series.Temp(".parquet"), a.ids); err != nil {
		return err
	}
	for _, stored := range a.stored {
		stored()
	}
	return nil
}

// Flush implements transforms.StreamWriter: it is called twice a second and more.
func (a *appending) Flush(context.Context) error {
	if a.file == nil || time.Since(a.began) < a.node.Age.Duration {
		return nil
	}
	return a.roll()
}

// Close implements transforms.StreamWriter.
func (a *appending) Close(ctx context.Context) (err error) {
	if a.file != nil {
		if err = ctx.Err(); err == nil {
			err = a.roll()
		} else {
			a.file.Abort()
		}
	}
	return errors.Join(err, a.series.Close())
}
