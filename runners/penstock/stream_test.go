package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"penstock.dev/data"
	"penstock.dev/data/nats/natstest"
	"penstock.dev/data/parquet"
	"penstock.dev/graphs"
	"penstock.dev/graphs/graphtest"
	"penstock.dev/runners"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// killGraph sends events every way there is: to a stream and files, to another stream
// too, to none, to a sink for rejects, and to the dead letters.
const killGraph = `import "penstock.dev/specs"

param: url: string @tag(url)

server: url: param.url

graph: specs.#Graph & {
	name: "kill"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {
			nats: server, stream: "EVENTS", durable: "kill", deadLetters: "dead.events"
			columns: {n: "int64", way: "string"}
			ackWait: "1s", batch: 64
		}
		some:   specs.#Filter & {in: read.out, where: "way != 'filtered'"}
		score:  specs.#Derive & {in: some.out, columns: score: "way == 'rejected' ? 1 / (n - n) : n * 2"}
		check:  specs.#Derive & {in: score.out, columns: checked: "way == 'refused' ? 1 / (n - n) : n"}
		save:   specs.#PublishNATS & {in: check.out, nats: server, stream: "RESULTS", subject: "results.{way}", headers: way: "{way}"}
		files:  specs.#AppendParquet & {in: check.out, path: "files/", rows: 500, age: "100ms"}
		both:   specs.#Filter & {in: check.out, where: "way == 'both'"}
		second: specs.#PublishNATS & {in: both.out, nats: server, stream: "SECOND", subject: "second"}
		refuse: specs.#PublishNATS & {in: check.rejects, nats: server, stream: "REFUSED", subject: "refused"}
	}
}
`

// ways are what becomes of events, with where they are to be found.
var ways = []string{"scored", "scored", "scored", "filtered", "both", "rejected", "refused", "poisoned"}

func payloadOf(n int) []byte {
	way := ways[n%len(ways)]
	if way == "poisoned" {
		return fmt.Appendf(nil, "{\"n\": %d, \"way\": ", n)
	}
	return fmt.Appendf(nil, `{"n": %d, "way": %q}`, n, way)
}

// natsProcess is a server in a process of its own.
type natsProcess struct {
	*exec.Cmd
	t      *testing.T
	folder string
	port   int
}

func startNATS(t *testing.T) *natsProcess {
	t.Helper()
	s := &natsProcess{t: t, folder: t.TempDir(), port: freePort(t)}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *natsProcess) start() {
	s.t.Helper()
	s.Cmd = exec.Command("nats-server", "-folder", s.folder, "-port", strconv.Itoa(s.port))
	out, err := s.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.Cmd.Stderr = os.Stderr
	if err := s.Cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		s.t.Fatalf("nats-server said %q: %v", line, err)
	}
	go io.Copy(io.Discard, out)
}

func (s *natsProcess) kill() {
	s.Process.Kill()
	s.Wait()
}

