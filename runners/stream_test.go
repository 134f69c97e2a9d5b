package runners_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"penstock.dev/graphs"
	"penstock.dev/graphs/graphtest"
	"penstock.dev/runners"
	"penstock.dev/specs"
)

// runStream runs a stream graph until so many events were received and settled,
// then drains it.
func runStream(t *testing.T, received, settled int64, nodes ...specs.Node) (*runners.Result, *graphtest.Journal) {
	t.Helper()
	g := graphtest.Graph(nodes...)
	g.Mode = "stream"
	plan, ds := graphs.NewPlan(g)
	if ds.Failed() {
		t.Fatal(ds)
	}
	journal := graphtest.NewJournal(t.Name())
	ctx, drain := context.WithTimeout(t.Context(), 20*time.Second)
	defer drain()
	go func() {
		for (journal.Received() < received || journal.Settled() < settled) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		drain()
	}()
	r, err := runners.Run(ctx, plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r, journal
}

// settled checks that every event was settled once, after all that was stored of
// it, and returns what was stored and refused of each.
func settled(t *testing.T, j *graphtest.Journal) (stored map[int64]int, refused map[int64]string) {
	t.Helper()
	stored, refused = map[int64]int{}, map[int64]string{}
	done := map[int64]bool{}
	ids := map[string]bool{}
	for _, line := range j.Lines() {
		what, rest, _ := strings.Cut(line, " ")
		number, more, _ := strings.Cut(rest, " ")
		var n int64
		fmt.Sscan(number, &n)
		if done[n] {
			t.Errorf("%q after event %d was settled", line, n)
		}
		switch what {
		case "store":
			stored[n]++
			if ids[more] {
				t.Errorf("two records have the id %s", more)
			}
			ids[more] = true
		case "settle":
			done[n] = true
			if more != "" {
				refused[n] = more
			}
		}
	}
	return stored, refused
}

type tally struct{ Stored, Filtered, Refused int64 }

func tallyOf(n int64, stored map[int64]int, refused map[int64]string) (a tally) {
	for i := range n {
		switch {
		case refused[i] != "":
			a.Refused++
		case stored[i] > 0:
			a.Stored++
		default:
			a.Filtered++
		}
	}
	return a
}

// An event is settled when the last record that stems from it is stored, filtered
// or refused, whatever way it went: over several nodes, copies, a fan-out to two
// sinks, a Union, an unused port, panics and windows.
func TestEventsAreSettledOnceAndLast(t *testing.T) {
	const n = 500
	r, journal := runStream(t, n, n,
		graphtest.Node("read", "test.Events", graphtest.Events{Name: t.Name(), N: n, Bad: []int64{7}}),
		graphtest.Node("wait", "test.Wait", conf{"Milliseconds": 1, "Rows": 8}, ref("read", "out")),
		graphtest.Node("step", "test.Step", conf{"Even": true, "RejectAt": 10, "PanicAt": 20, "Copies": 3}, ref("wait", "out")),
		graphtest.Node("some", "test.Step", conf{"Even": true}, ref("step", "else")), // all odd: to a port that is not used
		graphtest.Node("all", "test.Union", conf{}, ref("step", "out"), ref("some", "out")),
		graphtest.Node("one", "test.Store", graphtest.Store{Name: t.Name(), RefuseAt: 30}, ref("all", "out")),
		graphtest.Node("two", "test.Store", graphtest.Store{Name: t.Name()}, ref("all", "out"), ref("step", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	stored, refused := settled(t, journal)
	if got, want := tallyOf(n, stored, refused), (tally{Stored: 247, Filtered: 249, Refused: 4}); got != want {
		t.Errorf("events %+v, want %+v", got, want)
	}
	for number, want := range map[int64]string{7: "read:bad", 10: "step:odd", 20: "step:panic", 30: "one:odd one:odd one:odd"} {
		if refused[number] != want {
			t.Errorf("event %d was refused by %q, want %q", number, refused[number], want)
		}
	}
	for i := int64(0); i < n; i += 2 { // three copies, to one sink once and to the other by two ways
		want := 9
		if i == 10 || i == 20 {
			want = 0
		} else if i == 30 {
			want = 6
		}
		if stored[i] != want {
			t.Errorf("event %d was stored %d times, want %d", i, stored[i], want)
		}
	}
	if c := r.Execution.Events(); c.Received != n || c.Acknowledged != n-4 || c.DeadLetters != 4 || c.InFlight != 0 {
		t.Errorf("accounts %+v", c)
	}
}

// The rejects of a node that the graph stores are no dead letters.
func TestStoredRejectsAreNoDeadLetters(t *testing.T) {
	const n = 40
	r, journal := runStream(t, n, n,
		graphtest.Node("read", "test.Events", graphtest.Events{Name: t.Name(), N: n}),
		graphtest.Node("step", "test.Step", conf{"RejectAt": 10}, ref("read", "out")),
		graphtest.Node("keep", "test.Store", graphtest.Store{Name: t.Name()}, ref("step", "out")),
		graphtest.Node("refused", "test.Store", graphtest.Store{Name: t.Name()}, ref("step", "rejects")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	stored, refused := settled(t, journal)
	if got, want := tallyOf(n, stored, refused), (tally{Stored: n}); got != want {
		t.Errorf("events %+v, want %+v", got, want)
	}
}

// A sink may hold records over many bundles; their events wait, and a drain stores
// what is left.
func TestSinkThatHoldsBack(t *testing.T) {
	const n = 100
	r, journal := runStream(t, n, 96,
		graphtest.Node("read", "test.Events", graphtest.Events{Name: t.Name(), N: n, Rows: 8}),
		graphtest.Node("keep", "test.Store", graphtest.Store{Name: t.Name(), Hold: 24}, ref("read", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	stored, refused := settled(t, journal)
	if got, want := tallyOf(n, stored, refused), (tally{Stored: n}); got != want {
		t.Errorf("events %+v, want %+v", got, want)
	}
	if c := r.Execution.Events(); c.Acknowledged != n {
		t.Errorf("accounts %+v", c)
	}
}

// A stream that fails settles nothing that is not stored.
func TestFailedStreamSettlesNothingUnstored(t *testing.T) {
	const n = 100
	for name, nodes := range map[string][]specs.Node{
		"sink": {
			graphtest.Node("step", "test.Step", conf{}, ref("read", "out")),
			graphtest.Node("keep", "test.Store", graphtest.Store{Name: t.Name() + "/sink", FailAt: 50}, ref("step", "out")),
		},
		"node": {
			graphtest.Node("step", "test.Step", conf{"FatalAt": 50}, ref("read", "out")),
			graphtest.Node("keep", "test.Store", graphtest.Store{Name: t.Name() + "/node"}, ref("step", "out")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			nodes = append(nodes, graphtest.Node("read", "test.Events", graphtest.Events{Name: t.Name(), N: n, Rows: 10}))
			r, journal := runStream(t, n, n, nodes...)
			if r.Err == nil || strings.Contains(r.Err.Error(), "\n") {
				t.Errorf("error %v", r.Err)
			}
			stored, refused := settled(t, journal)
			for _, line := range journal.Lines() {
				var number int64
				if _, err := fmt.Sscanf(line, "settle %d", &number); err == nil && stored[number] == 0 {
					t.Errorf("event %d was settled and is not stored", number)
				}
			}
			if len(refused) > 0 || journal.Settled() != 50 {
				t.Errorf("%d events settled, want the 50 before the failure; refused %v", journal.Settled(), refused)
			}
		})
	}
}

// A stream that waits for events leaves the processor alone, and ends soon after it
// is asked to.
func TestWaitingStreamIsIdle(t *testing.T) {
	g := graphtest.Graph(
		graphtest.Node("read", "test.Events", graphtest.Events{Name: t.Name(), N: 10}),
		graphtest.Node("half", "test.Step", conf{"Even": true}, ref("read", "out")),
		graphtest.Node("keep", "test.Store", graphtest.Store{Name: t.Name()}, ref("half", "out")))
	g.Mode = "stream"
	plan, ds := graphs.NewPlan(g)
	if ds.Failed() {
		t.Fatal(ds)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	before, began := cpu(t), time.Now()
	r, err := runners.Run(ctx, plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
	took := time.Since(began)
	if took > 10*time.Second { // loose: the machine may be busy
		t.Errorf("it ended %v after it was asked to", took-2*time.Second)
	}
	// The test's source wakes up 200 times a second, which costs a third of a slow
	// core; NATS wakes up twice. A spin takes a whole one.
	if share := float64(cpu(t)-before) / float64(took); share > spins {
		t.Errorf("the process used %.0f %% of a core while it waited", 100*share)
	} else {
		t.Logf("%.1f %% of a core", 100*share)
	}
}
