package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faultGraph writes a single file, a folder and rejects, and holds rows on disk
// in between: all the ways in which a run leaves something behind.
const faultGraph = `import "penstock.dev/specs"

param: least: int | *0 @tag(least,type=int)

graph: specs.#Graph & {
	name: "words"
	run: maxRejects: 0.5
	nodes: {
		read: specs.#ReadJSONL & {path: "in.jsonl", columns: {n: "int64", text: "string"}}
		some: specs.#Filter & {in: read.out, where: "n >= \(param.least) && size(text) > 0"}
		lines: specs.#WriteJSONL & {in: some.out, path: "out/lines.jsonl"}
		unique: specs.#Dedupe & {in: some.out, columns: ["n"]}
		rows: specs.#WriteParquet & {in: unique.out, path: "out/rows/"}
	}
}
`

// faultRows is enough for a run of seconds.
const faultRows = 50_000

// faultFolder makes a folder with a graph, its input and the output of a run.
func faultFolder(t *testing.T, graph string, rows int) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(graph))
	var b bytes.Buffer
	filler := strings.Repeat("one of many words ", 20)
	for n := range rows {
		if n%1000 == 7 {
			fmt.Fprintf(&b, "{\"n\": %d, \"text\": null}\n", n)
			continue
		}
		fmt.Fprintf(&b, "{\"n\": %d, \"text\": \"%s%d\"}\n", n, filler, n)
	}
	write(t, filepath.Join(dir, "in.jsonl"), b.Bytes())
	return dir
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// process is a penstock command under way.
type process struct {
	*exec.Cmd
	output, errors bytes.Buffer
	ended          chan struct{}
	err            error
}

func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return startAs(t, dir, "penstock", args...)
}

// startAs starts one of the programs of TestMain.
func startAs(t *testing.T, dir, program string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), ended: make(chan struct{})}
	p.Dir, p.Stdout, p.Stderr = dir, &p.output, &p.errors
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		<-p.ended
	})
	return p
}

// finish waits for the process and returns its exit status.
func (p *process) finish(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		t.Fatalf("%v is not over after %v", p.Args, within)
	}
	return p.ProcessState.ExitCode()
}

// succeed runs a command that must not fail.
func succeed(t *testing.T, dir string, args ...string) string {
	t.Helper()
	p := start(t, dir, args...)
	if status := p.finish(t, 2*time.Minute); status != 0 {
		t.Fatalf("%v: exit status %d\n%s%s", args, status, &p.output, &p.errors)
	}
	return p.output.String()
}

// snapshot is every visible file below a folder with its content. The run's id
// in a manifest is the one thing that differs from run to run.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".penstock-tmp":
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(content)
		if d.Name() == "_manifest.json" {
			_, files[name], _ = strings.Cut(string(content), "\n  \"rows\"")
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return files
}

// sameFiles compares two snapshots without printing what is in the files.
func sameFiles(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for name, content := range want {
		if other, there := got[name]; !there {
			t.Errorf("%s: %s is gone", what, name)
		} else if other != content {
			t.Errorf("%s: %s is another (%d bytes, want %d)", what, name, len(other), len(content))
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s: %s should not be there", what, name)
		}
	}
}

// written is the number of bytes in files below folders of a name that begins
// with prefix, and one for each of the files.
func written(dir, prefix string) (total int64) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "/"+prefix) {
			if info, err := d.Info(); err == nil {
				total += info.Size() + 1
			}
		}
		return nil
	})
	return total
}

// when waits for a condition, or the end of the process.
func (p *process) when(reached func() bool) {
	for !reached() {
		select {
		case <-p.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// A run that is killed at any moment leaves the previous output as it was and
// nothing half written; the next run succeeds and takes away what was left.
func TestKilledRunLeavesThePreviousOutput(t *testing.T) {
	dir := faultFolder(t, faultGraph, faultRows)
	out := filepath.Join(dir, "out")
	succeed(t, dir, "run", "graph.cue", "-t", "least=30000")
	want := snapshot(t, out)
	succeed(t, dir, "run", "graph.cue")
	before := snapshot(t, out)
	whole := int64(len(before["lines.jsonl"]))
	for _, moment := range []struct {
		name   string
		folder string // prefix of its name
		bytes  int64
	}{
		{"at the start", ".penstock-tmp", 0},
		{"when the first file is made", ".penstock-tmp", 1},
		{"when rows are held on disk", "spill", 1 << 20},
		{"at a third of the rows", ".penstock-tmp", whole / 3},
		{"at two thirds of the rows", ".penstock-tmp", whole * 2 / 3},
	} {
		t.Run(moment.name, func(t *testing.T) {
			left := written(dir, moment.folder) // by those killed before
			p := start(t, dir, "run", "graph.cue", "-t", "least=10000")
			p.when(func() bool { return written(dir, moment.folder)-left >= moment.bytes })
			p.Process.Kill()
			<-p.ended
			if p.err == nil {
				t.Skip("the run was over before it could be killed")
			}
			sameFiles(t, "after the kill", before, snapshot(t, out))
		})
	}
	succeed(t, dir, "run", "graph.cue", "-t", "least=30000")
	sameFiles(t, "after the rerun", want, snapshot(t, out))
	nothingLeft(t, dir)
}

// nothingLeft checks that no temporary file and no row on disk is left.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.Name() == ".penstock-tmp" || strings.HasPrefix(d.Name(), "spill")) {
			t.Errorf("%s is left", path)
		}
		return nil
	})
}

