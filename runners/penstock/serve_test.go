package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"penstock.dev/data/nats/natstest"
	"penstock.dev/data/parquet"
)

// serveGraph is a stream graph whose results say by which version they were made.
const serveGraph = `import "penstock.dev/specs"

server: {url: "URL", user: "ada", password: env: "SERVE_PASSWORD"}

graph: specs.#Graph & {
	name: "NAME"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: server, stream: "EVENTS", subjects: ["NAME"], durable: "NAME", deadLetters: "dead.NAME", columns: n: "int64", ackWait: "1s"}
		some: specs.#Filter & {in: read.out, where: "n >= 0"}
		mark: specs.#Derive & {in: some.out, columns: version: "'VERSION'"}
		save: specs.#PublishNATS & {in: mark.out, nats: server, stream: "RESULTS", subject: "results.NAME"}
	}
}
`

// served is a running penstock serve.
type served struct {
	*process
	t   *testing.T
	url string
}

func startServe(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	return &served{start(t, dir, append([]string{"serve", "--listen", address}, args...)...), t, "http://" + address}
}

// get is the status and body of an address, 0 while nobody answers.
func (s *served) get(path string) (status int, body string) {
	response, err := http.Get(s.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// until waits for a condition.
func (s *served) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-s.ended:
			s.t.Fatalf("%s: it ended: %s", what, &s.errors)
		default:
		}
		if time.Now().After(deadline) {
			_, health := s.get("/readyz")
			s.t.Fatalf("%s: not within 30 s; %s; %s", what, health, &s.errors)
		}
	}
}

func (s *served) ready() bool {
	status, _ := s.get("/readyz")
	return status == http.StatusOK
}

// metrics reads /metrics as Prometheus does.
func (s *served) metrics() map[string]*dto.MetricFamily {
	s.t.Helper()
	_, body := s.get("/metrics")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		s.t.Fatalf("%v in:\n%s", err, body)
	}
	return families
}

// value is a figure of a graph whose labels have the given values, in any order.
func (s *served) value(name, graph string, labels ...string) float64 {
	s.t.Helper()
	for _, m := range s.metrics()["penstock_"+name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.Label {
			has[l.GetValue()] = true
		}
		all := has[graph]
		for _, l := range labels {
			all = all && has[l]
		}
		switch {
		case !all:
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		default:
			return m.Gauge.GetValue()
		}
	}
	s.t.Fatalf("no metric %s of %s %v", name, graph, labels)
	return 0
}

// Graphs that are served answer events, tell how they stand, take a sound change
// over and refuse another, come back when a pipeline fails, drain, and say no secret.
func TestServe(t *testing.T) {
	const secret = "hunter2-hunter2"
	t.Setenv("SERVE_PASSWORD", secret)
	url := natstest.Serve(t, natstest.Options{User: "ada", Password: secret})
	client := natstest.DialAs(t, url, "ada", secret)
	client.Make("EVENTS", "one", "two")
	client.Make("RESULTS", "results.*")
	client.Make("DEAD", "dead.*")
	dir := t.TempDir()
	file := func(name, version string) []byte {
		return []byte(strings.NewReplacer("URL", url, "NAME", name, "VERSION", version).Replace(serveGraph))
	}
	for _, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "graph.cue"), file(name, "first"))
	}
	s := startServe(t, dir, "one", "two/graph.cue")
	s.until("ready", s.ready)

	publish := func(name string, from, to int) {
		for n := from; n < to; n++ {
			client.Publish(name, "", fmt.Appendf(nil, `{"n": %d}`, n), nil)
		}
	}
	publish("one", -2, 20)
	publish("two", 0, 3)
	client.Publish("one", "", []byte("hello"), nil)
	s.until("settled", func() bool {
		return s.value("event_latency_seconds", "one") == 23 && s.value("event_latency_seconds", "two") == 3
	})
	for name, want := range map[string]float64{
		"up": 1, "stuck": 0, "restarts_total": 0, "stream_lag_events": 0, "stream_pending_events": 0, "stream_oldest_event_age_seconds": 0,
		"events_in_flight": 0, "events_received_total": 23, "events_redelivered_total": 0, "events_acknowledged_total": 22, "dead_letters_total": 1,
	} {
		if got := s.value(name, "one"); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	for labels, want := range map[string]float64{"some passed": 20, "some filtered": 2, "read rejected": 1, "save passed": 20} {
		if got := s.value("rows_total", "one", strings.Fields(labels)...); got != want {
			t.Errorf("rows %s: %g, want %g", labels, got, want)
		}
	}
	if got := s.value("rejects_total", "one", "read", "parse"); got != 1 {
		t.Errorf("%g rejects", got)
	}
	if status, body := s.get("/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("health %d: %s", status, body)
	}

	// A change that is not sound is refused; the next is taken over, and nothing is lost.
	write(t, filepath.Join(dir, "one/graph.cue"), []byte(strings.Replace(string(file("one", "x")), "n >= 0", "m >= 0", 1)))
	s.until("refused", func() bool { return s.value("reloads_total", "one", "refused") == 1 })
	publish("one", 20, 25)
	write(t, filepath.Join(dir, "one/graph.cue"), file("one", "second"))
	s.until("taken over", func() bool { return s.value("reloads_total", "one", "taken") == 1 && s.ready() })
	publish("one", 25, 30)
	s.Process.Signal(syscall.SIGHUP)
	s.until("loaded again", func() bool {
		return s.value("reloads_total", "one", "taken") == 2 && s.value("reloads_total", "two", "taken") == 1 && s.ready()
	})

	// A pipeline that fails starts again.
	client.DeleteConsumer("EVENTS", "two")
	s.until("started again", func() bool { return s.value("restarts_total", "two") == 1 && s.ready() })
	publish("two", 3, 5)
	s.until("answered", func() bool { return s.value("events_acknowledged_total", "two") == 3+5 })

	said := ""
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		_, body := s.get(path)
		said += body
	}
	s.Process.Signal(syscall.SIGTERM)
	if status := s.finish(t, 10*time.Second); status != 0 {
		t.Errorf("exit status %d: %s", status, &s.errors)
	}
	if n := client.Count("RESULTS"); n != 30+5 { // the new consumer took the first three again
		t.Errorf("%d results, want 35", n)
	}
	versions := map[string]int{}
	for _, m := range client.All("RESULTS") {
		if m.Subject == "results.one" {
			versions[m.JSON(t)["version"].(string)]++
		}
	}
	if versions["first"]+versions["second"] != 30 || versions["second"] < 5 {
		t.Errorf("answers by version: %v", versions)
	}
	said += s.output.String() + s.errors.String()
	for name, content := range snapshot(t, dir) {
		said += name + content
	}
	if strings.Contains(said, secret) {
		t.Error("the secret is in what was printed or left")
	}
}

