package parquet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"penstock.dev/data"
)

// Read reads the row groups from begin to end (exclusive) and calls emit for each
// row with its number in the file and its values, one for each of columns, or for
// each column of the schema if columns is nil. The values are the caller's to
// keep. It holds a page of each column in memory, whatever the size of the row
// groups. It stops when emit returns an error and returns that error; others
// name file, row group and column.
func (f *File) Read(ctx context.Context, begin, end int, columns []string, emit func(row int64, values []data.Value) error) error {
	nodes, err := f.project(columns)
	if err != nil {
		return f.wrap(err)
	}
	groups := f.file.Metadata().RowGroups
	if begin < 0 || end > len(groups) || begin > end {
		return f.wrap(fmt.Errorf("no row groups %d to %d: it has %d", begin, end, len(groups)))
	}
	row := int64(0)
	for i := range begin {
		row += groups[i].NumRows
	}
	for i := begin; i < end; i++ {
		if err := f.readGroup(ctx, i, row, nodes, emit); err != nil {
			return err
		}
		row += groups[i].NumRows
	}
	return nil
}

// project finds the columns to read.
func (f *File) project(columns []string) ([]*node, error) {
	if columns == nil {
		return f.root.children, nil
	}
	nodes := make([]*node, len(columns))
	for i, name := range columns {
		at := f.schema.Index(name)
		if at < 0 {
			return nil, fmt.Errorf("no column %q: it has %s", name, strings.Join(f.schema.Names(), ", "))
		}
		nodes[i] = f.root.children[at]
	}
	return nodes, nil
}

func (f *File) readGroup(ctx context.Context, group int, row int64, nodes []*node, emit func(int64, []data.Value) error) error {
	r, err := f.newRowReader(group, nodes)
	if err != nil {
		return fmt.Errorf("%s: row group %d: %w", f.path, group, err)
	}
	defer r.close()
	rows := f.file.Metadata().RowGroups[group].NumRows
	for i := range rows {
		if i%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		values, err := r.read(i == rows-1)
		if err != nil {
			return fmt.Errorf("%s: row group %d: row %d: %w", f.path, group, row+i, err)
		}
		if err := emit(row+i, values); err != nil {
			return err
		}
	}
	return nil
}

// rowReader reads the rows of a row group.
type rowReader struct {
	nodes  []*node
	open   []*cursor // of the leaves below nodes
	values assembler
}

func (f *File) newRowReader(group int, nodes []*node) (r *rowReader, err error) {
	r = &rowReader{nodes: nodes, values: assembler{cursors: make([]*cursor, len(f.leaves))}}
	chunks := f.file.Metadata().RowGroups[group].Columns
	pages := int64(0)
	for _, n := range nodes {
		for i := n.first; i < n.first+n.leaves; i++ {
			largest, err := checkPages(f.os, &chunks[i].MetaData)
			if err != nil {
				return nil, fmt.Errorf("column %s: %w", f.leaves[i].path, err)
			}
			pages += largest
		}
	}
	if pages > maxOpenBytes {
		return nil, fmt.Errorf("a page of each of its columns takes %d bytes together; %d are read at most", pages, int64(maxOpenBytes))
	}
	defer catch(&err)
	for i, column := range f.file.RowGroups()[group].ColumnChunks() {
		if slices.ContainsFunc(nodes, func(n *node) bool { return i >= n.first && i < n.first+n.leaves }) {
			c := newCursor(f.leaves[i], column.(*parquet.FileColumnChunk).PagesFrom(f.os))
			r.values.cursors[i] = c
			r.open = append(r.open, c)
		}
	}
	return r, nil
}

// read reads the next row; last says that no other follows.
func (r *rowReader) read(last bool) (values []data.Value, err error) {
	var reading *node
	defer func() {
		if err != nil && reading != nil {
			err = fmt.Errorf("column %s: %w", reading.path, err)
		}
	}()
	defer catch(&err)
	values = make([]data.Value, len(r.nodes))
	for i, n := range r.nodes {
		reading = n
		values[i] = r.values.value(n)
		if r.values.err != nil {
			return nil, r.values.err
		}
	}
	for _, c := range r.open {
		reading = c.leaf
		if c.next >= len(c.buf) || c.leaf.maxRep > 0 || last {
			if err := r.check(c, last); err != nil {
				return nil, err
			}
		}
	}
	return values, nil
}

func (r *rowReader) check(c *cursor, last bool) error {
	if last {
		return c.atEnd()
	}
	if err := c.atRowEnd(); err != nil {
		return err
	}
	if c.ended {
		return errors.New("damaged: fewer values than rows")
	}
	return nil
}

func (r *rowReader) close() {
	for _, c := range r.open {
		c.close()
	}
}
