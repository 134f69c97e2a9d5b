package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name: "ReadParquet", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			n := new(ReadParquet)
			return n, transforms.Decode(config, n)
		},
	})
	transforms.Register(transforms.Kind{
		Name: "WriteParquet", Inputs: []string{transforms.In},
		New: func(config []byte) (transforms.Node, error) {
			n := new(WriteParquet)
			if err := transforms.Decode(config, n); err != nil {
				return nil, err
			}
			return n, n.check()
		},
	})
}

var (
	_ transforms.Source = (*ReadParquet)(nil)
	_ transforms.Sink   = (*WriteParquet)(nil)
)

// ReadParquet reads rows from Parquet files, with all their columns.
type ReadParquet struct {
	Path    string  `json:"path"`    // a file, folder or glob
	Declare columns `json:"columns"` // columns that must be there, with their types
	Key     string  `json:"key"`     // the column that identifies a row, if any
}

// splitBytes is how many bytes, unpacked, a split has at least: smaller row
// groups that lie side by side share one.
const splitBytes = 8 << 20

// Columns reads the footers of all files.
func (n *ReadParquet) Columns(transforms.Ports) (transforms.Ports, error) {
	inputs, err := expand(n.Path, ".parquet")
	if err != nil {
		return nil, err
	}
	var first *data.Schema
	for _, in := range inputs {
		schema, err := parquetSchema(in.Path)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = schema
		}
		if err := sameColumns(inputs[0].Path, first, in.Path, schema); err != nil {
			return nil, err
		}
		if first, err = sharedOrigins(first, schema); err != nil {
			return nil, err
		}
	}
	_, keyErr := newKeys(first, n.Key)
	if err := errors.Join(n.Declare.check(inputs[0].Path, first), keyErr); err != nil {
		return nil, err
	}
	return transforms.OutPort(first), nil
}

// sharedOrigins is a schema without the origins of columns that another file of
// the same columns does not share.
func sharedOrigins(a, b *data.Schema) (*data.Schema, error) {
	fields := slices.Clone(a.Fields())
	for i := range fields {
		if fields[i].Origin != b.Field(i).Origin {
			fields[i].Origin = ""
		}
	}
	return data.NewSchema(fields...)
}

func parquetSchema(path string) (*data.Schema, error) {
	f, err := parquet.Open(path)
	if err != nil {
		return nil, pathError(err.Error(), "")
	}
	defer f.Close()
	return f.Schema(), nil
}

// Splits are the row groups of the files.
func (n *ReadParquet) Splits(ctx context.Context) ([]transforms.Split, error) {
	inputs, err := expand(n.Path, ".parquet")
	if err != nil {
		return nil, err
	}
	var splits []transforms.Split
	for i, in := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f, err := parquet.Open(in.Path)
		if err != nil {
			return nil, err
		}
		splits = append(splits, fileSplits(i, in, f.RowGroups())...)
		f.Close()
	}
	return splits, nil
}

func fileSplits(ordinal int, in input, groups []parquet.RowGroupInfo) []transforms.Split {
	var splits []transforms.Split
	row, bytes := int64(0), int64(splitBytes)
	for i, g := range groups {
		if bytes >= splitBytes {
			splits = append(splits, transforms.Split{Path: in.Path, Name: in.Name, Begin: int64(i), FirstRow: row, Order: order(ordinal, row)})
			bytes = 0
		}
		last := &splits[len(splits)-1]
		last.End = int64(i) + 1
		last.Rows += g.Rows
		row += g.Rows
		bytes += g.Bytes
	}
	return splits
}

// Read reads the row groups of a split. Only a row without a key is rejected: a
// damaged page takes its rows with it, and is an error.
func (n *ReadParquet) Read(ctx context.Context, s transforms.Split, emit func(*data.Record) error, reject func(*transforms.Rejected)) error {
	f, err := parquet.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	schema := f.Schema()
	keys, err := newKeys(schema, n.Key)
	if err != nil {
		return err
	}
	return f.Read(ctx, int(s.Begin), int(s.End), nil, func(row int64, values []data.Value) error {
		r := &data.Record{Schema: schema, Order: s.Order + row - s.FirstRow, Values: values}
		if r.ID, err = keys.id(s.Name, row, values); err != nil {
			reject(transforms.AsRejected(r, err))
			return nil
		}
		return emit(r)
	})
}

// WriteParquet writes rows to a Parquet file or a folder of them.
type WriteParquet struct {
	Path         string `json:"path"`         // a file, or a folder with a closing slash
	Compression  string `json:"compression"`  // see parquet.Options
	RowsPerGroup int64  `json:"rowsPerGroup"` // see parquet.Options
	RowsPerFile  int64  `json:"rowsPerFile"`  // of a file in a folder; 0 for no limit
}

