package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"penstock.dev/data/nats/natstest"
)

const windowGraph = `import "penstock.dev/specs"

param: url: string @tag(url)

graph: specs.#Graph & {
	name: "windows"
	mode: "stream"
	nodes: {
		read: specs.#SubscribeNATS & {
			nats: url: param.url
			stream: "EVENTS", durable: "kill", batch: 16, ackWait: "1s"
			columns: {n: "int64", at: "timestamp"}
		}
		group: specs.#Derive & {in: read.out, columns: group: "n % 3"}
		second: specs.#Window & {in: group.out, time: "at", size: "1s", by: ["group"], columns: {rows: "count()", sum: "sum(n)"}}
		results: specs.#PublishNATS & {in: second.out, nats: url: param.url, stream: "RESULTS", subject: "results"}
		late: specs.#PublishNATS & {in: second.late, nats: url: param.url, stream: "LATE", subject: "late"}
	}
}
`

// Whenever a process is killed, each window comes out once and holds every event, and
// none is late though those in flight come again behind newer ones. With PENSTOCK_LONG
// there are 30 kills over 20,000 events.
func TestKilledWindowsAreExact(t *testing.T) {
	events, kills := 1500, 3
	if os.Getenv("PENSTOCK_LONG") != "" {
		events, kills = 20_000, 30
	}
	server := startNATS(t)
	client := natstest.Dial(t, server.url())
	client.Make("EVENTS", "events")
	client.Make("RESULTS", "results")
	client.Make("LATE", "late")
	client.Make("DEAD", "dead.>")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(windowGraph))

	const perSecond = 50
	origin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	publish := func(n int) {
		at := origin.Add(time.Duration(n) * time.Second / perSecond)
		client.Publish("events", strconv.Itoa(n), fmt.Appendf(nil, `{"n": %d, "at": %q}`, n, at.Format(time.RFC3339Nano)), nil)
	}
	go func() {
		for n := range events {
			publish(n)
		}
	}()

	random := rand.New(rand.NewPCG(3, 4))
	again := uint64(0)
	for i := range kills {
		p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
		share := events / (kills + 1)
		goal := uint64(i*share + random.IntN(share))
		p.when(func() bool {
			at, err := client.Position("EVENTS", "kill")
			return err == nil && at.Floor > goal
		})
		time.Sleep(time.Duration(random.IntN(2000)) * time.Microsecond)
		p.Process.Kill()
		<-p.ended
	}
	p := start(t, dir, "run", "graph.cue", "-t", "url="+server.url())
	again = waitForFloor(t, client, uint64(events), p) - uint64(events)
	const seconds = 1 // behind the last: it ends the windows
	publish(events + seconds*perSecond)
	wanted := uint64(3 * events / perSecond)
	p.when(func() bool { return client.Count("RESULTS") >= wanted })
	p.Process.Signal(syscall.SIGTERM)
	if status := p.finish(t, 30*time.Second); status != 0 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	t.Logf("%d events, %d kills, %d deliveries of an event that was in flight at a kill", events, kills, again)
	if again == 0 {
		t.Error("no kill found an event in flight: the test shows nothing")
	}

	type window struct {
		start string
		group int
	}
	want := map[window][2]int{}
	for n := range events {
		w := window{origin.Add(time.Duration(n/perSecond) * time.Second).Format(time.RFC3339), n % 3}
		want[w] = [2]int{want[w][0] + 1, want[w][1] + n}
	}
	for _, m := range client.All("RESULTS") {
		row := m.JSON(t)
		w := window{row["start"].(string), int(row["group"].(float64))}
		if got := [2]int{int(row["rows"].(float64)), int(row["sum"].(float64))}; got != want[w] {
			t.Errorf("window %v: %v, want %v", w, got, want[w])
		}
		delete(want, w)
	}
	if len(want) > 0 || client.Count("RESULTS") != wanted {
		t.Errorf("%d windows are lost; %d results, want %d", len(want), client.Count("RESULTS"), wanted)
	}
	if late, dead := client.Count("LATE"), client.Count("DEAD"); late+dead > 0 {
		t.Errorf("%d events are late, %d dead letters", late, dead)
	}
}
