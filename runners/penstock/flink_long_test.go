package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"penstock.dev/runners/flink/flinktest"
)

// cost is the time and memory of a run.
type cost struct {
	took    time.Duration
	client  int64 // MB, at most, of the submitting process
	workers int64 // MB, at most, of a worker process
}

func (m cost) String() string {
	return fmt.Sprintf("%.1f s, client %d MB, worker %d MB at most", m.took.Seconds(), m.client, m.workers)
}

// measure runs the command and looks at the memory of it and of the worker processes.
func measure(t *testing.T, dir string, args ...string) (m cost) {
	t.Helper()
	cmd := exec.Command("penstock", args...)
	cmd.Dir = dir
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				m.workers = max(m.workers, largestWorker())
			}
		}
	})
	err := cmd.Wait()
	m.took = time.Since(began)
	close(done)
	looking.Wait()
	if err != nil {
		t.Fatalf("%v: %s", err, output.String())
	}
	m.client = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	return m
}

// largestWorker is the largest resident memory, in MB, that a worker process has had.
func largestWorker() (most int64) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		command, _ := os.ReadFile(path)
		if !strings.Contains(string(command), "penstock\x00worker\x00--task") {
			continue
		}
		status, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		for line := range strings.Lines(string(status)) {
			if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kB, _ := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
				most = max(most, kB>>10)
			}
		}
	}
	return most
}

const groupGraph = `
import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "group"
	nodes: {
		read: specs.#ReadJSONL & {path: "in/*.jsonl", columns: {key: "int64", n: "int64"}}
		sums: specs.#Aggregate & {in: read.out, by: ["key"], columns: {rows: "count()", total: "sum(n)", most: "max(n)"}}
		save: specs.#WriteParquet & {in: sums.out, path: "\(out)/sums.parquet"}
	}
}

out: string @tag(out)
`

// groupFolder is a folder with rows of as many keys as a thousandth of the rows, in 20
// files.
func groupFolder(t *testing.T, rows int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "graph.cue"), groupGraph)
	for i := range 20 {
		f, err := os.Create(filepath.Join(dir, "in", fmt.Sprintf("%02d.jsonl", i)))
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		for n := i; n < rows; n += 20 {
			fmt.Fprintf(w, "{\"key\": %d, \"n\": %d}\n", n*7919%(rows/1000), n)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return dir
}

// Five million rows in five thousand groups: time and memory in one process and on a
// cluster.
func TestFlinkGroupBy(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes minutes: set PENSTOCK_LONG=1")
	}
	c := flinktest.Start(t, 2)
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	dir := groupFolder(t, 5_000_000)
	t.Logf("Prism: %v", measure(t, dir, "run", "graph.cue", "-t", "out=here"))
	t.Logf("Flink: %v", measure(t, dir, flinkRun(c, workers, "there")...))
	sameOutputs(t, filepath.Join(dir, "here"), filepath.Join(dir, "there"))
}

// A graph that is bound by its model, on one slot and on two, with a core for each
// worker process.
func TestFlinkScaling(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("takes minutes: set PENSTOCK_LONG=1")
	}
	c := flinktest.Start(t, 2)
	workers := startProcess(t, "env", "GOMAXPROCS=1", "penstock", "worker", "--listen", "127.0.0.1:0")
	dir := modelFolder(t, 80, 120)
	few := modelFolder(t, 2, 120)
	for turn := range 2 {
		start := measure(t, few, flinkRun(c, workers, fmt.Sprint("start", turn))...)
		one := measure(t, dir, flinkRun(c, workers, fmt.Sprint("one", turn), "--parallelism", "1")...)
		two := measure(t, dir, flinkRun(c, workers, fmt.Sprint("two", turn))...)
		t.Logf("two texts: %v; one slot: %v; two slots: %v; %.2f times as fast, %.2f without the time of two texts", start, one, two,
			one.took.Seconds()/two.took.Seconds(), (one.took-start.took).Seconds()/(two.took-start.took).Seconds())
	}
}
