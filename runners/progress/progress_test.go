package progress

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTerminalShowsOneLine plays a run of ten seconds on a fake clock and looks
// at the screen that a terminal would show.
func TestTerminalShowsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen terminal
		begin := time.Now()
		p := New(&screen, time.Second, func() Snapshot {
			elapsed := time.Since(begin)
			return Snapshot{Elapsed: elapsed, Rows: int64(elapsed.Seconds() * 100), Expected: 2000, Rejected: 3, BatchFill: 0.92, Busiest: "score"}
		}, Options{Terminal: true, Width: func() int { return 100 }})
		p.Start()
		time.Sleep(1500 * time.Millisecond)
		if got, want := screen.line(t), "░░░░░░░░░░░░░░░░  5 %  100 of 2,000 rows  100 rows/s  3 rejected  fill 92 %  1s  slowest score"; got != want {
			t.Errorf("after 1.5 s:\n%q, want\n%q", got, want)
		}
		time.Sleep(9 * time.Second)
		if got, want := screen.line(t), "50 %  1,000 of 2,000 rows  100 rows/s  3 rejected  fill 92 %  10s left  slowest score"; got != want {
			t.Errorf("after 10.5 s, when there is no room for the bar:\n%q, want\n%q", got, want)
		}
		p.Stop()
		p.Stop()
		if got := screen.line(t); got != "" {
			t.Errorf("Stop left %q on the screen", got)
		}
		writes := screen.count()
		time.Sleep(5 * time.Second)
		if screen.count() != writes {
			t.Error("written after Stop")
		}
	})
}

func TestNothingIsRewrittenInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen terminal
		p := New(&screen, time.Second, func() Snapshot { return Snapshot{BatchFill: math.NaN()} }, Options{Terminal: true})
		p.Start()
		time.Sleep(10500 * time.Millisecond)
		if n := screen.count(); n != 1 {
			t.Errorf("%d writes of a line that stayed the same, want 1", n)
		}
		p.Stop()
	})
}

func TestStopWithoutStart(t *testing.T) {
	New(io.Discard, time.Second, nil, Options{Terminal: true}).Stop()
}

func TestLogLinesGoAboveTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen terminal
		p := New(&screen, time.Second, func() Snapshot { return Snapshot{Rows: 7, BatchFill: math.NaN()} }, Options{Terminal: true})
		if _, err := io.WriteString(p, "before\n"); err != nil {
			t.Fatal(err)
		}
		p.Start()
		time.Sleep(1500 * time.Millisecond)
		if n, err := io.WriteString(p, "a warning\n"); n != 10 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		if got := screen.line(t); !strings.HasPrefix(got, "7 rows") {
			t.Errorf("the line is %q", got)
		}
		p.Stop()
		if got, want := strings.Join(screen.above, "|"), "before|a warning"; got != want {
			t.Errorf("above the line: %q, want %q", got, want)
		}
	})
}

func TestLogHasOneLineAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		begin := time.Now()
		p := New(io.Discard, 10*time.Second, func() Snapshot {
			elapsed := time.Since(begin)
			return Snapshot{Elapsed: elapsed, Rows: int64(elapsed.Seconds()) * 20, Expected: 1000, BatchFill: 0.5, Busiest: "score",
				Nodes: []Node{{"read", 400}, {"score", 380}}}
		}, Options{Log: slog.New(slog.NewJSONHandler(&out, nil))})
		p.Start()
		time.Sleep(25 * time.Second)
		p.Stop()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines in 25 s, want 2:\n%s", len(lines), &out)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{"msg": "progress", "elapsed": "20s", "rows": 400.0, "expected": 1000.0,
			"rows_per_second": 20.0, "rejected": 0.0, "batch_fill": 0.5, "left": "30s", "busiest": "score"} {
			if got[key] != want {
				t.Errorf("%s is %v, want %v", key, got[key], want)
			}
		}
		if nodes := got["nodes"].(map[string]any); nodes["read"] != 400.0 || nodes["score"] != 380.0 {
			t.Errorf("nodes are %v", nodes)
		}
	})
}

