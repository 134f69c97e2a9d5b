package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"penstock.dev/runners/flink/flinktest"
	"penstock.dev/transforms/models"
	"penstock.dev/transforms/synth/endpoint/endpointtest"
)

// modelGraph is bound by the model: a text takes a good part of a second.
const modelGraph = `
import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "model"
	nodes: {
		read: specs.#ReadJSONL & {path: "in/*.jsonl", columns: {id: "string", text: "string", label: "string"}, key: "id"}
		score: specs.#Lastde & {in: read.out, model: "pocket", scores: ["log_likelihood", "lastde"]}
		save: specs.#WriteParquet & {in: score.out, path: "\(out)/scores.parquet"}
		evaluate: specs.#Evaluate & {in: score.out, label: "label", scores: ["log_likelihood"]}
		table: specs.#WriteParquet & {in: evaluate.out, path: "\(out)/evaluation.parquet"}
	}
}

out: string @tag(out)
`

// modelFolder is a folder with that graph and a number of texts, two in a file.
func modelFolder(t *testing.T, rows, words int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "graph.cue"), modelGraph)
	for i := 0; i < rows; i += 2 {
		var lines strings.Builder
		for n := i; n < min(i+2, rows); n++ {
			var text strings.Builder
			for w := range words {
				fmt.Fprintf(&text, "%c%d ", 'a'+(n*w)%26, (n+w*w)%97)
			}
			fmt.Fprintf(&lines, "{\"id\": \"t%03d\", \"label\": %q, \"text\": %q}\n", n, []string{"human", "machine"}[n%2], text.String())
		}
		writeText(t, filepath.Join(dir, "in", fmt.Sprintf("%03d.jsonl", i)), lines.String())
	}
	return dir
}

// flinkRun is the command line of a run on the cluster.
func flinkRun(c *flinktest.Cluster, workers, out string, more ...string) []string {
	return append([]string{"run", "graph.cue", "-t", "out=" + out, "--work", "shared-" + out, "--runner", "flink", "--endpoint", c.Endpoint,
		"--dashboard", c.Dashboard, "--workers", workers, "--parallelism", "2"}, more...)
}

// Graphs of every family give on a cluster the rows that they give in one process,
// and both task managers have part in it.
func TestFlinkGivesTheSameRows(t *testing.T) {
	c := flinktest.Start(t, 2)
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	example := func(name string) string { return filepath.Join(root, "graphs", "examples", name) }
	for _, test := range []struct {
		name, dir, graph string
		tags             []string
		readers          int // processes that read splits of a source
	}{
		{"table", remoteFolder(t, 20), "graph.cue", nil, 2},
		{"model", modelFolder(t, 12, 60), "graph.cue", nil, 2},
		{"join", root, example("label-join"), nil, 1},
		{"corpus", root, example("clean-corpus"), nil, 1},
		{"pde", root, example("pde-poisson"), []string{"-t", "rows=150", "-t", "cells=16"}, 2},
		{"generation", root, example("bonito-pubmedqa"), nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			args := append([]string{"run", test.graph, "--work", filepath.Join(dir, "shared")}, test.tags...)
			began := time.Now()
			if output, ok := penstockIn(t, test.dir, append(args, "-t", "out="+filepath.Join(dir, "here"))...); !ok {
				t.Fatal(output)
			}
			here := time.Since(began)
			began = time.Now()
			output, ok := penstockIn(t, test.dir, append(args, "-t", "out="+filepath.Join(dir, "there"), "--runner", "flink", "--endpoint", c.Endpoint,
				"--dashboard", c.Dashboard, "--workers", workers, "--parallelism", "2")...)
			if !ok {
				t.Fatal(output)
			}
			readers := readersIn(t, filepath.Join(dir, "shared"))
			t.Logf("Prism %.1f s, Flink %.1f s; sources read by %v", here.Seconds(), time.Since(began).Seconds(), readers)
			sameOutputs(t, filepath.Join(dir, "here"), filepath.Join(dir, "there"))
			if len(readers) < test.readers {
				t.Errorf("the sources were read by %v, want %d processes", readers, test.readers)
			}
		})
	}
}

