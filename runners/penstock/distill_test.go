package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// distillGraph distils the drawn digits in a few seconds.
const distillGraph = `import "penstock.dev/specs"

param: input: string @tag(input)

graph: specs.#Graph & {
	name: "digits"
	nodes: {
		read: specs.#ReadParquet & {path: param.input}
		cut: specs.#Split & {in: read.out, fractions: {train: 0.8, validation: 0.2, test: 0}}
		teachers: specs.#TrainExperts & {in: cut.train, net: {width: 8, depth: 2}, experts: 2, epochs: 6, rate: 0.05, momentum: 0.5}
		distil: specs.#Distill & {
			in: cut.train, experts: teachers.out, heldOut: cut.validation
			imagesPerClass: 1, soft: true, iterations: 40, checkpoint: 1, rate: 0.05
			rateOf: images: 10
			trajectory: {steps: 8, epochs: 2, furthest: 2, growth: 20, pieces: 2}
			students: epochs: 20
			validate: {every: 10, networks: 1}
		}
		save: specs.#WriteJSONL & {in: distil.out, path: "out/digits.jsonl"}
		known: specs.#WriteJSONL & {in: teachers.out, path: "out/experts.jsonl"}
	}
}
`

// Runs that are killed while experts are trained and while images are distilled, and
// started again, give the bytes of a run that was left alone.
func TestKilledDistillationEndsTheSame(t *testing.T) {
	input, err := filepath.Abs(filepath.Join("..", "..", "data", "samples", "digits.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	folder := func() string {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "graph.cue"), []byte(distillGraph))
		return dir
	}
	args := []string{"run", "graph.cue", "-t", "input=" + input}
	alone := folder()
	succeed(t, alone, args...)
	want := snapshot(t, filepath.Join(alone, "out"))
	killed := folder()
	for _, moment := range []struct {
		folder string
		writes int // of files there, before the process is killed
	}{{"experts", 3}, {"experts", 8}, {"states", 2}, {"states", 12}} {
		p := start(t, killed, args...)
		p.when(replaced(filepath.Join(killed, ".penstock", "distill", moment.folder), moment.writes))
		if err := p.Process.Kill(); err != nil {
			t.Errorf("it was over before the file in %s had been written %d times", moment.folder, moment.writes)
		}
		<-p.ended
	}
	succeed(t, killed, args...)
	got := snapshot(t, filepath.Join(killed, "out"))
	for name, content := range got {
		got[name] = strings.ReplaceAll(content, killed, alone) // paths of the experts
	}
	sameFiles(t, "after four kills", want, got)
}

// replaced says whether safetensors files below a folder have been written so many
// times since it was first asked.
func replaced(folder string, times int) func() bool {
	seen := map[string]time.Time{}
	filled := false
	return func() bool {
		filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".safetensors") {
				return nil
			}
			if info, err := os.Stat(path); err == nil && !info.ModTime().Equal(seen[path]) {
				if filled || seen[path].IsZero() {
					times--
				}
				seen[path] = info.ModTime()
			}
			return nil
		})
		filled = true
		return times <= 0
	}
}