func (s *natsProcess) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.port) }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Whatever is killed, and when: every event ends once where it belongs. The short
// form kills the pipeline 4 times and the server once; with PENSTOCK_LONG 100 times
// and 10 times over 50,000 events.
func TestKilledStreamLosesAndRepeatsNothing(t *testing.T) {
	events, kills, serverKills := 2000, 4, 1
	if os.Getenv("PENSTOCK_LONG") != "" {
		events, kills, serverKills = 50_000, 100, 10
	}
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	client.Make("RESULTS", "results.*")
	client.Make("SECOND", "second")
	client.Make("REFUSED", "refused")
	client.Make("DEAD", "dead.>")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(killGraph))

	published := make(chan struct{})
	go func() {
		defer close(published)
		for n := range events {
			client.Publish("events", strconv.Itoa(n), payloadOf(n), nil)
		}
	}()

	// A kill comes when so many results are there, in the middle of the flow, and not
	// all of those in flight were acknowledged.
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	all := events / 2 // of the events give a result
	for i := range kills {
		p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
		share := all / (kills + 1)
		goal := uint64(i*share + random.IntN(share))
		reached := func() bool { return client.Count("RESULTS") > goal }
		if i%(kills/serverKills) == kills/serverKills/2 {
			p.when(reached)
			server.kill()
			time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
			server.start()
			goal += uint64(share / 2)
		}
		p.when(reached)
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		p.Process.Kill()
		<-p.ended
		if p.ProcessState.Exited() {
			t.Fatalf("kill %d: it ended by itself: %s%s", i, &p.output, &p.errors)
		}
	}
	<-published
	p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
	again := waitForFloor(t, client, uint64(events), p) - uint64(events)
	p.Process.Signal(syscall.SIGTERM)
	if status := p.finish(t, 30*time.Second); status != 0 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	t.Logf("%d events, %d kills of the pipeline, %d of the server, %.1f s; %d deliveries of an event that was in flight at a kill", events, kills, serverKills, time.Since(began).Seconds(), again)
	if again == 0 {
		t.Error("no kill found an event in flight: the test shows nothing")
	}

	want := map[string][]int{}
	for n := range events {
		switch way := ways[n%len(ways)]; way {
		case "scored":
			want["RESULTS"] = append(want["RESULTS"], n)
		case "both":
			want["RESULTS"] = append(want["RESULTS"], n)
			want["SECOND"] = append(want["SECOND"], n)
		case "refused":
			want["REFUSED"] = append(want["REFUSED"], n)
		case "rejected", "poisoned":
			want["DEAD"] = append(want["DEAD"], n)
		}
	}
	want["files"] = want["RESULTS"]
	for _, stream := range []string{"RESULTS", "files", "SECOND", "REFUSED", "DEAD"} {
		times := map[int]int{}
		for _, n := range numbersOf(t, client, dir, stream) {
			times[n]++
		}
		lost, repeated := 0, 0
		for _, n := range want[stream] {
			if times[n] == 0 {
				lost++
			}
			repeated += max(0, times[n]-1)
			delete(times, n)
		}
		t.Logf("%s: %d messages, %d lost, %d repeated, %d that do not belong there", stream, len(want[stream]), lost, repeated, len(times))
		if lost+repeated+len(times) > 0 {
			t.Errorf("%s does not hold every event once", stream)
		}
	}
}

// numbersOf are the numbers of the events in a stream, or in the Parquet files of a
// folder.
func numbersOf(t *testing.T, client *natstest.Client, dir, where string) (numbers []int) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, where, "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := parquet.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
			numbers = append(numbers, int(values[0].Int64()))
			return nil
		})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(paths) > 0 {
		return numbers
	}
	for _, m := range client.All(where) {
		var n int
		if _, err := fmt.Sscanf(strings.ReplaceAll(string(m.Data), " ", ""), `{"n":%d`, &n); err != nil {
			t.Fatalf("%s holds %q", where, m.Data)
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// waitForFloor waits until all events of the stream are acknowledged and returns how
// many deliveries it took.
func waitForFloor(t *testing.T, client *natstest.Client, last uint64, p *process) (deliveries uint64) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		at, err := client.Position("EVENTS", "kill")
		if err == nil && at.Waiting == 0 && at.InFlight == 0 && at.Floor >= last {
			return at.Deliveries
		}
		select {
		case <-p.ended:
			t.Fatalf("it ended by itself: %s%s", &p.output, &p.errors)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d events: %+v, %v", last, at, err)
		}
	}
}

