package parquet

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	gzipcodec "github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// Options say how a file is written. The zero value is a good choice.
type Options struct {
	Compression  string            // "zstd" (the default), "snappy", "gzip" or "none"
	RowsPerGroup int64             // of a row group, 10,000 by default; it is cut earlier at 64 MB
	Metadata     map[string]string // key-value metadata
	Features     bool              // add the metadata by which Hugging Face datasets know the columns
}

// Compressions are the valid values of Options.Compression.
var Compressions = []string{"zstd", "snappy", "gzip", "none"}

const (
	defaultRowsPerGroup = 10_000
	maxGroupBytes       = 64 << 20 // of a row group's values, which bounds the memory of a writer
	maxBatchBytes       = 256 << 10
	maxBatchRows        = 64
	pageBytes           = 1 << 20

	createdBy = "penstock"
)

// Writer writes a file, from one goroutine.
type Writer struct {
	path    string
	file    *os.File
	out     *parquet.GenericWriter[any]
	columns []*parquet.ColumnWriter
	root    *node
	values  disassembler
	marks   []mark // by leaf, before the row being written
	codec   format.CompressionCodec

	rowsPerGroup int64
	batchRows    int   // rows in values
	groupRows    int64 // rows in the row group, those in values included
	groupBytes   int
	rows         int64
}

// mark is how much of a leaf there is.
type mark struct{ values, pending int }

// NewWriter creates the file, or empties it. Errors name it.
func NewWriter(path string, schema *data.Schema, o Options) (*Writer, error) {
	w := &Writer{path: path, rowsPerGroup: o.RowsPerGroup}
	if w.rowsPerGroup <= 0 {
		w.rowsPerGroup = defaultRowsPerGroup
	}
	root, columns, leaves, err := writeTree(schema)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	config, err := o.config(schema, columns, leaves)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if w.file, err = os.Create(path); err != nil {
		return nil, err
	}
	w.root = root
	w.codec = config.Compression.CompressionCodec()
	// Statistics in page headers repeat what the page index has, in full length. A
	// config cannot turn them off: the library joins it with the default.
	w.out = parquet.NewGenericWriter[any](w.file, config, parquet.DataPageStatistics(false))
	w.columns = w.out.ColumnWriters()
	w.values.columns = make([][]parquet.Value, len(leaves))
	w.values.pending = make([][]data.Value, len(leaves))
	w.marks = make([]mark, len(leaves))
	return w, nil
}

func (o Options) config(schema *data.Schema, columns *parquet.Schema, leaves []*node) (*parquet.WriterConfig, error) {
	codec, err := o.codec()
	if err != nil {
		return nil, err
	}
	config := parquet.DefaultWriterConfig()
	config.CreatedBy = createdBy
	config.Schema = columns
	config.Compression = codec
	// Every column holds a page in memory: wide files get smaller ones.
	config.PageBufferSize = min(pageBytes, max(64<<10, maxGroupBytes/len(leaves)))
	paths := columns.Columns()
	for i, leaf := range leaves {
		if !leaf.scalar.bounded {
			config.SkipPageBounds = append(config.SkipPageBounds, paths[i])
		}
	}
	config.KeyValueMetadata = make(map[string]string, len(o.Metadata)+1)
	for k, v := range o.Metadata {
		config.KeyValueMetadata[k] = v
	}
	delete(config.KeyValueMetadata, originsKey) // of the file that the rows came from
	if text, ok := origins(schema); ok {
		config.KeyValueMetadata[originsKey] = text
	}
	if o.Features {
		if f, ok := features(schema); ok {
			config.KeyValueMetadata[featuresKey] = f
		}
	}
	return config, config.Validate()
}

func (o Options) codec() (compress.Codec, error) {
	switch o.Compression {
	case "", "zstd":
		return &parquet.Zstd, nil
	case "snappy":
		return &parquet.Snappy, nil
	case "gzip":
		return &gzipcodec.Codec{Level: gzip.DefaultCompression}, nil
	case "none":
		return &parquet.Uncompressed, nil
	}
	return nil, fmt.Errorf("unknown compression %q (want %s)", o.Compression, strings.Join(Compressions, ", "))
}

