package parquet

import (
	"context"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"

	"penstock.dev/data"
)

// Merge writes the rows of several files of one schema, in order, to a new file
// dst. Metadata that is left out of o is that of the first file. Row groups
// that a Writer packed with the same options are copied as they are; of others a
// row group is held in memory.
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
	for i := range f.RowGroups() {
		if w.canCopy(f, i) {
			err = w.copyGroup(f, i)
		} else {
			err = f.Read(ctx, i, i+1, nil, func(_ int64, values []data.Value) error { return w.Write(values) })
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// canCopy reports whether a row group can be copied as it is packed: a Writer
// wrote it in the same way, and it is not so small that the rows are better off
// in a group with others.
func (w *Writer) canCopy(f *File, group int) bool {
	g := f.file.Metadata().RowGroups[group]
	for _, c := range g.Columns {
		if c.MetaData.Codec != w.codec {
			return false
		}
	}
	isFull := g.NumRows >= w.rowsPerGroup/2 || f.RowGroups()[group].Bytes >= maxGroupBytes/2
	return f.file.Metadata().CreatedBy == createdBy && isFull && g.NumRows <= w.rowsPerGroup
}

// copyGroup closes the row group being written and copies another behind it.
func (w *Writer) copyGroup(f *File, group int) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: row group %d: %w", f.path, group, err)
		}
	}()
	defer catch(&err)
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	w.groupRows, w.groupBytes = 0, 0
	rows, err := w.out.WriteRowGroup(sameSchema{f.file.RowGroups()[group].(*parquet.FileRowGroup), w.out.Schema()})
	w.rows += rows
	return err
}

// sameSchema is a row group with the writer's own schema. The library's
// comparison of the two takes some types for different; ours has been made.
type sameSchema struct {
	*parquet.FileRowGroup
	schema *parquet.Schema
}

func (g sameSchema) Schema() *parquet.Schema { return g.schema }