// hostile are events that no graph can take, with the class that each is refused
// by and a part of the reason.
var hostile = []struct{ name, payload, class, reason string }{
	{"empty", "", "empty", "no payload"},
	{"blank", "  \n ", "parse", ""},
	{"text", "hello", "parse", ""},
	{"truncated", `{"n": 1, "text": "a`, "parse", ""},
	{"two objects", `{"n": 1, "text": "a"} {"n": 2, "text": "b"}`, "parse", "behind the object"},
	{"array", `[{"n": 1, "text": "a"}]`, "schema", "must be an object"},
	{"number", `17`, "schema", "must be an object"},
	{"null", `null`, "schema", "must be an object"},
	{"missing column", `{"n": 1}`, "schema", `no key "text"`},
	{"all columns missing", `{}`, "schema", `no key "n"`},
	{"unknown key", `{"n": 1, "text": "a", "texts": "b"}`, "schema", `did you mean "text"`},
	{"key twice", `{"n": 1, "n": 2, "text": "a"}`, "schema", "occurs twice"},
	{"text for a number", `{"n": "1", "text": "a"}`, "schema", `column "n" is int64`},
	{"number for a text", `{"n": 1, "text": 7}`, "schema", `column "text" is string`},
	{"fraction", `{"n": 1.5, "text": "a"}`, "schema", `column "n" is int64`},
	{"too large a number", `{"n": 123456789012345678901234567890, "text": "a"}`, "schema", `column "n" is int64`},
	{"null in an expression", `{"n": null, "text": "a"}`, "null", `column "n" is null`},
	{"invalid UTF-8", "{\"n\": 1, \"text\": \"\xff\xfe\"}", "utf8", "UTF-8"},
	{"lone surrogate key", "{\"n\": 1, \"text\": \"a\", \"\\ud800\": 1}", "", ""},
	{"deep nesting", `{"n": 1, "text": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "parse", "deep"},
	{"binary", "\x00\x01\x02\x03", "parse", ""},
	{"huge", `{"n": 1, "text": ` + strings.Repeat(" ", 1<<20-200) + `}`, "parse", ""},
	{"value for a subject", `{"n": 3, "text": "a.b c"}`, "subject", "cannot be a part of the subject"},
}

// Each hostile event becomes a dead letter with its payload as it was and the
// reason, and the events between them go their way.
func TestHostileEventsBecomeDeadLetters(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "events")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {
	name: "hostile"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: url: "`+url+`", stream: "EVENTS", subjects: ["events"], durable: "kill", create: true, columns: {n: "int64", text: "string"}}
		more: specs.#Derive & {in: read.out, columns: twice: "2 * n"}
		save: specs.#PublishNATS & {in: more.out, nats: url: "`+url+`", stream: "RESULTS", subject: "results.{text}", create: true}
	}
}
`))
	for i, h := range hostile {
		client.Publish("events", "", []byte(h.payload), map[string][]string{"Name": {h.name}})
		client.Publish("events", "", fmt.Appendf(nil, `{"n": %d, "text": "good"}`, i), nil)
	}
	p := start(t, dir, "run", "graph.cue")
	waitForFloor(t, client, uint64(2*len(hostile)), p)
	p.Process.Signal(syscall.SIGTERM)
	if status := p.finish(t, 10*time.Second); status != 0 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	if n := client.Count("RESULTS"); n != uint64(len(hostile)) {
		t.Errorf("%d results, want %d", n, len(hostile))
	}
	letters := map[string][]natstest.Stored{}
	for _, m := range client.All("EVENTS-DEAD") {
		name := m.Header["Name"][0]
		letters[name] = append(letters[name], m)
	}
	for i, h := range hostile {
		got := letters[h.name]
		if len(got) == 0 {
			t.Errorf("%s: no dead letter", h.name)
			continue
		}
		var payload []byte
		for _, part := range got {
			payload = append(payload, part.Data...)
		}
		if !bytes.Equal(payload, []byte(h.payload)) {
			t.Errorf("%s: the payload came out as %d bytes, went in as %d", h.name, len(payload), len(h.payload))
		}
		header := func(name string) string { return strings.Join(got[0].Header[name], "|") }
		if c := header("Penstock-Class"); h.class != "" && c != h.class {
			t.Errorf("%s: class %q, want %q", h.name, c, h.class)
		}
		if r := header("Penstock-Reason"); r == "" || !strings.Contains(r, h.reason) || len(r) > 2000 {
			t.Errorf("%s: reason %.200q, want one with %q", h.name, r, h.reason)
		}
		if s := header("Penstock-Stream") + ":" + header("Penstock-Sequence"); s != fmt.Sprintf("EVENTS:%d", 2*i+1) {
			t.Errorf("%s: from %s", h.name, s)
		}
		if header("Penstock-Attempts") != "1" || header("Penstock-Subject") != "events" || header("Penstock-Node") == "" {
			t.Errorf("%s: headers %v", h.name, got[0].Header)
		}
	}
}