// Files of a folder tell which model made them, those of a batch and of a stream.
func TestFilesTellTheirModel(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "events")
	client.Make("DEAD", "dead.>")
	const row = `{"id": "a", "text": "the river rose again and took the bridge with it, and in the morning nobody could say where the road had been before"}`
	client.Publish("events", "", []byte(row), nil)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "in.jsonl"), []byte(row+"\n"))
	score := `score: specs.#Lastde & {in: read.out, scores: ["log_likelihood"], maxWait: "1ms"}`
	write(t, filepath.Join(dir, "batch.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {name: "batch", nodes: {
	read: specs.#ReadJSONL & {path: "in.jsonl"}
	`+score+`
	save: specs.#WriteParquet & {in: score.out, path: "batch/"}
}}
`))
	write(t, filepath.Join(dir, "stream.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {name: "stream", mode: "stream", nodes: {
	read: specs.#SubscribeNATS & {nats: url: "`+url+`", stream: "EVENTS", durable: "d", columns: {id: "string", text: "string"}}
	`+score+`
	save: specs.#AppendParquet & {in: score.out, path: "stream/"}
}}
`))
	for _, mode := range []string{"batch", "stream"} {
		succeed(t, dir, "run", mode+".cue", "--limit", "1")
		paths, err := filepath.Glob(filepath.Join(dir, mode, "part-*.parquet"))
		if err != nil || len(paths) != 1 {
			t.Fatalf("%s: files %v, %v", mode, paths, err)
		}
		f, err := parquet.Open(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		if m := f.Metadata()["penstock.models"]; !strings.Contains(m, `"Ref":"pocket"`) || !strings.Contains(m, `"Hash":"`) {
			t.Errorf("%s: models %q", mode, m)
		}
		f.Close()
	}
}

// A stream that makes no progress is told of loudly, and so is its recovery.
func TestServeTellsThatAStreamIsStuck(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "one")
	client.Make("RESULTS", "results.*")
	client.Make("DEAD", "dead.*")
	client.Bound("RESULTS", 1)
	dir := t.TempDir()
	graph := strings.NewReplacer("URL", url, "NAME", "one", "VERSION", "1", `, user: "ada", password: env: "SERVE_PASSWORD"`, "").Replace(serveGraph)
	write(t, filepath.Join(dir, "graph.cue"), []byte(graph))
	s := startServe(t, dir, "graph.cue", "--stuck", "500ms")
	s.until("ready", s.ready)
	for n := range 3 {
		client.Publish("one", "", fmt.Appendf(nil, `{"n": %d}`, n), nil)
	}
	s.until("stuck", func() bool {
		status, body := s.get("/healthz")
		return status == http.StatusServiceUnavailable && strings.HasPrefix(body, "graph one: no progress for ")
	})
	if s.value("stuck", "one") != 1 || s.value("stream_oldest_event_age_seconds", "one") <= 0.5 {
		t.Error("the metrics do not say so")
	}
	client.Bound("RESULTS", 100)
	s.until("well again", func() bool {
		status, _ := s.get("/healthz")
		return status == http.StatusOK
	})
	s.Process.Signal(syscall.SIGTERM)
	if status := s.finish(t, 10*time.Second); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, want := range []string{"level=ERROR msg=stuck graph=one", "no longer stuck"} {
		if !strings.Contains(s.errors.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, &s.errors)
		}
	}
}
