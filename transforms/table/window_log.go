package table

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/commit"
)

// The log of a node's windows begins with what made them and those that were open when
// it was last written anew, and goes on with bundles: the rows that were taken, the
// stream's time before and after, and the windows whose results are stored since. Read
// in order it leads to the same windows.

// loggedRow is what the log keeps of a row: the values that the groups look at.
type loggedRow struct {
	id     digest
	time   int64
	values []data.Value
}

// slack is how long a log may become beyond four times what it was when written anew.
const slack = 1 << 20

// open reads the log and goes on with the windows in it.
func (w *windows) open(dir string) (err error) {
	first := true
	w.log, err = commit.OpenLog(dir, func(frame []byte) error {
		if first {
			first = false
			return w.readHead(dir, frame)
		}
		return w.readBundle(frame)
	})
	if err != nil {
		return err
	}
	if first {
		return w.rewrite()
	}
	w.again = slices.SortedFunc(maps.Values(w.leaving), bySpan)
	w.settled = w.log.Size()
	return nil
}

// write appends a bundle to the log; closed is when windows were ended before it.
func (w *windows) write(closed int64, gone []string) error {
	for _, window := range gone {
		delete(w.leaving, window)
	}
	if w.log == nil {
		return nil
	}
	if w.log.Size() > 4*w.settled+slack {
		return w.rewrite()
	}
	return w.log.Append(w.appendBundle(closed, gone))
}

// rewrite puts a head with all that is open in place of the log.
func (w *windows) rewrite() error {
	head, err := w.appendHead()
	if err != nil {
		return err
	}
	if err := w.log.Rewrite(head); err != nil {
		return err
	}
	w.settled = w.log.Size()
	return nil
}

// made is what the windows were made by. With anything else they mean nothing.
func (w *windows) made() ([]byte, error) {
	c := w.config
	var columns, used []string
	for _, column := range c.AggregateConfig.Columns {
		columns = append(columns, column.name+": "+column.value)
	}
	for _, i := range w.plan.used {
		used = append(used, w.plan.in.Field(i).Name+" "+w.plan.in.Field(i).Type.String())
	}
	return json.Marshal(struct {
		Time, Size, Slide, Gap string
		By                     []string
		Columns, Used          []string
	}{
		c.Time, c.Size.String(), c.Slide.String(), c.Gap.String(), c.By, columns, used,
	})
}

func (w *windows) appendHead() ([]byte, error) {
	made, err := w.made()
	if err != nil {
		return nil, err
	}
	b := appendBytes(nil, made)
	b = binary.AppendVarint(b, w.newest)
	b = binary.AppendVarint(b, w.time)
	b = w.known.append(b)
	all := slices.SortedFunc(maps.Values(w.leaving), bySpan)
	all = append(all, w.spans.all()...)
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, s := range all {
		groups, err := s.groups.Marshal()
		if err != nil {
			return nil, err
		}
		b = binary.AppendVarint(b, s.start)
		b = binary.AppendVarint(b, s.end)
		b = appendBytes(appendBytes(b, []byte(s.group)), groups)
	}
	return b, nil
}

func (w *windows) readHead(dir string, frame []byte) error {
	made, err := w.made()
	if err != nil {
		return err
	}
	d := &stateDecoder{b: frame}
	if other := d.bytes(); d.err == nil && !bytes.Equal(made, other) {
		return fmt.Errorf("its windows were made by another configuration or of other columns: %s (give the node another name, or remove %s with the windows in it)", other, dir)
	}
	w.newest, w.time = d.varint(), d.varint()
	w.known.read(d)
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		s := &span{start: d.varint(), end: d.varint(), group: string(d.bytes()), groups: w.newGroups()}
		if groups := d.bytes(); d.err == nil {
			d.err = s.groups.Merge(groups)
		}
		if d.err == nil {
			w.spans.restore(s)
		}
	}
	w.end()
	return d.err
}

func (w *windows) appendBundle(closed int64, gone []string) []byte {
	b := binary.AppendVarint(nil, closed)
	b = binary.AppendVarint(b, w.time)
	b = binary.AppendUvarint(b, uint64(len(w.rows)))
	for _, r := range w.rows {
		b = binary.AppendVarint(append(b, r.id[:]...), r.time)
		for _, i := range w.plan.used {
			b = data.AppendValue(b, r.values[i])
		}
	}
	b = binary.AppendUvarint(b, uint64(len(gone)))
	for _, window := range gone {
		b = appendBytes(b, []byte(window))
	}
	return b
}

func (w *windows) readBundle(frame []byte) error {
	d := &stateDecoder{b: frame}
	w.time = d.varint()
	w.end()
	time := d.varint()
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		row := loggedRow{values: make([]data.Value, w.plan.in.Len())}
		copy(row.id[:], d.take(len(row.id)))
		row.time = d.varint()
		for _, i := range w.plan.used {
			row.values[i] = d.value()
		}
		if d.err == nil {
			_, d.err = w.take(&data.Record{Schema: w.plan.in, Values: row.values}, row)
		}
	}
	w.time = time
	w.end()
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		delete(w.leaving, string(d.bytes()))
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("bytes too many")
	}
	return d.err
}

func appendBytes(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// recent is a set of ids that forgets the oldest.
type recent struct {
	known map[digest]bool
	ids   []digest // a ring once it is full
	next  int
}

// maxRecent is more than the events that may be under way: those are what comes again.
const maxRecent = 1 << 17

func (r *recent) has(id digest) bool { return r.known[id] }

func (r *recent) add(id digest) {
	if r.known == nil {
		r.known = map[digest]bool{}
	}
	if r.known[id] {
		return
	}
	r.known[id] = true
	if len(r.ids) < maxRecent {
		r.ids = append(r.ids, id)
		return
	}
	delete(r.known, r.ids[r.next])
	r.ids[r.next] = id
	r.next = (r.next + 1) % maxRecent
}

// append encodes the ids, oldest first.
func (r *recent) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.ids)))
	for i := range r.ids {
		b = append(b, r.ids[(r.next+i)%len(r.ids)][:]...)
	}
	return b
}

func (r *recent) read(d *stateDecoder) {
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		if id := d.take(len(digest{})); id != nil {
			r.add(digest(id))
		}
	}
}
