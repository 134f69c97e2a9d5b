package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"
)

// jobService is a process of Prism as a job service, at the port of its argument,
// until its standard input ends.
func jobService() {
	var port int
	fmt.Sscan(os.Args[1], &port)
	if _, err := prism.CreateJobServer(context.Background(), prism.Options{Port: port}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// startProcess starts a command of the test binary, which ends with the test, and
// returns the first line it says.
func startProcess(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.TrimSpace(line)
}

// remoteGraph has all that crosses from one process to another: several splits, rows
// filtered and rejected, branches that meet, an aggregate, a sort, files and folders.
const remoteGraph = `
import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "remote"
	run: maxRejects: 0.5
	nodes: {
		read: specs.#ReadJSONL & {path: "in/*.jsonl", columns: {n: "int64", text: "string"}}
		some: specs.#Filter & {in: read.out, where: "n % 7 != 0"}
		inverse: specs.#Derive & {in: some.out, columns: inverse: "1000 / (n % 11)"}
		save: specs.#WriteParquet & {in: inverse.out, path: "\(out)/rows.parquet"}
		shards: specs.#WriteJSONL & {in: inverse.out, path: "\(out)/rows/"}
		odd: specs.#Filter & {in: read.out, where: "n % 2 == 1"}
		even: specs.#Filter & {in: read.out, where: "n % 2 == 0"}
		both: specs.#Union & {in: [odd.out, even.out, some.out]}
		mixed: specs.#WriteJSONL & {in: both.out, path: "\(out)/mixed.jsonl"}
		sums: specs.#Aggregate & {in: read.out, by: ["text"], columns: {rows: "count()", total: "sum(n)"}}
		ranked: specs.#Sort & {in: sums.out, by: ["total"], descending: true}
		table: specs.#WriteCSV & {in: ranked.out, path: "\(out)/sums.csv"}
	}
}

out: string @tag(out)
`

// remoteFolder is a folder with the graph and its input, in files of some hundred rows.
func remoteFolder(t *testing.T, files int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeText(t, filepath.Join(dir, "graph.cue"), remoteGraph)
	for i := range files {
		var b strings.Builder
		for n := i * 300; n < (i+1)*300; n++ {
			fmt.Fprintf(&b, "{\"n\": %d, \"text\": \"group %d\"}\n", n, n*n%13)
		}
		writeText(t, filepath.Join(dir, "in", fmt.Sprintf("%02d.jsonl", i)), b.String())
	}
	return dir
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// penstockIn runs the command in a folder and returns what it says, and whether it
// succeeded.
func penstockIn(t *testing.T, dir string, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.Command("penstock", args...)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	return string(b), err == nil
}

// outputsOf are the files below a folder by their relative names: rows of Parquet
// files as text, other files as they are. Shards are taken together, for their number
// is the engine's affair.
func outputsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	outputs := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "_manifest.json" {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if strings.HasPrefix(d.Name(), "part-") {
			name = filepath.Dir(name)
		}
		if filepath.Ext(path) == ".parquet" {
			for _, row := range readRows(t, path) {
				maps.DeleteFunc(row, func(column, _ string) bool { return strings.HasSuffix(column, "seconds") })
				outputs[name] += fmt.Sprintln(row)
			}
			return nil
		}
		outputs[name] += string(mustRead(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// sameOutputs compares two folders.
func sameOutputs(t *testing.T, want, got string) {
	t.Helper()
	w, g := outputsOf(t, want), outputsOf(t, got)
	if len(w) == 0 || len(w) != len(g) {
		t.Errorf("%d outputs, want %d", len(g), len(w))
	}
	for name := range w {
		if w[name] != g[name] {
			t.Errorf("%s differs: %d bytes, want %d", name, len(g[name]), len(w[name]))
		}
	}
}

// statement is what a run's accounts hold of a bundle.
type statement struct {
	Worker string
	Counts struct {
		Node, Role string
		In         int64
	}
}

// statementsIn are those of the last run in a work folder.
func statementsIn(t *testing.T, work string) (statements []statement) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(work, "runs", "*", "*", "accounts.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no accounts in %s: %v", work, err)
	}
	if err := json.Unmarshal(mustRead(t, paths[len(paths)-1]), &statements); err != nil {
		t.Fatal(err)
	}
	return statements
}

// Another process does the work and gives the same files; the counts come back.
func TestRunRemote(t *testing.T) {
	port := freePort(t)
	startProcess(t, "job-service", fmt.Sprint(port))
	workers := startProcess(t, "penstock", "worker", "--listen", "127.0.0.1:0")
	dir := remoteFolder(t, 5)
	here, ok := penstockIn(t, dir, "run", "graph.cue", "-t", "out=here")
	if !ok {
		t.Fatal(here)
	}
	remote := []string{"run", "graph.cue", "-t", "out=there", "--work", "shared", "--runner", "universal", "--endpoint", fmt.Sprintf("localhost:%d", port), "--workers", workers}
	there, ok := penstockIn(t, dir, remote...)
	if !ok {
		t.Fatal(there)
	}
	sameOutputs(t, filepath.Join(dir, "here"), filepath.Join(dir, "there"))
	if got, want := accountOf(there), accountOf(here); got != want || !strings.Contains(got, "rejected") {
		t.Errorf("accounts %q, want %q", got, want)
	}
	worker := ""
	for _, s := range statementsIn(t, filepath.Join(dir, "shared")) {
		if s.Worker == fmt.Sprintf("%s~%d", hostName(), os.Getpid()) || worker != "" && s.Worker != worker {
			t.Errorf("%s of node %s was done by %s", worker, s.Counts.Node, s.Worker)
		}
		worker = s.Worker
	}
	limited, ok := penstockIn(t, dir, append(remote, "--limit", "450")...)
	if !ok || !strings.Contains(limited, "450 in") {
		t.Error(limited)
	}
}

func hostName() string {
	name, _ := os.Hostname()
	return name
}

// accountOf is the line of a run's end that counts rows.
func accountOf(output string) string {
	for line := range strings.Lines(output) {
		if strings.Contains(line, " in · ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// What stands in the way of a remote run costs one line.
func TestObstaclesOfRemoteRuns(t *testing.T) {
	port := freePort(t)
	nobody := fmt.Sprintf("localhost:%d", freePort(t))
	startProcess(t, "job-service", fmt.Sprint(port))
	other := filepath.Join(t.TempDir(), "penstock")
	program, err := exec.LookPath("penstock")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, append(mustRead(t, program), "another build"...), 0o755); err != nil {
		t.Fatal(err)
	}
	workers := startProcess(t, other, "worker", "--listen", "127.0.0.1:0")
	service := fmt.Sprintf("localhost:%d", port)
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"no job service", []string{"--endpoint", nobody}, "no job service answers at --endpoint " + nobody},
		{"no dashboard", []string{"--endpoint", service, "--dashboard", nobody}, "flink does not answer at --dashboard " + nobody},
		{"another build", []string{"--endpoint", service, "--workers", workers}, "(install one build everywhere)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := remoteFolder(t, 1)
			output, ok := penstockIn(t, dir, append([]string{"run", "graph.cue", "-t", "out=out", "--runner", "universal"}, test.args...)...)
			if last := complaintOf(output); ok || !strings.Contains(last, test.want) {
				t.Errorf("it says %q, want …%s…", output, test.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "out")); err == nil {
				t.Error("something was written")
			}
		})
	}
}

// complaintOf is the one line that a failed command ends with.
func complaintOf(output string) string {
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "penstock: ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
