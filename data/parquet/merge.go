package parquet

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/data"
)

// Merge writes the rows of several files of one schema, in order, to a new file
// dst. Metadata that is left out of o is that of the first file. It holds a row
// group in memory.
func Merge(ctx context.Context, dst string, o Options, srcs ...string) (err error) {
	if len(srcs) == 0 {
		return errors.New("no files to merge")
	}
	first, err := Open(srcs[0])
	if err != nil {
		return err
	}
	schema := first.Schema()
	if o.Metadata == nil {
		o.Metadata = first.Metadata()
	}
	first.Close()
	w, err := NewWriter(dst, schema, o)
	if err != nil {
		return err
	}
	for _, src := range srcs {
		if err := w.copyFile(ctx, src, schema); err != nil {
			w.Abort()
			return err
		}
	}
	_, _, err = w.Close()
	return err
}

func (w *Writer) copyFile(ctx context.Context, src string, schema *data.Schema) error {
	f, err := Open(src)
	if err != nil {
		return err
	}
	defer f.Close()
	if !f.Schema().Equal(schema) {
		return fmt.Errorf("%s: columns %s differ from those of the files before, %s", src, f.Schema(), schema)
	}
	return f.Read(ctx, 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
		return w.Write(values)
	})
}