// Write appends a row: a value for each column of the schema, which must not be
// modified until Close. A row that does not fit the schema is an error and leaves
// the file as it was, so that the next can be written.
func (w *Writer) Write(values []data.Value) (err error) {
	if len(values) != len(w.root.children) {
		return fmt.Errorf("%s: %d values for %d columns", w.path, len(values), len(w.root.children))
	}
	for i := range w.marks {
		w.marks[i] = mark{len(w.values.columns[i]), len(w.values.pending[i])}
	}
	bytes := w.values.bytes
	for i, n := range w.root.children {
		if plain(n, values[i]) {
			w.values.later(n, values[i])
			continue
		}
		if len(w.values.pending[n.first]) > 0 {
			w.values.settle(n)
			w.marks[n.first] = mark{values: len(w.values.columns[n.first])}
		}
		if err := w.values.field(n, values[i], 0, 0); err != nil {
			for i, m := range w.marks {
				w.values.columns[i] = w.values.columns[i][:m.values]
				w.values.pending[i] = w.values.pending[i][:m.pending]
			}
			w.values.bytes = bytes
			return err
		}
	}
	w.batchRows++
	w.groupRows++
	w.rows++
	if w.batchRows >= maxBatchRows || w.values.bytes >= maxBatchBytes || w.groupRows >= w.rowsPerGroup {
		if err := w.flush(); err != nil {
			return fmt.Errorf("%s: %w", w.path, err)
		}
	}
	return nil
}

// flush hands the batch to the columns, and closes the row group if it is full.
func (w *Writer) flush() (err error) {
	defer catch(&err)
	if err := w.flushColumns(); err != nil {
		return err
	}
	w.groupBytes += w.values.bytes
	w.values.bytes, w.batchRows = 0, 0
	if w.groupRows >= w.rowsPerGroup || w.groupBytes >= maxGroupBytes {
		w.groupRows, w.groupBytes = 0, 0
		return w.out.Flush()
	}
	return nil
}

// longColumn is how many values of a column in a batch are worth a goroutine.
const longColumn = 4096

// flushColumns hands the batch's values to the columns, which share nothing: long ones
// are encoded side by side. What is written does not depend on it.
func (w *Writer) flushColumns() error {
	var wait sync.WaitGroup
	failed := make([]error, len(w.root.children))
	for i, n := range w.root.children {
		if len(w.values.pending[n.first]) > 0 || len(w.values.columns[n.first]) >= longColumn {
			wait.Go(func() { failed[i] = w.flushColumn(n) })
		} else {
			failed[i] = w.flushColumn(n)
		}
	}
	wait.Wait()
	return errors.Join(failed...)
}

// flushColumn hands over what there is for the leaves of a column.
func (w *Writer) flushColumn(n *node) (err error) {
	defer catch(&err)
	w.values.settle(n)
	for i := n.first; i < n.first+n.leaves; i++ {
		values := w.values.columns[i]
		if len(values) == 0 {
			continue
		}
		if _, err := w.columns[i].WriteRowValues(values); err != nil {
			return err
		}
		clear(values)
		w.values.columns[i] = values[:0]
	}
	return nil
}

// Close completes the file and makes it durable.
func (w *Writer) Close() (rows, bytes int64, err error) {
	err = w.flush()
	if err == nil {
		err = w.closeLibrary()
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		bytes, err = w.file.Seek(0, 1)
	}
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", w.path, err)
	}
	return w.rows, bytes, nil
}

func (w *Writer) closeLibrary() (err error) {
	defer catch(&err)
	return w.out.Close()
}

// Abort closes and removes the file.
func (w *Writer) Abort() {
	w.file.Close()
	os.Remove(w.path)
}

// CanWrite returns an error if a column's type cannot be stored.
func CanWrite(schema *data.Schema) error {
	_, _, _, err := writeTree(schema)
	return err
}
