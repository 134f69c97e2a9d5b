package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// learnGraph distils the drawn digits and measures them as the script in the documentation
// does, without augmentation.
const learnGraph = `import "penstock.dev/specs"

param: input: string @tag(input)

graph: specs.#Graph & {
	name: "digits"
	nodes: {
		read: specs.#ReadParquet & {path: param.input}
		cut: specs.#Split & {in: read.out, fractions: {train: 0.7, validation: 0, test: 0.3}}
		teachers: specs.#TrainExperts & {in: cut.train, net: {width: 8, depth: 2}, experts: 2, epochs: 8, rate: 0.05}
		distil: specs.#Distill & {
			in: cut.train, experts: teachers.out
			imagesPerClass: 1, start: "correct", soft: true, iterations: 40, rate: 0.05
			rateOf: {images: 10, rate: 0.0001}
			trajectory: {steps: 12, furthest: 3}
			students: epochs: 100
		}
		save: specs.#WriteParquet & {in: distil.out, path: "distilled.parquet"}
		rest: specs.#WriteParquet & {in: cut.test, path: "unseen.parquet"}
		evaluate: specs.#EvaluateDistilled & {in: distil.out, heldOut: cut.test, networks: 5, plain: true}
		figures: specs.#WriteJSONL & {in: evaluate.out, path: "figures.jsonl"}
	}
}
`

// The script in the documentation needs nothing but the distilled file and reaches what
// EvaluateDistilled reaches.
func TestPyTorchLearnsFromTheFileAlone(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	if err := exec.Command(python, "-c", "import torch, pyarrow").Run(); err != nil {
		t.Skip("python3 lacks torch or pyarrow")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "transforms", "distill", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if script == nil {
		t.Fatal("no script in the documentation")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(learnGraph))
	write(t, filepath.Join(dir, "learn.py"), script[1])
	input, err := filepath.Abs(filepath.Join("..", "..", "data", "samples", "digits.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	succeed(t, dir, "run", "graph.cue", "-t", "input="+input)
	command := exec.Command(python, "learn.py", "distilled.parquet", "unseen.parquet")
	command.Dir = dir
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	want, deviation := plainAccuracy(t, filepath.Join(dir, "figures.jsonl"))
	t.Logf("PyTorch %.3f, EvaluateDistilled %.3f ± %.3f", got, want, deviation)
	if err != nil || !(got > want-0.03-3*deviation && got < want+0.03+3*deviation) {
		t.Errorf("PyTorch reaches %q, EvaluateDistilled %.3f ± %.3f", out, want, deviation)
	}
}

// plainAccuracy is the figure of soft labels without augmentation.
func plainAccuracy(t *testing.T, path string) (mean, deviation float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var row struct {
			Labels              string
			Augmented           bool
			Accuracy, Deviation float64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if row.Labels == "soft" && !row.Augmented {
			return row.Accuracy, row.Deviation
		}
	}
	t.Fatal("no figure without augmentation")
	return 0, 0
}
