// Package stream reads and writes text files that may be compressed: ".gz" and
// ".zst" at the end of a name mean gzip and zstd. Text is read line by line with
// a bound on a line's length, so that neither a file without line ends nor a few
// bytes that unpack to many can exhaust memory.
package stream

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	bufferBytes = 256 << 10
	maxWindow   = 128 << 20 // of a zstd frame, as of zstd --long=27
)

// Open opens a file and unpacks it on the way.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	unpack, err := unpacker(path, bufio.NewReaderSize(f, bufferBytes))
	if err == io.EOF {
		err = errors.New("the file is empty, not compressed text")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &reader{unpack, f, path}, nil
}

func unpacker(path string, r io.Reader) (io.ReadCloser, error) {
	switch compression(path) {
	case ".gz":
		return gzip.NewReader(r)
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

type reader struct {
	unpack io.ReadCloser
	file   *os.File
	path   string
}

// Read adds the file's name to what went wrong.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.unpack.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", r.path, err)
	}
	return n, err
}

func (r *reader) Close() error { return errors.Join(r.unpack.Close(), r.file.Close()) }

// Create creates a file and packs it on the way. Close completes the file and
// makes it durable.
func Create(path string) (io.WriteCloser, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &writer{file: f, buffer: bufio.NewWriterSize(f, bufferBytes)}
	switch compression(path) {
	case ".gz":
		w.pack = gzip.NewWriter(w.buffer)
	case ".zst":
		w.pack, err = zstd.NewWriter(w.buffer, zstd.WithEncoderConcurrency(1))
	default:
		w.pack = plain{w.buffer}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return w, nil
}

type writer struct {
	file   *os.File
	buffer *bufio.Writer
	pack   io.WriteCloser
}

func (w *writer) Write(p []byte) (int, error) { return w.pack.Write(p) }

func (w *writer) Close() error {
	err := errors.Join(w.pack.Close(), w.buffer.Flush())
	if err == nil {
		err = w.file.Sync()
	}
	return errors.Join(err, w.file.Close())
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// compression is the extension that names a compression, "" if there is none.
func compression(path string) string {
	for _, ext := range []string{".gz", ".zst"} {
		if strings.HasSuffix(strings.ToLower(path), ext) {
			return ext
		}
	}
	return ""
}

// Extensions are the names a format's files may end in: its own extensions and
// each of them compressed.
func Extensions(plain ...string) []string {
	var all []string
	for _, ext := range plain {
		all = append(all, ext, ext+".gz", ext+".zst")
	}
	return all
}
