package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"penstock.dev/data/nats/natstest"
)

// latencyGraph has a node in place of a model.
const latencyGraph = `import "penstock.dev/specs"

param: {
	url:   string      @tag(url)
	batch: int | *256 @tag(batch,type=int)
}

graph: specs.#Graph & {
	name: "latency"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: url: param.url, stream: "EVENTS", subjects: ["events"], durable: "kill", create: true, batch: param.batch, columns: {sent: "int64", text: "string"}}
		score: specs.#Derive & {in: read.out, columns: score: "size(text) / 2"}
		save: specs.#PublishNATS & {in: score.out, nats: url: param.url, stream: "RESULTS", subject: "results", create: true}
	}
}
`

// streamUnderTest is a running stream with a server of its own.
func streamUnderTest(t *testing.T, graph string) (*natstest.Client, *process) {
	t.Helper()
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(graph))
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

// measured is a running stream whose latency is measured.
type measured struct {
	t      *testing.T
	client *natstest.Client
	*process
	text string
	sent int
}

func (m *measured) publish() {
	m.client.Publish("events", "", fmt.Appendf(nil, `{"sent": %d, "text": %q}`, time.Now().UnixNano(), m.text), nil)
	m.sent++
}

// at publishes events at a rate for a time and is the median and the 99th percentile
// of the time to the storing of their results.
func (m *measured) at(rate, seconds int) (p50, p99 time.Duration) {
	m.t.Helper()
	first, n := m.sent, max(3, seconds*rate)
	before, began := cpuOf(m.t, m.Process.Pid), time.Now()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	for range n {
		<-tick.C
		m.publish()
	}
	tick.Stop()
	share := float64(cpuOf(m.t, m.Process.Pid)-before) / float64(time.Since(began))
	waitForFloor(m.t, m.client, uint64(m.sent), m.process)
	var all []time.Duration
	for _, r := range m.client.All("RESULTS")[first:] {
		all = append(all, r.Time.Sub(time.Unix(0, int64(r.JSON(m.t)["sent"].(float64)))))
	}
	slices.Sort(all)
	q := func(x float64) time.Duration { return all[int(x*float64(len(all)-1))].Round(10 * time.Microsecond) }
	m.t.Logf("%d/s: %d events, p50 %v, p99 %v, most %v, %.0f %% of a core", rate, len(all), q(0.5), q(0.99), q(1), 100*share)
	return q(0.5), q(0.99)
}

// The time from the publication of an event to the storing of its result, at 1 and
// at 100 events a second of 2 KB, and the processor time of a stream that waits.
// The bounds of the short form hold on a busy machine too: a spin, a lost wake-up.
func TestStreamLatency(t *testing.T) {
	seconds, p50, p99, idle := 2, time.Second, 10*time.Second, 0.8
	if os.Getenv("PENSTOCK_LONG") != "" {
		seconds, p50, p99, idle = 30, 2*time.Millisecond, 15*time.Millisecond, 0.03
	}
	client, p := streamUnderTest(t, latencyGraph)
	m := measured{t: t, client: client, process: p, text: strings.Repeat("x", 2000)}
	m.publish()
	waitForFloor(t, client, 1, p)
	before := cpuOf(t, p.Process.Pid)
	time.Sleep(time.Duration(seconds) * time.Second)
	share := float64(cpuOf(t, p.Process.Pid)-before) / float64(time.Duration(seconds)*time.Second)
	t.Logf("waiting: %.1f %% of a core", 100*share)
	if share > idle {
		t.Errorf("it used %.1f %% of a core while it waited, want at most %.0f %%", 100*share, 100*idle)
	}
	for _, rate := range []int{1, 100} {
		if median, most := m.at(rate, seconds); median > p50 || most > p99 {
			t.Errorf("%d/s: p50 %v, p99 %v, want at most %v and %v", rate, median, most, p50, p99)
		}
	}
	drain(t, p)
}