// readersIn are the processes that read rows of sources, with their number.
func readersIn(t *testing.T, work string) map[string]int64 {
	t.Helper()
	readers := map[string]int64{}
	for _, s := range statementsIn(t, work) {
		if s.Counts.Role == "source" && s.Counts.In > 0 {
			readers[s.Worker] += s.Counts.In
		}
	}
	return readers
}

// running is a run on a cluster that is under way.
type running struct {
	*exec.Cmd
	output strings.Builder
	work   string
}

// startRun starts a run of the command line that flinkRun makes.
func startRun(t *testing.T, dir, out string, args []string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command("penstock", args...), work: filepath.Join(dir, "shared-"+out)}
	r.Dir, r.Stdout, r.Stderr = dir, &r.output, &r.output
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Process.Kill() })
	return r
}

// atWork are the processes that have results of a node so far.
func (r *running) atWork(node string) (pids []int) {
	work := os.DirFS(r.work)
	paths, _ := fs.Glob(work, "runs/*/*/progress-*.json")
	for _, path := range paths {
		b, _ := fs.ReadFile(work, path)
		var counts []struct {
			Node   string
			Worked int64
		}
		json.Unmarshal(b, &counts)
		for _, n := range counts {
			var pid int
			if _, mark, ok := strings.Cut(filepath.Base(path), "~"); ok && n.Node == node && n.Worked > 0 {
				fmt.Sscanf(mark, "%d.json", &pid)
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// waitForWork waits until two processes have results.
func (r *running) waitForWork(t *testing.T) []int {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if pids := r.atWork("tasks"); len(pids) >= 2 {
			return pids
		}
	}
	t.Fatalf("no work is seen: %s", r.output.String())
	return nil
}

// slowFolder is a folder with texts, two in a file, of which a slow server is asked.
func slowFolder(t *testing.T) string {
	t.Helper()
	dir, server := synthFolder(t, 0, endpointtest.Options{Delay: 600 * time.Millisecond})
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	graph := strings.NewReplacer("in.jsonl", "in/*.jsonl", "out/tasks.parquet", `\(out)/tasks.parquet`, `"500ms"`, `"5s"`, "int | *8", "int | *2").Replace(synthGraph)
	graph += fmt.Sprintf("\nout: string @tag(out)\nparam: url: %q\n", server.URL)
	writeText(t, filepath.Join(dir, "graph.cue"), graph)
	for n := 0; n < 60; n += 2 {
		text := ""
		for i := n; i < n+2; i++ {
			text += fmt.Sprintf("{\"id\": \"%05d\", \"text\": \"Text %d has its own words.\"}\n", i, i)
		}
		writeText(t, filepath.Join(dir, "in", fmt.Sprintf("%02d.jsonl", n)), text)
	}
	return dir
}

// Whatever is killed in mid-run, the output is right or there is none.
func TestFlinkSurvives(t *testing.T) {
	c := flinktest.Start(t, 1)
	second := c.AddTaskManager()
	dir := slowFolder(t)
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	if output, ok := penstockIn(t, dir, "run", "graph.cue", "-t", "out=here", "-t", "concurrency=32"); !ok {
		t.Fatal(output)
	}
	begin := func(t *testing.T, out string) (*running, []int) {
		c.WaitSlots(2)
		r := startRun(t, dir, out, flinkRun(c, workers, out))
		return r, r.waitForWork(t)
	}
	succeeds := func(t *testing.T, r *running, out string) {
		began := time.Now()
		if err := r.Wait(); err != nil {
			t.Fatalf("%v: %s", err, r.output.String())
		}
		t.Logf("done %.1f s after the kill", time.Since(began).Seconds())
		sameOutputs(t, filepath.Join(dir, "here"), filepath.Join(dir, out))
	}
	t.Run("worker", func(t *testing.T) {
		r, pids := begin(t, "worker")
		if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		succeeds(t, r, "worker")
	})
	t.Run("task manager", func(t *testing.T) {
		r, _ := begin(t, "manager")
		second.Process.Kill()
		c.AddTaskManager()
		succeeds(t, r, "manager")
	})
	t.Run("interrupted client", func(t *testing.T) {
		r, _ := begin(t, "interrupted")
		r.Process.Signal(syscall.SIGTERM)
		if err := r.Wait(); err == nil || !strings.Contains(complaintOf(r.output.String()), "interrupted: nothing was written") {
			t.Errorf("%v: %s", err, r.output.String())
		}
		noFilesIn(t, dir, "interrupted")
	})
	t.Run("client", func(t *testing.T) {
		r, _ := begin(t, "client")
		r.Process.Kill()
		r.Wait()
		began := time.Now()
		c.WaitSlots(2) // the job ends by itself
		t.Logf("slots free %.1f s after the kill", time.Since(began).Seconds())
		if _, err := os.Stat(filepath.Join(dir, "client", "tasks.parquet")); err == nil {
			t.Error("an output without a client")
		}
		if output, ok := penstockIn(t, dir, flinkRun(c, workers, "client")...); !ok {
			t.Fatal(output)
		}
		sameOutputs(t, filepath.Join(dir, "here"), filepath.Join(dir, "client"))
		noFilesIn(t, dir, "client/.penstock-tmp")
	})
}

// noFilesIn reports what is at a path.
func noFilesIn(t *testing.T, dir, name string) {
	t.Helper()
	filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return nil
	})
}

// What stands in the way of a run costs one line within 15 seconds, and no slot.
func TestFlinkObstacles(t *testing.T) {
	c := flinktest.Start(t, 2)
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	nobody := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	dir := remoteFolder(t, 2)
	blind := func(hidden string) string {
		if os.Getuid() != 0 {
			t.Skip("hiding a folder from a process needs root")
		}
		return startProcess(t, "unshare", "-m", "sh", "-c", "mount -t tmpfs none "+hidden+" && exec penstock worker --listen 127.0.0.1:0")
	}
	if err := os.Mkdir(filepath.Join(dir, "shared-out"), 0o755); err != nil {
		t.Fatal(err)
	}
	if output, ok := penstockIn(t, dir, flinkRun(c, workers, "warm")...); !ok {
		t.Fatal(output)
	}
	modelled := modelFolder(t, 2, 10)
	writeText(t, filepath.Join(modelled, "graph.cue"), strings.Replace(modelGraph, "pocket", "smollm2", 1))
	for _, test := range []struct {
		name    string
		dir     string
		workers func() string
		more    []string
		want    string
	}{
		{"no free slot", dir, func() string { return workers }, []string{"--parallelism", "3"}, "flink has no free slot: 3 wanted (--parallelism), 2 of 2 free"},
		{"no worker", dir, func() string { return nobody }, nil, "no penstock worker answers"},
		{"no shared folder", dir, func() string { return blind(filepath.Join(dir, "shared-out")) }, nil, "is not there (--work must be a folder that all machines share"},
		{"no inputs", dir, func() string { return blind(filepath.Join(dir, "in")) }, nil, "no file matches in/*.jsonl"},
		{"no model", modelled, func() string {
			if err := models.Find("smollm2"); err != nil {
				t.Skip(err)
			}
			return startProcess(t, "env", "PENSTOCK_CACHE="+t.TempDir(), "penstock", "worker", "--listen", "127.0.0.1:0")
		}, nil, "smollm2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := test.workers()
			c.WaitSlots(2)
			began := time.Now()
			output, ok := penstockIn(t, test.dir, flinkRun(c, address, "out", test.more...)...)
			took := time.Since(began)
			t.Logf("%.1f s: %s", took.Seconds(), complaintOf(output))
			if ok || !strings.Contains(complaintOf(output), test.want) || took > 15*time.Second {
				t.Errorf("after %v it says %q, want …%s…", took, output, test.want)
			}
			noFilesIn(t, test.dir, "out")
		})
	}
	c.WaitSlots(2)
}
