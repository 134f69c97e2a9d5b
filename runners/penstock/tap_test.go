package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock.dev/data/nats/natstest"
)

// Events are shown as they are published, each on a line that no terminal obeys, and
// the consumer misses none.
func TestTap(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "events.*")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {
	name: "tap"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: url: "`+url+`", stream: "EVENTS", durable: "tap", columns: n: "int64", deadLetters: "dead"}
		some: specs.#Filter & {in: read.out, where: "n > 0"}
		save: specs.#PublishNATS & {in: some.out, nats: url: "`+url+`", stream: "RESULTS", subject: "results.{n}"}
	}
}
`))
	tapped := func(publish func(), args ...string) string {
		t.Helper()
		p := start(t, dir, append([]string{"tap", "graph.cue"}, args...)...)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			select {
			case <-p.ended:
				if p.ProcessState.ExitCode() != 0 {
					t.Fatalf("exit status %d: %s", p.ProcessState.ExitCode(), &p.errors)
				}
				return p.output.String()
			default:
				publish()
			}
		}
		t.Fatalf("it goes on: %s%s", &p.output, &p.errors)
		return ""
	}
	hostile := "\x1b[2J{\"n\":\n1}\xff"
	said := tapped(func() { client.Publish("events.x", "", []byte(hostile), nil) }, "read", "-n", "2")
	if want := `events.x  \x1b[2J{\"n\":\n1}\xff` + "\n"; said != want+want {
		t.Errorf("it said %q", said)
	}
	long := strings.Repeat("x", 3000)
	if said := tapped(func() { client.Publish("events.y", "", []byte(long), nil) }, "read", "-n", "1"); said != "events.y  "+long[:2000]+"…\n" {
		t.Errorf("it said %.50q, %d bytes", said, len(said))
	}
	client.Make("RESULTS", "results.*")
	if said := tapped(func() { client.Publish("results.1", "", []byte("{}"), nil) }, "save", "-n", "1"); said != "results.1  {}\n" {
		t.Errorf("it said %q", said)
	}
	client.Make("DEAD", "dead")
	letter := map[string][]string{"Penstock-Reason": {"because"}}
	if said := tapped(func() { client.Publish("dead", "", []byte("{}"), letter) }, "read", "-n", "1", "--dead"); said != "dead  {}  (because)\n" {
		t.Errorf("it said %q", said)
	}
	p := start(t, dir, "tap", "graph.cue", "some")
	if status := p.finish(t, 10*time.Second); status != exitFailed || !strings.Contains(p.errors.String(), "node some is a Filter, which takes and publishes no events") {
		t.Errorf("exit status %d: %s", status, &p.errors)
	}
}
