package graphs

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"penstock.dev/data"
)

// spill is a file of encoded records by growing order: a sorted run.
type spill struct {
	Path, Port string
	Branch     int   // of those that lead to the port
	First      int64 // smallest order
	Rows       int64
}

type spillWriter struct {
	file  *os.File
	out   *bufio.Writer
	run   spill
	last  int64
	bytes []byte
}

func newSpillWriter(path string) (*spillWriter, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &spillWriter{file: f, out: bufio.NewWriterSize(f, 1<<18), run: spill{Path: path}}, nil
}

func (w *spillWriter) write(r *data.Record) error {
	if w.run.Rows == 0 {
		w.run.First = r.Order
	}
	w.run.Rows++
	w.last = r.Order
	w.bytes = data.AppendRecord(w.bytes[:0], r)
	if _, err := w.out.Write(binary.AppendUvarint(nil, uint64(len(w.bytes)))); err != nil {
		return err
	}
	_, err := w.out.Write(w.bytes)
	return err
}

func (w *spillWriter) close() (spill, error) {
	return w.run, errors.Join(w.out.Flush(), w.file.Close())
}

// spills are the inputs of a global node on disk.
type spills []spill

func readSpills(gathered [][]byte) (spills, error) {
	var all spills
	for _, g := range gathered {
		var runs []spill
		if err := json.Unmarshal(g, &runs); err != nil {
			return nil, err
		}
		all = append(all, runs...)
	}
	slices.SortFunc(all, func(a, b spill) int {
		return cmp.Or(cmp.Compare(a.Branch, b.Branch), cmp.Compare(a.First, b.First), cmp.Compare(a.Path, b.Path))
	})
	return all, nil
}

func (s spills) remove() {
	for _, run := range s {
		os.Remove(run.Path)
	}
}

// Count is that of transforms.Inputs.
func (s spills) Count(port string) (n int64) {
	for _, run := range s {
		if run.Port == port {
			n += run.Rows
		}
	}
	return n
}

// Rows is that of transforms.Inputs: it merges the runs of the port.
func (s spills) Rows(port string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		var m merge
		defer m.close()
		for i, run := range s {
			if run.Port != port {
				continue
			}
			if err := m.open(run.Path, i); err != nil {
				yield(nil, err)
				return
			}
		}
		for len(m) > 0 {
			head := m[0]
			if !yield(head.record, nil) {
				return
			}
			if err := m.advance(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// merge is a heap of runs by the order of their next record.
type merge []*spillReader

type spillReader struct {
	file   *os.File
	in     *bufio.Reader
	rank   int
	record *data.Record
}

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m merge) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(m[i].record.Order, m[j].record.Order), cmp.Compare(m[i].rank, m[j].rank)) < 0
}
func (m *merge) Push(x any) { *m = append(*m, x.(*spillReader)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

func (m *merge) open(path string, rank int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	r := &spillReader{file: f, in: bufio.NewReaderSize(f, 1<<16), rank: rank}
	if err := r.next(); err != nil {
		f.Close()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	heap.Push(m, r)
	return nil
}

// advance replaces the head by its run's next record.
func (m *merge) advance() error {
	head := (*m)[0]
	err := head.next()
	if errors.Is(err, io.EOF) {
		head.file.Close()
		heap.Pop(m)
		return nil
	}
	if err == nil {
		heap.Fix(m, 0)
	}
	return err
}

func (m merge) close() {
	for _, r := range m {
		r.file.Close()
	}
}

func (r *spillReader) next() error {
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return err
	}
	b := make([]byte, n) // the record shares its memory
	if _, err := io.ReadFull(r.in, b); err != nil {
		return err
	}
	r.record, err = data.DecodeRecord(b)
	return err
}
