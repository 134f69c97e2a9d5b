package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var readings = data.MustSchema(
	data.Field{Name: "at", Type: data.TimestampType, Nullable: true},
	data.Field{Name: "who", Type: data.StringType},
	data.Field{Name: "note", Type: data.StringType},
	data.Field{Name: "x", Type: data.Float64Type},
)

// reading is a row of a time in seconds since the epoch, to the millisecond.
type reading struct {
	second float64
	who    string
	x      float64
}

// stream runs a Window node over bundles, as the engine does, until it is stopped.
type stream struct {
	t       *testing.T
	windows *windows
	events  map[int]bool      // rows whose events were let go
	results map[string]string // by the name of their event; a store knows those it has
	held    []func()          // store results that are kept back
	late    []int
}

func newWindowNode(t *testing.T, fields map[string]any) (*window, error) {
	t.Helper()
	config := map[string]any{
		"time": "at", "by": []string{"who"}, "columns": map[string]string{"n": "count()", "sum": "sum(x)", "worst": "max(x)"},
		"lateness": "0s", "idle": "0s", "ahead": "1h",
	}
	maps.Copy(config, fields)
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newWindow(b)
	if err != nil {
		return nil, err
	}
	_, err = n.Columns(transforms.Ports{{Name: transforms.In, Schema: readings}})
	return n.(*window), err
}

func (s *stream) open(fields map[string]any, state string) {
	s.t.Helper()
	n, err := newWindowNode(s.t, fields)
	if err != nil {
		s.t.Fatal(err)
	}
	acc, err := n.OpenStream(context.Background(), transforms.Run{Graph: "g", Node: "w", State: state})
	if err != nil {
		s.t.Fatal(err)
	}
	s.windows, s.held = acc.(*windows), nil
}

func record(n int, r reading) *data.Record {
	return &data.Record{Schema: readings, ID: data.ID{Source: "S", Row: int64(n)}, Values: []data.Value{
		data.TimestampValue(1000*milli(r.second), data.Micro), data.StringValue(r.who), data.StringValue("a note"), data.Float64Value(r.x),
	}}
}

