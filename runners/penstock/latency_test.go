package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"penstock.dev/data/nats/natstest"
)

// latencyGraph has a node in place of a model.
const latencyGraph = `import "penstock.dev/specs"

param: url: string @tag(url)

graph: specs.#Graph & {
	name: "latency"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: url: param.url, stream: "EVENTS", subjects: ["events"], durable: "kill", create: true, columns: {sent: "int64", text: "string"}}
		score: specs.#Derive & {in: read.out, columns: score: "size(text) / 2"}
		save: specs.#PublishNATS & {in: score.out, nats: url: param.url, stream: "RESULTS", subject: "results", create: true}
	}
}
`

// streamUnderTest is a running stream with a server of its own.
func streamUnderTest(t *testing.T) (*natstest.Client, *process) {
	t.Helper()
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(latencyGraph))
	return client, start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
}

func drain(t *testing.T, p *process) {
	t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	began := time.Now()
	if status := p.finish(t, 10*time.Second); status != 0 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	t.Logf("drained in %v", time.Since(began).Round(time.Millisecond))
}

// cpuOf is the processor time that a process has used.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 1/100 s
}

// The time from the publication of an event to the storing of its result, at 1 and
// at 100 events a second of 2 KB, and the processor time of a stream that waits.
// The bounds of the short form are for busy machines.
func TestStreamLatency(t *testing.T) {
	seconds, p50, p99, idle := 2, 20*time.Millisecond, 500*time.Millisecond, 0.10
	if os.Getenv("PENSTOCK_LONG") != "" {
		seconds, p50, p99, idle = 30, 2*time.Millisecond, 15*time.Millisecond, 0.03
	}
	client, p := streamUnderTest(t)
	text := strings.Repeat("x", 2000)
	sent := 0
	publish := func() {
		client.Publish("events", "", fmt.Appendf(nil, `{"sent": %d, "text": %q}`, time.Now().UnixNano(), text), nil)
		sent++
	}
	publish()
	waitForFloor(t, client, 1, p)
	before := cpuOf(t, p.Process.Pid)
	time.Sleep(time.Duration(seconds) * time.Second)
	share := float64(cpuOf(t, p.Process.Pid)-before) / float64(time.Duration(seconds)*time.Second)
	t.Logf("waiting: %.1f %% of a core", 100*share)
	if share > idle {
		t.Errorf("it used %.1f %% of a core while it waited, want at most %.0f %%", 100*share, 100*idle)
	}
	for _, rate := range []int{1, 100} {
		first := sent
		before := cpuOf(t, p.Process.Pid)
		tick := time.NewTicker(time.Second / time.Duration(rate))
		for range max(3, seconds*rate) {
			<-tick.C
			publish()
		}
		tick.Stop()
		took := time.Duration(max(3, seconds*rate)) * time.Second / time.Duration(rate)
		share := float64(cpuOf(t, p.Process.Pid)-before) / float64(took)
		waitForFloor(t, client, uint64(sent), p)
		var all []time.Duration
		for _, m := range client.All("RESULTS")[first:] {
			all = append(all, m.Time.Sub(time.Unix(0, int64(m.JSON(t)["sent"].(float64)))))
		}
		slices.Sort(all)
		q := func(x float64) time.Duration { return all[int(x*float64(len(all)-1))].Round(10 * time.Microsecond) }
		t.Logf("%d/s: %d events, p50 %v, p99 %v, most %v, %.0f %% of a core", rate, len(all), q(0.5), q(0.99), q(1), 100*share)
		if q(0.5) > p50 || q(0.99) > p99 {
			t.Errorf("%d/s: p50 %v, p99 %v, want at most %v and %v", rate, q(0.5), q(0.99), p50, p99)
		}
	}
	drain(t, p)
}

// How fast a backlog of events of 2 KB drains, beside a plain loop over the same
// events: the engine must reach half of what the loop does.
func TestStreamThroughput(t *testing.T) {
	events := 5_000
	if os.Getenv("PENSTOCK_LONG") != "" {
		events = 200_000
	}
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	text := strings.Repeat("x", 2000)
	payloads := make([][]byte, events)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, `{"sent": %d, "text": %q}`, i, text)
	}
	client.PublishAsync("events", payloads)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(latencyGraph))
	p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
	p.when(func() bool { return client.Count("RESULTS") > 0 })
	began, before := time.Now(), cpuOf(t, p.Process.Pid)
	waitForFloor(t, client, uint64(events), p)
	took := time.Since(began)
	t.Logf("%d events of 2 KB in %.2f s: %.0f a second, %.0f %% of a core", events, took.Seconds(), float64(events)/took.Seconds(), 100*float64(cpuOf(t, p.Process.Pid)-before)/float64(took))
	if n := client.Count("RESULTS"); n != uint64(events) {
		t.Errorf("%d results", n)
	}
	drain(t, p)
	if os.Getenv("PENSTOCK_LONG") == "" {
		return // too few events to compare
	}
	rate := float64(events) / took.Seconds()
	client.Make("COPIES", "copies")
	began = time.Now()
	client.Copy("EVENTS", events, 256, "copies", func(payload []byte) []byte {
		var row struct {
			Sent  int64  `json:"sent"`
			Text  string `json:"text"`
			Score int    `json:"score"`
		}
		if err := json.Unmarshal(payload, &row); err != nil {
			t.Fatal(err)
		}
		row.Score = len(row.Text) / 2
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	plain := float64(events) / time.Since(began).Seconds()
	t.Logf("a plain loop: %.0f a second; the engine reaches %.2f of it", plain, rate/plain)
	if rate < plain/2 {
		t.Errorf("%.0f a second, want half of the plain loop's %.0f", rate, plain)
	}
}