// With the pocket model the time is that of the model and of the wait for a batch to
// fill, which maxWait bounds.
func TestStreamLatencyWithAModel(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("a model's time means little on a busy machine: set PENSTOCK_LONG")
	}
	const score = `specs.#Derive & {in: read.out, columns: score: "size(text) / 2"}`
	medians := map[string]time.Duration{}
	for _, wait := range []string{"1ms", "200ms"} {
		t.Log("maxWait ", wait)
		client, p := streamUnderTest(t, strings.Replace(latencyGraph, score, `specs.#Lastde & {in: read.out, maxWait: "`+wait+`", scores: ["log_likelihood"]}`, 1))
		m := measured{t: t, client: client, process: p, text: strings.Repeat("the river took the bridge with it ", 6)}
		m.publish()
		waitForFloor(t, client, 1, p)
		medians[wait], _ = m.at(1, 20)
		m.at(10, 20)
		drain(t, p)
	}
	if more := medians["200ms"] - medians["1ms"]; more > 250*time.Millisecond {
		t.Errorf("a maxWait of 200 ms costs %v", more)
	}
}

// throughputBatch is the number of events that are taken at once where many wait.
const throughputBatch = 1000

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
	p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url(), "-t", fmt.Sprint("batch=", throughputBatch))
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
	client.Copy("EVENTS", events, throughputBatch, "copies", func(payload []byte) []byte {
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

// usage is what a served stream was found to use, look by look.
type usage struct {
	memory, goroutines, files []float64 // memory in MB
	lag                       float64   // the most
}

// lookEvery is the time between looks at what a stream uses.
const lookEvery = 10 * time.Second

// record looks at what a stream uses while something is done.
func (s *served) record(every time.Duration, do func()) *usage {
	done := make(chan struct{})
	var looking sync.WaitGroup
	u := &usage{}
	looking.Go(func() {
		for began := time.Now(); ; {
			select {
			case <-done:
				return
			case <-time.After(every):
				s.look(u, time.Since(began))
			}
		}
	})
	do()
	close(done)
	looking.Wait()
	return u
}

func (s *served) look(u *usage, after time.Duration) {
	families := s.metrics()
	gauge := func(name string) float64 {
		for _, m := range families[name].GetMetric() {
			return m.GetGauge().GetValue()
		}
		return 0 // the server is away
	}
	u.memory = append(u.memory, gauge("process_resident_memory_bytes")/1e6)
	u.goroutines = append(u.goroutines, gauge("go_goroutines"))
	u.files = append(u.files, gauge("process_open_fds"))
	lag := gauge("penstock_stream_lag_events")
	u.lag = max(u.lag, lag)
	if n := len(u.memory) - 1; n%6 == 5 {
		s.t.Logf("%v: %.0f MB, %.0f goroutines, %.0f open files, lag %.0f", after.Round(time.Second), u.memory[n], u.goroutines[n], u.files[n], lag)
	}
}

// flat checks that nothing grew by more than it varies, once buffers had grown to
// their size.
func (u *usage) flat(t *testing.T) {
	t.Helper()
	for _, of := range []struct {
		name   string
		values []float64
		noise  float64
	}{{"resident memory, MB", u.memory, 5}, {"goroutines", u.goroutines, 5}, {"open files", u.files, 2}} {
		late := of.values[len(of.values)/5:]
		slope, spread := trend(late)
		grown := slope * float64(len(late))
		t.Logf("%s: mean %.0f, spread %.1f, grown by %+.1f", of.name, mean(late), spread, grown)
		if grown > max(2*spread, of.noise) {
			t.Errorf("%s grew by %.1f, more than they vary", of.name, grown)
		}
	}
}

// serveLatencyGraph serves the graph without a model on a server of its own.
func serveLatencyGraph(t *testing.T) (*natsProcess, *natstest.Client, *served) {
	t.Helper()
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(latencyGraph))
	s := startServe(t, dir, "graph.cue", "-t", "url="+server.url())
	s.until("ready", s.ready)
	return server, client, s
}

// payloads are n events of 2 KB.
func payloads(n int) [][]byte {
	text := strings.Repeat("x", 2000)
	all := make([][]byte, n)
	for i := range all {
		all[i] = fmt.Appendf(nil, `{"sent": %d, "text": %q}`, i, text)
	}
	return all
}

// What a served stream uses stays as it is while 5,000 events of 2 KB a second come in
// for ten minutes, and none waits long.
func TestStreamSustained(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes ten minutes: set PENSTOCK_LONG")
	}
	const rate, step, length = 5000, 100 * time.Millisecond, 10 * time.Minute
	_, client, s := serveLatencyGraph(t)
	some := payloads(int(rate * step / time.Second))
	sent, took := 0, time.Duration(0)
	before := cpuOf(t, s.Process.Pid)
	u := s.record(lookEvery, func() {
		tick := time.NewTicker(step)
		defer tick.Stop()
		for began := time.Now(); took < length; took = time.Since(began) {
			<-tick.C
			client.PublishAsync("events", some)
			sent += len(some)
		}
	})
	s.until("settled", func() bool { return s.value("event_latency_seconds", "latency") == float64(sent) })
	perSecond := float64(sent) / took.Seconds()
	t.Logf("%d events in %v: %.0f a second, %.0f %% of a core; most that waited: %.0f", sent, took.Round(time.Second), perSecond, 100*float64(cpuOf(t, s.Process.Pid)-before)/float64(took), u.lag)
	if perSecond < 0.98*rate {
		t.Errorf("only %.0f events a second were published", perSecond)
	}
	if u.lag > rate {
		t.Errorf("%.0f events waited, more than a second's", u.lag)
	}
	u.flat(t)
	drain(t, s.process)
}