// An event that ends the process does so once in company and as often alone as it
// may; those that were in flight with it are not blamed.
func TestEventThatEndsTheProcess(t *testing.T) {
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	const events, maxDeliver = 200, 3
	for n := range events {
		client.Publish("events", "", fmt.Appendf(nil, `{"n": %d}`, n), nil)
	}
	dir := t.TempDir()
	ended := 0
	for ; ; ended++ {
		p := startAs(t, dir, "penstock-deadly", server.url(), strconv.Itoa(maxDeliver))
		select {
		case <-p.ended:
			if ended > 2*maxDeliver {
				t.Fatalf("it ended %d times: %s%s", ended, &p.output, &p.errors)
			}
			continue
		case <-settledAll(t, client, events):
		}
		p.Process.Kill()
		<-p.ended
		break
	}
	if want := 2*maxDeliver + 1; ended != want { // two deadly events that come in one batch
		t.Errorf("the process ended %d times, want %d", ended, want)
	}
	if n := client.Count("RESULTS"); n != events-2 {
		t.Errorf("%d results, want %d", n, events-2)
	}
	for _, m := range client.All("EVENTS-DEAD") {
		n := m.JSON(t)["n"].(float64)
		if class := m.Header["Penstock-Class"]; n != 66 && n != 67 || class[0] != "max-deliver" {
			t.Errorf("event %v is a dead letter: %v", n, m.Header)
		}
	}
	if n := client.Count("EVENTS-DEAD"); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
}

// settledAll is closed when all events are acknowledged.
func settledAll(t *testing.T, client *natstest.Client, last uint64) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			if at, err := client.Position("EVENTS", "kill"); err == nil && at.Floor >= last {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return done
}

// deadly is a penstock whose graph has a node that two events kill: penstock-deadly
// URL MAXDELIVER.
func deadly() {
	transforms.Register(transforms.Kind{
		Name: "test.Deadly", Inputs: []string{transforms.In}, Outputs: []string{transforms.Out},
		New: func([]byte) (transforms.Node, error) { return deadlyNode{}, nil },
	})
	maxDeliver, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	server := map[string]any{"url": os.Args[1]}
	g := graphtest.Graph(
		graphtest.Node("read", "SubscribeNATS", map[string]any{
			"nats": server, "stream": "EVENTS", "subjects": []string{"events"}, "durable": "kill", "create": true,
			"payload": "json", "columns": map[string]string{"n": "int64"}, "unknown": "reject", "start": "all",
			"batch": 64, "maxAckPending": 1000, "ackWait": "300ms", "maxDeliver": maxDeliver,
		}),
		graphtest.Node("deadly", "test.Deadly", nil, specs.Ref{Node: "read", Port: transforms.Out}),
		graphtest.Node("save", "PublishNATS", map[string]any{"nats": server, "stream": "RESULTS", "subject": "results", "create": true},
			specs.Ref{Node: "deadly", Port: transforms.Out}))
	g.Mode = "stream"
	plan, ds := graphs.NewPlan(g)
	if ds.Failed() {
		fmt.Fprintln(os.Stderr, ds)
		os.Exit(exitInvalid)
	}
	r, err := runners.Run(context.Background(), plan, runners.Options{Work: ".penstock", Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = r.Err
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(exitFailed)
}

type deadlyNode struct{}

func (deadlyNode) Columns(in transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(in.Get(transforms.In)), nil
}

func (deadlyNode) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	if n := r.Values[0].Int64(); n == 66 || n == 67 {
		os.Exit(7)
	}
	emit(transforms.Out, r)
	return nil
}

// One graph scores a file and a stream: the same rows give the same scores, those
// drawn at random among them.
func TestStreamEqualsBatch(t *testing.T) {
	const graph = `import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "equal"
	MODE
	nodes: {
		read: READ
		long: specs.#Filter & {in: read.out, where: "size(text) > 200"}
		score: specs.#Lastde & {in: long.out, maxWait: "1ms", scores: ["log_likelihood", "fast_detect_gpt", "lastde", "lastde_pp"], lastdePP: samples: 10}
		save: SAVE
	}
}
`
	url := natstest.Serve(t, natstest.Options{})
	server := `nats: url: "` + url + `"`
	dir := t.TempDir()
	batch := strings.NewReplacer("MODE", "", "READ", `specs.#ReadJSONL & {path: "in.jsonl", key: "id"}`, "SAVE", `specs.#WriteJSONL & {in: score.out, path: "out.jsonl"}`)
	stream := strings.NewReplacer("MODE", `mode: "stream"`,
		"READ", `specs.#SubscribeNATS & {`+server+`, stream: "EVENTS", subjects: ["events"], durable: "kill", create: true, columns: {id: "string", text: "string"}, key: "id"}`,
		"SAVE", `specs.#PublishNATS & {in: score.out, `+server+`, stream: "RESULTS", subject: "results", create: true}`)
	write(t, filepath.Join(dir, "batch.cue"), []byte(batch.Replace(graph)))
	write(t, filepath.Join(dir, "stream.cue"), []byte(stream.Replace(graph)))

	client := natstest.Dial(t, url)
	client.Make("EVENTS", "events")
	var lines [][]byte
	for i := range 40 {
		words := strings.Repeat("the river rose again and took the bridge with it ", 4+i%5)
		lines = append(lines, fmt.Appendf(nil, `{"id": "doc-%d", "text": "%s number %d"}`, i, words, i*i))
	}
	write(t, filepath.Join(dir, "in.jsonl"), append(bytes.Join(lines, []byte("\n")), '\n'))
	client.PublishAsync("events", lines)
	succeed(t, dir, "run", "batch.cue")
	p := start(t, dir, "run", "stream.cue")
	waitForFloor(t, client, uint64(len(lines)), p)
	p.Process.Signal(syscall.SIGTERM)
	if status := p.finish(t, 10*time.Second); status != 0 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	rows := func(lines []string) map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, line := range lines {
			row := natstest.Stored{Data: []byte(line)}.JSON(t)
			all[row["id"].(string)] = row
		}
		return all
	}
	content, err := os.ReadFile(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	want := rows(strings.Split(strings.TrimSpace(string(content)), "\n"))
	var messages []string
	for _, m := range client.All("RESULTS") {
		messages = append(messages, string(m.Data))
	}
	got := rows(messages)
	if len(got) != len(messages) || len(got) == 0 {
		t.Fatalf("%d rows in %d messages", len(got), len(messages))
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a)) })
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("the stream differs from the batch (-batch +stream):\n%s", diff)
	}
}

