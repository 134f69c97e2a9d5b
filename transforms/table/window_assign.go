package table

import (
	"cmp"
	"slices"

	"penstock.dev/data"
)

// span is a window with what is known of its rows. Times are in microseconds since
// 1970-01-01 UTC; end is not in it.
type span struct {
	start, end int64
	group      string // that a session is of
	groups     *groups
	left       int // results that are not stored, once it is over
}

// spans are the windows that are open.
type spans interface {
	// add takes a row of a time, and reports whether any window of it is still open.
	add(r *data.Record, t int64) (bool, error)
	// over removes the windows that ended by a time, in the order of their ends.
	over(before int64) []*span
	// all are the windows, in an order that is always the same.
	all() []*span
	// restore takes back what all gave.
	restore(s *span)
}

func bySpan(a, b *span) int {
	return cmp.Or(cmp.Compare(a.end, b.end), cmp.Compare(a.start, b.start), cmp.Compare(a.group, b.group))
}

// sized are windows of one size, by their start.
type sized struct {
	size, slide int64
	closed      int64 // windows that ended by then are over
	soonest     int64 // no window ends before
	open        map[int64]*span
	groups      func() *groups
}

func (w *sized) add(r *data.Record, t int64) (took bool, err error) {
	last := t - modulo(t, w.slide)
	for start := last; start > t-w.size; start -= w.slide {
		if start+w.size <= w.closed {
			break
		}
		s := w.open[start]
		if s == nil {
			s = &span{start: start, end: start + w.size, groups: w.groups()}
			w.restore(s)
		}
		if err := s.groups.Add(r); err != nil {
			return false, err
		}
		took = true
	}
	return took, nil
}

func modulo(a, n int64) int64 { return ((a % n) + n) % n }

func (w *sized) over(before int64) (over []*span) {
	w.closed = before
	if before < w.soonest {
		return nil
	}
	w.soonest = forever
	for start, s := range w.open {
		if s.end <= before {
			over = append(over, s)
			delete(w.open, start)
		} else {
			w.soonest = min(w.soonest, s.end)
		}
	}
	slices.SortFunc(over, bySpan)
	return over
}

func (w *sized) all() (all []*span) {
	for _, s := range w.open {
		all = append(all, s)
	}
	slices.SortFunc(all, bySpan)
	return all
}

func (w *sized) restore(s *span) {
	w.open[s.start] = s
	w.soonest = min(w.soonest, s.end)
}

// sessions are windows of a group that end when it has had no row for gap.
type sessions struct {
	gap     int64
	closed  int64
	soonest int64              // no session ends before
	open    map[string][]*span // by group, apart from each other
	groups  func() *groups
	by      []int
}

func (w *sessions) add(r *data.Record, t int64) (bool, error) {
	key := string(appendKeys(nil, r, w.by))
	var joined *span
	apart := w.open[key][:0]
	for _, s := range w.open[key] {
		switch {
		case s.end <= t || t+w.gap <= s.start:
			apart = append(apart, s)
			continue
		case joined == nil:
			joined = s
		default:
			if err := joined.groups.absorb(s.groups); err != nil {
				return false, err
			}
		}
		joined.start, joined.end = min(joined.start, s.start, t), max(joined.end, s.end, t+w.gap)
	}
	if joined == nil {
		if t+w.gap <= w.closed {
			return false, nil
		}
		joined = &span{start: t, end: t + w.gap, group: key, groups: w.groups()}
		w.soonest = min(w.soonest, joined.end)
	}
	w.open[key] = append(apart, joined)
	return true, joined.groups.Add(r)
}

func (w *sessions) over(before int64) (over []*span) {
	w.closed = before
	if before < w.soonest {
		return nil
	}
	w.soonest = forever
	for key, all := range w.open {
		var rest []*span
		for _, s := range all {
			if s.end <= before {
				over = append(over, s)
			} else {
				rest = append(rest, s)
				w.soonest = min(w.soonest, s.end)
			}
		}
		if w.open[key] = rest; len(rest) == 0 {
			delete(w.open, key)
		}
	}
	slices.SortFunc(over, bySpan)
	return over
}

func (w *sessions) all() (all []*span) {
	for _, of := range w.open {
		all = append(all, of...)
	}
	slices.SortFunc(all, bySpan)
	return all
}

func (w *sessions) restore(s *span) {
	w.open[s.group] = append(w.open[s.group], s)
	w.soonest = min(w.soonest, s.end)
}