// What a served stream uses stays as it is for an hour, over a server that does not
// answer for a twelfth of it and a burst of 100,000 events, and all are answered soon
// after. PENSTOCK_SOAK is another length.
func TestStreamSoak(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes an hour: set PENSTOCK_LONG")
	}
	length := time.Hour
	if other := os.Getenv("PENSTOCK_SOAK"); other != "" {
		var err error
		if length, err = time.ParseDuration(other); err != nil {
			t.Fatal(err)
		}
	}
	const rate = 200
	server, client, s := serveLatencyGraph(t)
	some := payloads(rate / 10)
	sent := 0
	publishFor := func(d time.Duration) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); sent += len(some) {
			<-tick.C
			client.PublishAsync("events", some)
		}
	}
	caughtUp := func(what string) {
		began := time.Now()
		waitForFloor(t, client, uint64(sent), s.process)
		t.Logf("%s: all answered %v later", what, time.Since(began).Round(100*time.Millisecond))
	}
	first := s.record(length/360, func() { publishFor(length / 3) })
	server.Process.Signal(syscall.SIGSTOP)
	time.Sleep(length / 12)
	server.Process.Signal(syscall.SIGCONT)
	publishFor(time.Second)
	caughtUp("a server that did not answer")
	publishFor(length / 6)
	burst := payloads(100_000)
	client.PublishAsync("events", burst)
	sent += len(burst)
	caughtUp("a burst")
	publishFor(length / 12)
	last := s.record(length/360, func() { publishFor(length / 3) })
	caughtUp("the end")
	first.flat(t)
	last.flat(t)
	if n := client.Count("RESULTS"); n != uint64(sent) {
		t.Errorf("%d results of %d events", n, sent)
	}
	drain(t, s.process)
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

// trend is the slope of the least-squares line through values at 0, 1, 2…, and the
// standard deviation of the values from it.
func trend(y []float64) (slope, spread float64) {
	middle, my := float64(len(y)-1)/2, mean(y)
	var xy, xx float64
	for i, v := range y {
		xy += (float64(i) - middle) * (v - my)
		xx += (float64(i) - middle) * (float64(i) - middle)
	}
	slope = xy / xx
	for i, v := range y {
		d := v - my - slope*(float64(i)-middle)
		spread += d * d / float64(len(y))
	}
	return slope, math.Sqrt(spread)
}