func (n *WriteParquet) check() error {
	if n.Path == "" {
		return pathError("no path", "")
	}
	if n.Compression != "" && !slices.Contains(parquet.Compressions, n.Compression) {
		return &transforms.FieldError{Field: "compression", Message: fmt.Sprintf("unknown compression %q", n.Compression), Hint: "want " + strings.Join(parquet.Compressions, ", ")}
	}
	return nil
}

// Columns checks that the input can be stored.
func (n *WriteParquet) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	if err := parquet.CanWrite(schema); err != nil {
		return nil, &transforms.FieldError{Field: transforms.In, Code: transforms.ColumnType, Message: err.Error()}
	}
	return nil, nil
}

// Create opens a shard.
func (n *WriteParquet) Create(_ context.Context, run transforms.Run, attempt string) (transforms.ShardWriter, error) {
	s := &parquetShard{node: n, run: run, attempt: attempt}
	return s, s.open()
}

func (n *WriteParquet) options(run transforms.Run) parquet.Options {
	return parquet.Options{Compression: n.Compression, RowsPerGroup: n.RowsPerGroup, Metadata: run.Provenance, Features: true}
}

// Commit puts the shards in place. Without any, the output is a file that has
// the columns and no rows.
func (n *WriteParquet) Commit(ctx context.Context, run transforms.Run, shards []transforms.Shard) error {
	shards, err := orEmpty(ctx, n, run, shards)
	if err != nil {
		return err
	}
	files, err := parquetFiles(shards)
	if err != nil {
		return err
	}
	merge := func(ctx context.Context, dst string, srcs []string) error {
		return parquet.Merge(ctx, dst, n.options(run), srcs...)
	}
	return commit.New(n.Path).Commit(ctx, run.ID, files, merge)
}

// Discard removes the shards of a run that failed.
func (n *WriteParquet) Discard(run transforms.Run) error {
	return commit.New(n.Path).Discard(run.ID)
}

// parquetFiles lists the files of the shards. Rows and bytes of a file of several
// are looked up; a missing one is left to the commit, which may be a repetition.
func parquetFiles(shards []transforms.Shard) ([]commit.Shard, error) {
	var files []commit.Shard
	for _, s := range shards {
		if len(s.Paths) < 2 {
			files = append(files, commit.Shard{Path: s.Path, Rows: s.Rows, Bytes: s.Bytes})
			continue
		}
		for _, path := range s.Paths {
			file := commit.Shard{Path: path}
			info, err := os.Stat(path)
			if err == nil {
				file.Bytes = info.Size()
				file.Rows, err = parquetRows(path)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			files = append(files, file)
		}
	}
	return files, nil
}

func parquetRows(path string) (int64, error) {
	f, err := parquet.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Rows(), nil
}

// parquetShard writes a shard, in several files if the node says so.
type parquetShard struct {
	node    *WriteParquet
	run     transforms.Run
	attempt string

	file     *parquet.Writer
	fileRows int64
	shard    transforms.Shard
}

func (s *parquetShard) open() error {
	attempt := s.attempt
	if n := len(s.shard.Paths); n > 0 {
		attempt = fmt.Sprintf("%s-%d", attempt, n)
	}
	path, err := commit.New(s.node.Path).Temp(s.run.ID, attempt, ".parquet")
	if err != nil {
		return err
	}
	s.file, err = parquet.NewWriter(path, s.run.Schema, s.node.options(s.run))
	s.fileRows = 0
	s.shard.Paths = append(s.shard.Paths, path)
	return err
}

func (s *parquetShard) Write(r *data.Record) error {
	if s.node.RowsPerFile > 0 && s.fileRows >= s.node.RowsPerFile && commit.New(s.node.Path).IsFolder() {
		if err := s.closeFile(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
	}
	if err := s.file.Write(r.Values); err != nil {
		return fmt.Errorf("%s: row %s: %w", s.node.Path, r.ID, err)
	}
	if s.shard.Rows == 0 || r.Order < s.shard.First {
		s.shard.First = r.Order
	}
	s.shard.Rows++
	s.fileRows++
	return nil
}

func (s *parquetShard) closeFile() error {
	_, bytes, err := s.file.Close()
	s.shard.Bytes += bytes
	return err
}

func (s *parquetShard) Close() (transforms.Shard, error) {
	if err := s.closeFile(); err != nil {
		return transforms.Shard{}, err
	}
	s.shard.Path = s.shard.Paths[0]
	return s.shard, nil
}

func (s *parquetShard) Abort() {
	s.file.Abort()
	for _, path := range s.shard.Paths {
		os.Remove(path)
	}
}
