package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock.dev/data/nats/natstest"
)

// Dead letters are shown, chosen, published again, and give results once the graph
// is mended.
func TestRetryOfDeadLetters(t *testing.T) {
	url := natstest.Serve(t, natstest.Options{})
	client := natstest.Dial(t, url)
	client.Make("EVENTS", "events.*")
	client.Make("RESULTS", "results")
	client.Make("DEAD", "dead.>")
	dir := t.TempDir()
	graph := func(score string) {
		write(t, filepath.Join(dir, "graph.cue"), []byte(`import "penstock.dev/specs"
graph: specs.#Graph & {
	name: "retry"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {nats: url: "`+url+`", stream: "EVENTS", durable: "retry", columns: {n: "int64", by: "int64"}}
		score: specs.#Derive & {in: read.out, columns: score: "`+score+`"}
		save: specs.#PublishNATS & {in: score.out, nats: url: "`+url+`", stream: "RESULTS", subject: "results"}
	}
}
`))
	}
	graph("n / by") // by 0 is refused
	for n := range 6 {
		client.Publish("events.x", "", fmt.Appendf(nil, `{"n": %d, "by": %d}`, n, n%3), nil)
	}
	client.Publish("events.y", "", []byte("hello"), nil)
	succeed(t, dir, "run", "graph.cue", "--limit", "7")
	if results, letters := client.Count("RESULTS"), client.Count("DEAD"); results != 4 || letters != 3 {
		t.Fatalf("%d results, %d dead letters", results, letters)
	}

	lines := strings.Split(strings.TrimSpace(succeed(t, dir, "retry", "graph.cue", "--list")), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "1      events.x  score  ") || !strings.HasPrefix(lines[3], "7      events.y  read   parse") {
		t.Errorf("listed:\n%s", strings.Join(lines, "\n"))
	}
	if said := succeed(t, dir, "retry", "graph.cue", "--class", "none"); said != "0 events published again\n" {
		t.Errorf("it said %q", said)
	}

	graph("by == 0 ? 0 : n / by")
	if said := succeed(t, dir, "retry", "graph.cue", "--node", "score", "--limit", "1"); said != "1 event published again\n" {
		t.Errorf("it said %q", said)
	}
	if said := succeed(t, dir, "retry", "graph.cue"); said != "2 events published again\n" {
		t.Errorf("it said %q", said)
	}
	succeed(t, dir, "run", "graph.cue", "--limit", "3")
	if results := client.Count("RESULTS"); results != 6 {
		t.Errorf("%d results, want 6", results)
	}
	letters := client.All("DEAD")
	if len(letters) != 1 || string(letters[0].Data) != "hello" || letters[0].Header["Penstock-Retries"][0] != "1" {
		t.Errorf("dead letters %v", letters)
	}

	client.Delete("DEAD")
	p := start(t, dir, "retry", "graph.cue")
	if status := p.finish(t, 10*time.Second); status != exitFailed || p.errors.String() != "penstock: "+url+" has no stream that keeps dead letters of subject dead.EVENTS.retry\n" {
		t.Errorf("exit status %d: %s", status, &p.errors)
	}
}
