package runners_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"penstock.dev/graphs"
	"penstock.dev/graphs/graphtest"
	"penstock.dev/runners"
	"penstock.dev/specs"
)

func run(t *testing.T, ctx context.Context, nodes ...specs.Node) *runners.Result {
	t.Helper()
	plan, ds := graphs.NewPlan(graphtest.Graph(nodes...))
	if ds.Failed() {
		t.Fatal(ds)
	}
	r, err := runners.Run(ctx, plan, runners.Options{Work: t.TempDir(), Samples: 3, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func counts(t *testing.T, r *runners.Result, node string) graphs.NodeCounts {
	t.Helper()
	for _, c := range r.Counts {
		if c.Node == node {
			return c
		}
	}
	t.Fatalf("no node %s", node)
	return graphs.NodeCounts{}
}

func upTo(n int64) []int64 {
	var all []int64
	for i := range n {
		all = append(all, i)
	}
	return all
}

func ref(node, port string) specs.Ref { return specs.Ref{Node: node, Port: port} }

type conf = map[string]any

func TestChainKeepsOrder(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 1000}),
		graphtest.Node("wait", "test.Wait", conf{"Milliseconds": 1, "Rows": 64}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("wait", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := graphtest.Kept(t.Name()); !slices.Equal(got, upTo(1000)) {
		t.Errorf("kept %d rows, not 0..999 in order", len(got))
	}
}

func TestEveryRowIsAccountedFor(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 100, "Bad": []int{7}}),
		graphtest.Node("step", "test.Step", conf{"Even": true, "RejectAt": 10, "PanicAt": 20, "Copies": 3}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("step", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	read, step, keep := counts(t, r, "read"), counts(t, r, "step"), counts(t, r, "keep")
	if read.In != 100 || read.Passed != 99 || read.Rejected != 1 {
		t.Errorf("read: %+v", read)
	}
	if step.In != 99 || step.Passed != 48 || step.Filtered != 49 || step.Rejected != 2 {
		t.Errorf("step: %+v", step)
	}
	if keep.In != 144 {
		t.Errorf("keep: %+v", keep)
	}
	var classes []string
	for _, c := range step.Rejects {
		classes = append(classes, c.Class)
	}
	if want := []string{"odd", "panic"}; !slices.Equal(classes, want) {
		t.Errorf("rejected as %v, want %v", classes, want)
	}
}

func TestFanOutAndUnion(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("a", "test.Numbers", conf{"N": 10}),
		graphtest.Node("b", "test.Numbers", conf{"N": 5}),
		graphtest.Node("split", "test.Step", conf{"Even": true}, ref("a", "out")),
		graphtest.Node("all", "test.Union", conf{}, ref("split", "out"), ref("split", "else"), ref("b", "out")),
		graphtest.Node("sum", "test.Sum", conf{}, ref("all", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("all", "out")),
		graphtest.Node("total", "test.Keep", conf{"Name": t.Name() + "sum"}, ref("sum", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if got, want := graphtest.Kept(t.Name()), append(upTo(10), upTo(5)...); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	if got := graphtest.Kept(t.Name() + "sum"); !slices.Equal(got, []int64{55}) {
		t.Errorf("sum %v", got)
	}
}

func TestGlobalSeesAllRowsInOrder(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 2000}),
		graphtest.Node("back", "test.Reverse", conf{}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("back", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	want := upTo(2000)
	slices.Reverse(want)
	if got := graphtest.Kept(t.Name()); !slices.Equal(got, want) {
		t.Errorf("kept %d rows, not 1999..0", len(got))
	}
}

func TestGlobalMayRejectRows(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 200}),
		graphtest.Node("back", "test.Reverse", conf{"RejectAt": 150}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("back", "out")),
		graphtest.Node("refused", "test.Keep", conf{"Name": t.Name() + "refused"}, ref("back", "rejects")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if c := counts(t, r, "back"); c.In != 200 || c.Passed != 199 || c.Rejected != 1 || len(c.Rejects) != 1 || c.Rejects[0].Class != "odd" {
		t.Errorf("back: %+v", c)
	}
	if got := graphtest.Kept(t.Name()); len(got) != 199 || slices.Contains(got, 150) {
		t.Errorf("kept %d rows", len(got))
	}
	if got := graphtest.Kept(t.Name() + "refused"); !slices.Equal(got, []int64{150}) {
		t.Errorf("refused %v", got)
	}
}

func TestEmptyInputCommitsEmptyOutput(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 0}),
		graphtest.Node("sum", "test.Sum", conf{}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("read", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	if got := graphtest.Kept(t.Name()); got == nil || len(got) != 0 {
		t.Errorf("kept %v, want no rows, committed", got)
	}
	if got := counts(t, r, "sum").Emitted["out"]; got != 1 {
		t.Errorf("sum emitted %d records", got)
	}
}

func TestFatalErrorIsOneLineAndCommitsNothing(t *testing.T) {
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 100}),
		graphtest.Node("step", "test.Step", conf{"FatalAt": 50}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("step", "out")))
	if r.Err == nil {
		t.Fatal("the run succeeded")
	}
	if want := "node step: row numbers#50: no more"; r.Err.Error() != want {
		t.Errorf("error %q, want %q", r.Err, want)
	}
	if got := graphtest.Kept(t.Name()); got != nil {
		t.Errorf("a failed run committed %d rows", len(got))
	}
}

func TestRejectBudget(t *testing.T) {
	g := graphtest.Graph(
		graphtest.Node("read", "test.Numbers", conf{"N": 100}),
		graphtest.Node("step", "test.Step", conf{"RejectAt": 5, "PanicAt": 6}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("step", "out")))
	g.Run.MaxRejects = 0.01
	plan, _ := graphs.NewPlan(g)
	r, err := runners.Run(t.Context(), plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Err == nil || !strings.Contains(r.Err.Error(), "2 of 100 rows rejected") || strings.Contains(r.Err.Error(), "\n") {
		t.Errorf("error %v", r.Err)
	}
	if got := graphtest.Kept(t.Name()); got != nil {
		t.Error("a run above its budget committed its output")
	}
}

func TestInterruptCommitsNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	r := run(t, ctx,
		graphtest.Node("read", "test.Numbers", conf{"N": 100000}),
		graphtest.Node("wait", "test.Wait", conf{"Milliseconds": 20, "Rows": 2}, ref("read", "out")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("wait", "out")))
	if !errors.Is(r.Err, runners.ErrInterrupted) {
		t.Errorf("error %v", r.Err)
	}
	if d := time.Since(began); d > 20*time.Second { // the whole run takes 1,000 s
		t.Errorf("took %v to stop", d)
	}
	if got := graphtest.Kept(t.Name()); got != nil {
		t.Error("an interrupted run committed its output")
	}
}

// A graph whose nodes only wait must leave the processor alone: a stage without
// output would make Prism spin.
func TestWaitingGraphIsIdle(t *testing.T) {
	before := cpu(t)
	began := time.Now()
	r := run(t, t.Context(),
		graphtest.Node("read", "test.Numbers", conf{"N": 100}),
		graphtest.Node("wait", "test.Wait", conf{"Milliseconds": 100, "Rows": 2}, ref("read", "out")),
		graphtest.Node("half", "test.Step", conf{"Even": true}, ref("wait", "out")),
		graphtest.Node("sum", "test.Sum", conf{}, ref("half", "else")),
		graphtest.Node("keep", "test.Keep", conf{"Name": t.Name()}, ref("half", "out")))
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	graphtest.Kept(t.Name())
	if share := float64(cpu(t)-before) / float64(time.Since(began)); share > spins {
		t.Errorf("the process used %.0f %% of a core while it waited", 100*share)
	}
}

// spins is the share of a core above which a process does more than wait, on
// however slow a machine.
const spins = 0.8

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
