package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/data/stream"
	"penstock.dev/transforms"
)

// rowFormat spells rows as text.
type rowFormat interface {
	header() []byte // begins every file
	appendRow(b []byte, values []data.Value) []byte
}

// textSink writes rows as text files, with a format of its own for each shard.
type textSink struct {
	path      string
	extension string // of the files
	format    func(*data.Schema) rowFormat
}

var _ transforms.Sink = (*textSink)(nil)

// newTextSink checks the path; a single file must have one of the extensions,
// of which the first is that of shards in a folder.
func newTextSink(path string, extensions []string, format func(*data.Schema) rowFormat) (*textSink, error) {
	if path == "" {
		return nil, pathError("no path", "")
	}
	s := &textSink{path, extensions[0], format}
	if commit.New(path).IsFolder() {
		return s, nil
	}
	name := strings.ToLower(filepath.Base(path))
	for _, ext := range extensions {
		if strings.HasSuffix(name, ext) {
			s.extension = ext
			return s, nil
		}
	}
	return nil, pathError(fmt.Sprintf("%s is no name for this kind of file", path), "want "+strings.Join(extensions, ", "))
}

// Columns takes every schema.
func (s *textSink) Columns(in transforms.Ports) (transforms.Ports, error) {
	_, err := transforms.Input(in)
	return nil, err
}

// Create opens a shard.
func (s *textSink) Create(_ context.Context, run transforms.Run, attempt string) (transforms.ShardWriter, error) {
	path, err := commit.New(s.path).Temp(run.ID, attempt, s.extension)
	if err != nil {
		return nil, err
	}
	out, err := stream.Create(path)
	if err != nil {
		return nil, err
	}
	w := &textShard{out: out, format: s.format(run.Schema), shard: transforms.Shard{Path: path}}
	if _, err := out.Write(w.format.header()); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// Commit puts the shards in place. Without any, the output is a file without
// rows.
func (s *textSink) Commit(ctx context.Context, run transforms.Run, shards []transforms.Shard) error {
	shards, err := orEmpty(ctx, s, run, shards)
	if err != nil {
		return err
	}
	files := make([]commit.Shard, len(shards))
	for i, shard := range shards {
		files[i] = commit.Shard{Path: shard.Path, Rows: shard.Rows, Bytes: shard.Bytes}
	}
	header := s.format(run.Schema).header()
	merge := func(ctx context.Context, dst string, srcs []string) error {
		return mergeText(ctx, dst, srcs, int64(len(header)))
	}
	return commit.New(s.path).Commit(ctx, run.ID, files, merge)
}

// Discard removes the shards of a run that failed.
func (s *textSink) Discard(run transforms.Run) error {
	return commit.New(s.path).Discard(run.ID)
}

// mergeText makes one file of several; the first header bytes of all but the
// first are left out.
func mergeText(ctx context.Context, dst string, srcs []string, header int64) error {
	out, err := stream.Create(dst)
	if err != nil {
		return err
	}
	for i, src := range srcs {
		skip := header
		if i == 0 {
			skip = 0
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			break
		}
		err = appendText(out, src, skip)
	}
	return errors.Join(err, out.Close())
}

func appendText(dst io.Writer, path string, skip int64) error {
	src, err := stream.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	if _, err := io.CopyN(io.Discard, src, skip); err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

// textShard writes one file.
type textShard struct {
	out    io.WriteCloser
	format rowFormat
	line   []byte
	shard  transforms.Shard
}

func (w *textShard) Write(r *data.Record) error {
	w.line = w.format.appendRow(w.line[:0], r.Values)
	if _, err := w.out.Write(w.line); err != nil {
		return err
	}
	if w.shard.Rows == 0 || r.Order < w.shard.First {
		w.shard.First = r.Order
	}
	w.shard.Rows++
	return nil
}

func (w *textShard) Close() (transforms.Shard, error) {
	if err := w.out.Close(); err != nil {
		return transforms.Shard{}, err
	}
	info, err := os.Stat(w.shard.Path)
	if err != nil {
		return transforms.Shard{}, err
	}
	w.shard.Bytes = info.Size()
	return w.shard, nil
}

func (w *textShard) Abort() {
	w.out.Close()
	os.Remove(w.shard.Path)
}