// What stands in the way of a stream costs one line at the start, with the cure, and
// no secret is in anything that is printed or left.
func TestStreamObstacles(t *testing.T) {
	const secret = "hunter2-hunter2"
	t.Setenv("KILL_PASSWORD", secret)
	guarded := natstest.Serve(t, natstest.Options{User: "ada", Password: secret})
	plain := natstest.Serve(t, natstest.Options{})
	nobody := fmt.Sprintf("nats://127.0.0.1:%d", freePort(t))
	for _, tt := range []struct {
		name, server, want string
		args               []string
	}{
		{"unreachable", `{url: "` + nobody + `"}`, "node save: " + nobody + " cannot be reached (is the server running", nil},
		{"no credentials", `{url: "` + guarded + `"}`, "refuses the credentials (check user", nil},
		{"wrong user", `{url: "` + guarded + `", user: "eve", password: env: "KILL_PASSWORD"}`, "refuses the credentials (check user", nil},
		{"no stream", `{url: "` + guarded + `", user: "ada", password: env: "KILL_PASSWORD"}`, "has no stream RESULTS (make it with: nats stream add RESULTS, or set create: true)", nil},
		{"no variable", `{url: "` + plain + `", token: env: "KILL_NONE"}`, "nats.token: environment variable KILL_NONE is not set", nil},
		{"dry run", `{url: "` + plain + `"}`, "a dry run of a stream would take its events", []string{"--dry-run"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "graph.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {
	name: "obstacles"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: `+tt.server+`, stream: "EVENTS", durable: "kill", columns: n: "int64"}
		save: specs.#PublishNATS & {in: read.out, nats: `+tt.server+`, stream: "RESULTS", subject: "results"}
	}
}
`))
			p := start(t, dir, append([]string{"run", "graph.cue", "-v"}, tt.args...)...)
			if status := p.finish(t, 20*time.Second); status != exitFailed {
				t.Errorf("exit status %d, want %d", status, exitFailed)
			}
			last := p.errors.String()[strings.LastIndex(strings.TrimSpace(p.errors.String()), "\n")+1:]
			if !strings.HasPrefix(last, "penstock: ") || !strings.Contains(last, tt.want) {
				t.Errorf("it said %q, want one line with %q", last, tt.want)
			}
			graph := start(t, dir, "graph", "graph.cue", "-o", "svg")
			graph.finish(t, 10*time.Second)
			said := p.output.String() + p.errors.String() + graph.output.String() + graph.errors.String()
			for name, content := range snapshot(t, dir) {
				said += name + content
			}
			if strings.Contains(said, secret) {
				t.Error("the secret is in what was printed or left")
			}
		})
	}
}