// bundle hands rows on, in order of their numbers; hold keeps results back until the
// next bundle.
func (s *stream) bundle(rows map[int]reading, hold bool) {
	s.t.Helper()
	for _, store := range s.held {
		store()
	}
	s.held = nil
	s.windows.Begin(true)
	for _, n := range slices.Sorted(maps.Keys(rows)) {
		err := s.windows.Add(context.Background(), fmt.Sprint("S:", n), record(n, rows[n]), func() { s.events[n] = true },
			func(port string, r *data.Record) {
				if port != Late {
					s.t.Errorf("row %d went to %s", n, port)
				}
				s.late = append(s.late, n)
			})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	err := s.windows.Flush(context.Background(), func(port string, r *data.Record) {
		text := r.ID.Source
		for i, v := range r.Values[2:] {
			text += " " + string(data.AppendText(nil, v, r.Schema.Field(i+2).Type))
		}
		store := func() {
			if known, again := s.results[r.Event().Name]; again && known != text {
				s.t.Errorf("a result came again as another: %q, %q", known, text)
			}
			s.results[r.Event().Name] = text
			r.Event().Release()
		}
		if s.held = append(s.held, store); !hold {
			s.held = s.held[:len(s.held)-1]
			store()
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// readingsOf makes rows that come somewhat out of order, of a whole number of quarters
// so that sums are exact.
func readingsOf(seed uint64, n int) []reading {
	rng := rand.New(rand.NewPCG(seed, 1))
	rows := make([]reading, n)
	now := -20.0
	for i := range rows {
		now += rng.Float64() * 3
		if rng.IntN(20) == 0 {
			now += 30
		}
		rows[i] = reading{float64(int((now-rng.Float64()*6)*1e3)) / 1e3, string(rune('a' + rng.IntN(3))), float64(rng.IntN(40)) / 4}
	}
	return rows
}

// expected are the results over rows by the definition of windows, with none late.
func expected(rows []reading, size, slide, gap float64) map[string]bool {
	type of struct {
		start, end float64
		who        string
	}
	in := map[of][]reading{}
	if gap == 0 {
		for _, r := range rows {
			for k := -100.0; k < 2000; k++ {
				if start := k * slide; start <= r.second && r.second < start+size {
					in[of{start, start + size, r.who}] = append(in[of{start, start + size, r.who}], r)
				}
			}
		}
	} else {
		sorted := slices.Clone(rows)
		slices.SortStableFunc(sorted, func(a, b reading) int { return int(milli(a.second) - milli(b.second)) })
		for _, who := range []string{"a", "b", "c"} {
			var session []reading
			end := func() {
				if len(session) > 0 {
					in[of{session[0].second, session[len(session)-1].second + gap, who}] = session
				}
				session = nil
			}
			for _, r := range sorted {
				if r.who != who {
					continue
				}
				if len(session) > 0 && r.second-session[len(session)-1].second >= gap-1e-9 {
					end()
				}
				session = append(session, r)
			}
			end()
		}
	}
	all := map[string]bool{}
	for w, rows := range in {
		sum, worst := 0.0, rows[0].x
		for _, r := range rows {
			sum, worst = sum+r.x, max(worst, r.x)
		}
		start := time.UnixMilli(milli(w.start)).UTC().Format(time.RFC3339Nano)
		all[fmt.Sprintf("%s [%q] %s %d %s %s", start, w.who, w.who, len(rows), decimal(sum), decimal(worst))] = true
	}
	return all
}

func milli(second float64) int64 { return int64(math.Round(second * 1e3)) }

func decimal(x float64) string {
	return string(data.AppendText(nil, data.Float64Value(x), data.Float64Type))
}

// However a stream is divided into bundles and wherever a process dies, the results are
// those of the definition: each once, for a store that knows the names of their events.
func TestWindowsAreExact(t *testing.T) {
	for name, tt := range map[string]struct {
		fields           map[string]any
		size, slide, gap float64
	}{
		"one after the other": {map[string]any{"size": "10s", "lateness": "10s"}, 10, 10, 0},
		"overlapping":         {map[string]any{"size": "10s", "slide": "4s", "lateness": "10s"}, 10, 4, 0},
		"sessions":            {map[string]any{"gap": "5s", "lateness": "10s"}, 0, 0, 5},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(8) {
				rows := readingsOf(seed, 300)
				want := expected(rows, tt.size, tt.slide, tt.gap)
				rows = append(rows, reading{5000, "end", 0}) // ends all windows
				rng := rand.New(rand.NewPCG(seed, 2))
				state := t.TempDir()
				s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
				s.open(tt.fields, state)
				for next := 0; len(s.events) < len(rows); {
					bundle := map[int]reading{}
					for range 1 + rng.IntN(12) {
						if next < len(rows) {
							bundle[next] = rows[next]
							next++
						}
					}
					switch {
					case rng.IntN(6) > 0:
						s.bundle(bundle, rng.IntN(3) == 0)
						continue
					case rng.IntN(2) == 0: // it dies before the bundle is complete
						s.windows.Begin(true)
						for n, r := range bundle {
							if err := s.windows.Add(context.Background(), fmt.Sprint("S:", n), record(n, r), func() {}, nil); err != nil {
								t.Fatal(err)
							}
						}
					default: // it dies before the server knows that the bundle's events are seen to
						before := maps.Clone(s.events)
						s.bundle(bundle, true)
						s.events = before
					}
					if err := s.windows.log.Close(); err != nil { // as the kernel would
						t.Fatal(err)
					}
					s.open(tt.fields, state)
					for n := range bundle {
						next = min(next, n)
					}
				}
				s.bundle(nil, false)
				s.bundle(nil, false)
				if len(s.late) > 0 {
					t.Fatalf("seed %d: rows %v are late", seed, s.late)
				}
				got := map[string]bool{}
				for _, text := range s.results {
					got[text] = true
				}
				if len(got) != len(s.results) {
					t.Errorf("seed %d: a result has two names", seed)
				}
				if !maps.Equal(got, want) {
					t.Fatalf("seed %d: results\n%s\nwant\n%s", seed, list(got), list(want))
				}
				s.windows.Close()
			}
		})
	}
}

func list(all map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(all)), "\n")
}

// A window waits as long as it should, and a row that comes later is late.
func TestLateness(t *testing.T) {
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(map[string]any{"size": "10s", "lateness": "5s"}, t.TempDir())
	s.bundle(map[int]reading{0: {1, "a", 1}, 1: {14, "a", 1}}, false)
	s.bundle(map[int]reading{2: {2, "a", 1}}, false) // the stream's time is 14
	if len(s.results) != 0 {
		t.Fatalf("results %q before the window is over", s.results)
	}
	s.bundle(map[int]reading{3: {15, "a", 1}}, false)
	s.bundle(map[int]reading{4: {3, "a", 1}}, false) // 15, but the bundle before ended none
	s.bundle(map[int]reading{5: {4, "a", 1}}, false)
	if len(s.results) != 1 || !slices.Equal(s.late, []int{5}) || !s.events[5] {
		t.Errorf("results %q, late %v, events %v", s.results, s.late, s.events)
	}
	for _, text := range s.results {
		if text != `1970-01-01T00:00:00Z ["a"] a 3 3.0 1.0` {
			t.Errorf("result %q", text)
		}
	}
	s.windows.Close()
}

// A row that was late for one of its windows is so when the log is read too, though
// nothing was written when that window ended, for it was empty.
func TestLateForOneWindow(t *testing.T) {
	state := t.TempDir()
	fields := map[string]any{"size": "10s", "slide": "5s"}
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(fields, state)
	s.bundle(map[int]reading{0: {100, "a", 1}}, false)
	s.bundle(nil, false)
	s.bundle(map[int]reading{1: {96, "a", 1}}, false)
	s.windows.log.Close()
	s.open(fields, state)
	s.bundle(nil, false)
	if len(s.results) > 0 || len(s.late) > 0 {
		t.Errorf("results %q, late %v", s.results, s.late)
	}
	s.bundle(map[int]reading{2: {105, "a", 1}}, false)
	s.bundle(nil, false)
	if want := `1970-01-01T00:01:35Z ["a"] a 2 2.0 1.0`; len(s.results) != 1 || !slices.Contains(slices.Collect(maps.Values(s.results)), want) {
		t.Errorf("results %q, want %q", s.results, want)
	}
	s.windows.Close()
}

// While events may come in another order no window ends.
func TestWindowsWaitForEarlierEvents(t *testing.T) {
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(map[string]any{"size": "10s"}, t.TempDir())
	s.bundle(map[int]reading{1: {100, "a", 1}}, false)
	s.windows.Begin(false)
	if s.windows.time != never {
		t.Errorf("time went on to %d", s.windows.time)
	}
	s.bundle(nil, false)
	if s.windows.time != 100e6 {
		t.Errorf("time is %d, want 100 s", s.windows.time)
	}
	s.windows.Close()
}

// With idle the last windows end though no row comes.
func TestIdle(t *testing.T) {
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(map[string]any{"size": "10s", "idle": "30s"}, t.TempDir())
	now := time.Now()
	s.windows.now = func() time.Time { return now }
	s.bundle(map[int]reading{0: {1, "a", 1}}, false)
	now = now.Add(29 * time.Second)
	if s.bundle(nil, false); len(s.results) != 0 {
		t.Errorf("results %q after 29 s", s.results)
	}
	now = now.Add(2 * time.Second)
	if s.bundle(nil, false); len(s.results) != 1 {
		t.Errorf("results %q after 31 s", s.results)
	}
	s.windows.Close()
}

// A row that would do harm to windows is rejected, and costs itself.
func TestWindowRejects(t *testing.T) {
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(map[string]any{"size": "10s"}, t.TempDir())
	defer s.windows.Close()
	s.windows.Begin(true)
	ahead := record(0, reading{float64(time.Now().Add(2 * time.Hour).Unix()), "a", 1})
	null := record(1, reading{})
	null.Values[0] = data.Value{}
	ancient := record(2, reading{})
	ancient.Values[0] = data.TimestampValue(-1<<62-1, data.Micro)
	for class, r := range map[string]*data.Record{"ahead": ahead, "null": null, "time": ancient} {
		var refused *transforms.RejectError
		err := s.windows.Add(context.Background(), class, r, nil, nil)
		if !errors.As(err, &refused) || refused.Class != class {
			t.Errorf("%s: %v", class, err)
		}
	}
}

// The log does not grow with the rows, and what is written anew is the same.
func TestWindowLogStaysShort(t *testing.T) {
	state := t.TempDir()
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	fields := map[string]any{"size": "100000s"}
	s.open(fields, state)
	const bundles, rows = 400, 500
	for b := range bundles {
		bundle := map[int]reading{}
		for i := range rows {
			bundle[b*rows+i] = reading{float64(b), "a", 1}
		}
		s.bundle(bundle, false)
	}
	info, err := os.Stat(filepath.Join(state, "windows", "g", "w", "log"))
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(5*(maxRecent*16+1000) + 2*slack); info.Size() > most {
		t.Errorf("the log has %d bytes, more than %d", info.Size(), most)
	}
	s.windows.log.Close()
	s.open(fields, state)
	s.bundle(map[int]reading{bundles * rows: {300000, "a", 1}}, false)
	s.bundle(nil, false)
	for _, text := range s.results {
		if want := fmt.Sprintf(`1970-01-01T00:00:00Z ["a"] a %d %d.0 1.0`, bundles*rows, bundles*rows); text != want {
			t.Errorf("result %q, want %q", text, want)
		}
	}
	if len(s.results) != 1 {
		t.Errorf("%d results", len(s.results))
	}
	s.windows.Close()
}

// The last ids are known, whether they were added or read, and no older ones.
func TestRecent(t *testing.T) {
	id := func(n int) digest { return digestOf(fmt.Append(nil, n)) }
	var r, read recent
	const n = maxRecent + 1000
	for i := range n {
		r.add(id(i))
		r.add(id(i))
	}
	read.read(&stateDecoder{b: r.append(nil)})
	read.add(id(n))
	for i := range n + 1 {
		if got, want := r.has(id(i)), i >= 1000 && i < n; got != want {
			t.Fatalf("%d is known: %t", i, got)
		}
		if got, want := read.has(id(i)), i > 1000; got != want {
			t.Fatalf("read, %d is known: %t", i, got)
		}
	}
}

// Windows of another configuration are not gone on with.
func TestWindowsOfAnotherConfiguration(t *testing.T) {
	state := t.TempDir()
	s := &stream{t: t, events: map[int]bool{}, results: map[string]string{}}
	s.open(map[string]any{"size": "10s"}, state)
	s.windows.Close()
	n, err := newWindowNode(t, map[string]any{"size": "20s"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.OpenStream(context.Background(), transforms.Run{Graph: "g", Node: "w", State: state})
	if err == nil || !strings.Contains(err.Error(), "made by another configuration") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}