// A run that is asked to stop does so within seconds, says so on one line and
// leaves the previous output.
func TestInterruptedRunLeavesThePreviousOutput(t *testing.T) {
	dir := faultFolder(t, faultGraph, faultRows)
	out := filepath.Join(dir, "out")
	succeed(t, dir, "run", "graph.cue")
	before := snapshot(t, out)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			p := start(t, dir, "run", "graph.cue")
			p.when(func() bool { return written(out, ".penstock-tmp") >= int64(len(before["lines.jsonl"])/4) })
			began := time.Now()
			p.Process.Signal(signal)
			if status := p.finish(t, 5*time.Second); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			t.Logf("stopped after %v", time.Since(began))
			if got, want := p.errors.String(), "penstock: interrupted: nothing was written\n"; got != want {
				t.Errorf("it said %q, want %q", got, want)
			}
			if !strings.HasPrefix(p.output.String(), "words was interrupted after ") {
				t.Errorf("it printed\n%s", &p.output)
			}
			sameFiles(t, "after "+signal.String(), before, snapshot(t, out))
			nothingLeft(t, dir)
		})
	}
}

// Two runs of one graph at once both end well, and the output is that of one of
// them, whole.
func TestTwoRunsAtOnce(t *testing.T) {
	dir := faultFolder(t, faultGraph, faultRows/5)
	out := filepath.Join(dir, "out")
	var outcomes []map[string]string
	for _, least := range []string{"least=0", "least=5000"} {
		succeed(t, dir, "run", "graph.cue", "-t", least)
		outcomes = append(outcomes, snapshot(t, out))
	}
	for range 3 {
		one, other := start(t, dir, "run", "graph.cue", "-t", "least=0"), start(t, dir, "run", "graph.cue", "-t", "least=5000")
		for _, p := range []*process{one, other} {
			if status := p.finish(t, time.Minute); status != 0 {
				t.Fatalf("exit status %d: %s", status, &p.errors)
			}
		}
		got := snapshot(t, out)
		for name := range got {
			if got[name] != outcomes[0][name] && got[name] != outcomes[1][name] {
				t.Errorf("%s is of neither run", name)
			}
		}
		if diff := cmp.Diff(len(outcomes[0]), len(got)); diff != "" {
			t.Errorf("files (-want +got): %s", diff)
		}
		nothingLeft(t, dir)
	}
}

// What stands in the way of a run costs one line.
func TestObstacles(t *testing.T) {
	graph := strings.Replace(faultGraph, "out/lines.jsonl", `\(param.out)/lines.jsonl`, 1)
	graph = strings.Replace(graph, "out/rows/", `\(param.out)/rows/`, 1)
	graph = strings.Replace(graph, "param: least", "param: out: string | *\"out\" @tag(out)\nparam: least", 1)
	dir := faultFolder(t, graph, 100)
	write(t, filepath.Join(dir, "file"), []byte("a file, not a folder"))
	if err := os.Mkdir(filepath.Join(dir, "locked"), 0o555); err != nil {
		t.Fatal(err)
	}
	model := strings.Replace(faultGraph, "unique: specs.#Dedupe & {in: some.out, columns: [\"n\"]}", "unique: specs.#Lastde & {in: some.out, model: \"gone\"}", 1)
	write(t, filepath.Join(dir, "model.cue"), []byte(model))
	before := snapshot(t, dir)
	for _, tt := range []struct {
		name string
		args []string
		want string
		exit int
	}{
		{"output below a file", []string{"run", "graph.cue", "-t", "out=file"}, "file: not a directory", 1},
		{"locked folder", []string{"run", "graph.cue", "-t", "out=locked"}, "permission denied", 1},
		{"no such model", []string{"run", "model.cue"}, "model.cue:12:49: graph.nodes.unique.model: model gone: no such file or folder", 2},
		{"work folder is a file", []string{"run", "graph.cue", "--work", "file"}, "file: not a directory", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if os.Getuid() == 0 && strings.Contains(tt.want, "permission") {
				t.Skip("the superuser may write anywhere")
			}
			p := start(t, dir, tt.args...)
			if status := p.finish(t, 30*time.Second); status != tt.exit {
				t.Errorf("exit status %d, want %d", status, tt.exit)
			}
			if got := p.errors.String(); !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("it said %q, want one line with %q", got, tt.want)
			}
			os.RemoveAll(filepath.Join(dir, ".penstock"))
			sameFiles(t, tt.name, before, snapshot(t, dir))
		})
	}
}