func TestRateForgetsTheStart(t *testing.T) {
	var m meter
	for s := 1; s <= 30; s++ { // 30 s to load a model
		m.add(time.Duration(s)*time.Second, 0)
	}
	for s := 31; s <= 90; s++ {
		m.add(time.Duration(s)*time.Second, int64(s-30)*100)
	}
	if r := m.rate(); r < 99 || r > 100 {
		t.Errorf("rate %.1f, want just below 100", r)
	}
}

func TestRateIsRightFromTheFirstSample(t *testing.T) {
	var m meter
	m.add(time.Second, 50)
	if r := m.rate(); math.Abs(r-50) > 1e-9 {
		t.Errorf("rate %v, want 50", r)
	}
	m.add(time.Second, 60) // a clock that stands still
	if r := m.rate(); math.Abs(r-50) > 1e-9 {
		t.Errorf("rate %v, want 50", r)
	}
}

func TestTimeLeftIsHonest(t *testing.T) {
	for name, c := range map[string]struct {
		s     Snapshot
		known bool
		left  time.Duration
	}{
		"too early":        {Snapshot{Elapsed: 1900 * time.Millisecond, Rows: 190, Expected: 1000}, false, 0},
		"soon enough":      {Snapshot{Elapsed: 2 * time.Second, Rows: 200, Expected: 1000}, true, 8 * time.Second},
		"end unknown":      {Snapshot{Elapsed: time.Minute, Rows: 6000}, false, 0},
		"more than agreed": {Snapshot{Elapsed: time.Minute, Rows: 6000, Expected: 5000}, false, 0},
		"nothing moved":    {Snapshot{Elapsed: time.Minute, Expected: 5000}, false, 0},
		"hours":            {Snapshot{Elapsed: time.Minute, Rows: 6000, Expected: 1000000}, true, 2*time.Hour + 45*time.Minute},
		"done":             {Snapshot{Elapsed: time.Minute, Rows: 6000, Expected: 6000}, true, 0},
	} {
		var m meter
		m.add(c.s.Elapsed, c.s.Rows)
		if left, known := m.left(c.s); known != c.known || left != c.left {
			t.Errorf("%s: %v, %v; want %v, %v", name, left, known, c.left, c.known)
		}
	}
}

func TestLineFitsAnyWidth(t *testing.T) {
	s := Snapshot{Elapsed: time.Hour, Rows: 123456, Expected: 9876543, Rejected: 42, BatchFill: 0.5, Busiest: "漢字\x1b[2J"}
	for width := 0; width < 130; width++ {
		line := format(s, 1234.5, 90*time.Second, true, width)
		if columns(line) > width {
			t.Errorf("width %d: %q is %d wide", width, line, columns(line))
		}
		if strings.Contains(line, "\x1b") {
			t.Fatalf("%q could steer the terminal", line)
		}
	}
	if got, want := format(s, 1234.5, 90*time.Second, true, 50), "1 %  123,456 of 9,876,543 rows  1m30s left"; got != want {
		t.Errorf("50 columns: %q, want %q", got, want)
	}
}

// terminal understands carriage return and erase-to-end, which is all we use.
type terminal struct {
	mu      sync.Mutex
	above   []string
	current string
	writes  int
}

func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	text := string(b)
	for text != "" {
		switch {
		case strings.HasPrefix(text, "\r"):
			// What follows overwrites the line or erases it.
			rest := text[1:]
			end := strings.Index(rest, "\x1b[K")
			if end < 0 {
				s.current, text = rest, ""
				continue
			}
			s.current, text = rest[:end], rest[end+3:]
		case strings.Contains(text, "\n"):
			line, rest, _ := strings.Cut(text, "\n")
			s.above = append(s.above, s.current+line)
			s.current, text = "", rest
		default:
			s.current += text
			text = ""
		}
	}
	return len(b), nil
}

func (s *terminal) line(t *testing.T) string {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

func (s *terminal) count() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}
