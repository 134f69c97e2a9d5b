package parquet

import (
	"errors"
	"fmt"
	"os"

	"github.com/parquet-go/parquet-go"

	"penstock.dev/data"
)

// File is an open Parquet file. Its methods may be called from several
// goroutines at once.
type File struct {
	path   string
	os     *os.File
	file   *parquet.File
	schema *data.Schema
	root   *node
	leaves []*node
}

// RowGroupInfo describes a row group.
type RowGroupInfo struct {
	Rows  int64
	Bytes int64 // of all columns, unpacked
}

// Open opens a file and checks its footer; pages are checked as they are read.
// Errors name the file.
func Open(path string) (*File, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		f.Close()
		return nil, f.wrap(err)
	}
	return f, nil
}

func (f *File) open() (err error) {
	if f.os, err = os.Open(f.path); err != nil {
		return err
	}
	info, err := f.os.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("is a folder")
	}
	if err := checkTail(f.os, info.Size()); err != nil {
		return err
	}
	defer catch(&err)
	// Indexes and filters are where the library trusts a file most.
	f.file, err = parquet.OpenFile(f.os, info.Size(),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true),
		parquet.FileReadMode(parquet.ReadModeSync))
	if err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if f.root, f.leaves, err = readTree(f.file.Metadata().Schema); err != nil {
		return err
	}
	if f.schema, err = data.NewSchema(withOrigins(f.root.typ.Fields, f.Metadata())...); err != nil {
		return err
	}
	return checkMetadata(f.file.Metadata(), f.leaves, info.Size())
}

// Close closes the file.
func (f *File) Close() error {
	if f.os == nil {
		return nil
	}
	return f.os.Close()
}

// Path is what Open was called with.
func (f *File) Path() string { return f.path }

// Schema is the columns in the file's order.
func (f *File) Schema() *data.Schema { return f.schema }

// Rows is the number of rows.
func (f *File) Rows() int64 { return f.file.NumRows() }

// RowGroups describes the row groups in order.
func (f *File) RowGroups() []RowGroupInfo {
	groups := make([]RowGroupInfo, len(f.file.Metadata().RowGroups))
	for i, g := range f.file.Metadata().RowGroups {
		groups[i].Rows = g.NumRows
		for j := range g.Columns {
			groups[i].Bytes += g.Columns[j].MetaData.TotalUncompressedSize
		}
	}
	return groups
}

// Metadata is the file's key-value metadata.
func (f *File) Metadata() map[string]string {
	m := make(map[string]string)
	for _, kv := range f.file.Metadata().KeyValueMetadata {
		m[kv.Key] = kv.Value
	}
	return m
}

func (f *File) wrap(err error) error { return fmt.Errorf("%s: %w", f.path, err) }
