// Package examples_test loads, plans and runs the examples on the shipped samples.
package examples_test

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/runners/spectest"
	"penstock.dev/specs"
	_ "penstock.dev/transforms/cluster"
	_ "penstock.dev/transforms/degrade"
	_ "penstock.dev/transforms/detect"
	_ "penstock.dev/transforms/distill"
	_ "penstock.dev/transforms/embed"
	_ "penstock.dev/transforms/events"
	_ "penstock.dev/transforms/files"
	_ "penstock.dev/transforms/pde"
	_ "penstock.dev/transforms/retrieval"
	_ "penstock.dev/transforms/synth"
	_ "penstock.dev/transforms/table"
)

// inRoot moves to the root of the repository, which the paths of the examples
// start from.
func inRoot(t *testing.T) {
	t.Helper()
	t.Chdir(filepath.Join("..", ".."))
}

func load(t *testing.T, name string, tags map[string]string) *graphs.Plan {
	t.Helper()
	plan, ds := graphs.Load(filepath.Join("graphs", "examples", name), specs.Options{Tags: tags})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	return plan
}

// run runs an example into a folder of its own and checks that every row is
// accounted for.
func run(t *testing.T, name string, tags map[string]string, limit int64) (out string, counts map[string]graphs.NodeCounts) {
	t.Helper()
	inRoot(t)
	out = filepath.Join(t.TempDir(), "out")
	all := map[string]string{"out": out}
	for k, v := range tags {
		all[k] = v
	}
	return out, runWith(t, name, all, limit)
}

// runWith runs an example and checks that every row is accounted for.
func runWith(t *testing.T, name string, tags map[string]string, limit int64) (counts map[string]graphs.NodeCounts) {
	t.Helper()
	plan := load(t, name, tags)
	result, err := runners.Run(t.Context(), plan, runners.Options{Work: t.TempDir(), Limit: limit, Parameters: tags, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	counts = map[string]graphs.NodeCounts{}
	for _, c := range result.Counts {
		counts[c.Node] = c
		if c.In != c.Passed+c.Filtered+c.Rejected || c.Rejected != 0 {
			t.Errorf("node %s: %d rows in, %d passed, %d filtered, %d rejected", c.Node, c.In, c.Passed, c.Filtered, c.Rejected)
		}
	}
	return counts
}

// readRows reads a Parquet file; each row maps columns to values.
func readRows(t *testing.T, path string) []map[string]data.Value {
	t.Helper()
	f, err := parquet.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []map[string]data.Value
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
		row := map[string]data.Value{}
		for i, name := range f.Schema().Names() {
			row[name] = values[i]
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The tests beside the examples pass.
func TestSpecs(t *testing.T) {
	inRoot(t)
	files, err := filepath.Glob(filepath.Join("graphs", "examples", "*", "graph_test.cue"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		results, ds := spectest.Run(t.Context(), filepath.Dir(file), spectest.Options{Log: slog.New(slog.DiscardHandler)})
		if len(ds) > 0 || len(results) == 0 {
			t.Fatalf("%s: %v", file, ds)
		}
		for _, r := range results {
			for _, f := range r.Failures {
				t.Errorf("%s: %s: %s\n%s", r.Test.Name, f.Pos, f.Message, strings.Join(f.Lines, "\n"))
			}
		}
	}
}

func TestEveryExampleHasAGraphAndAReadme(t *testing.T) {
	inRoot(t)
	folders, err := filepath.Glob(filepath.Join("graphs", "examples", "*", ""))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, folder := range folders {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			continue
		}
		found++
		if _, err := os.Stat(filepath.Join(folder, "README.md")); err != nil {
			t.Error(err)
		}
		name := filepath.Base(folder)
		if plan := load(t, name, nil); plan.Graph.Name != name {
			t.Errorf("the graph of %s is named %s", name, plan.Graph.Name)
		}
	}
	if found < 5 {
		t.Errorf("%d examples", found)
	}
}

func TestDetectText(t *testing.T) {
	out, _ := run(t, "detect-text", nil, 24)
	scores := readRows(t, filepath.Join(out, "scores.parquet"))
	if len(scores) != 24 {
		t.Fatalf("%d scored rows, want 24", len(scores))
	}
	input := readRows(t, filepath.Join("data", "samples", "news-and-stories.parquet"))
	for i, row := range scores {
		if got, want := row["id"].Text(), input[i]["id"].Text(); got != want {
			t.Errorf("row %d is %s, want %s: the order of the input", i, got, want)
		}
		if l := row["log_likelihood"].Float64(); !(l < 0 && l > -20) || row["lastde_pp"].IsNull() || row["tokens"].Int64() < 50 {
			t.Errorf("%s: log-likelihood %v, %d tokens", row["id"].Text(), l, row["tokens"].Int64())
		}
	}
	// Eight scores over all rows, and in the one group that 24 rows reach.
	evaluation := readRows(t, filepath.Join(out, "evaluation.parquet"))
	if len(evaluation) != 8*2 {
		t.Fatalf("%d rows of evaluation, want 16", len(evaluation))
	}
	if all := evaluation[0]; !all["source"].IsNull() || all["positives"].Int64() != 12 || all["negatives"].Int64() != 12 {
		t.Errorf("evaluation of all rows: %v", all)
	}
}

func TestCleanCorpus(t *testing.T) {
	out, counts := run(t, "clean-corpus", nil, 0)
	if c := counts["unique"]; c.In != 16 || c.Emitted["out"] != 14 || c.Emitted["duplicates"] != 2 {
		t.Errorf("duplicates: %+v", c)
	}
	home := map[string]string{}
	passages := 0
	for _, set := range []string{"train", "validation", "test"} {
		for _, row := range readRows(t, filepath.Join(out, set+".parquet")) {
			passages++
			id := row["id"].Text()
			if other, seen := home[id]; seen && other != set {
				t.Errorf("%s lies in %s and %s", id, other, set)
			}
			home[id] = set
		}
	}
	// 120 words begin at every 100th of an address; a last piece has 40 or more.
	if passages != 150 || len(home) != 14 {
		t.Errorf("%d passages of %d addresses, want 150 of 14", passages, len(home))
	}
}

func TestLabelJoin(t *testing.T) {
	out, counts := run(t, "label-join", nil, 0)
	if c := counts["labelled"]; c.Emitted["out"] != 1350 {
		t.Errorf("joined rows: %+v", c)
	}
	f, err := os.Open(filepath.Join(out, "longest.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 6 {
		t.Fatalf("%d lines, want a header and 5", len(rows))
	}
	// As DuckDB sums the same files up.
	if want := []string{"xsum", "GPT-4", "instruction", "150", "1101.4", "1343"}; !slices.Equal(rows[2], want) {
		t.Errorf("second row %q, want %q", rows[2], want)
	}
}

func TestImageFolder(t *testing.T) {
	out, _ := run(t, "image-folder", nil, 0)
	rows := readRows(t, filepath.Join(out, "large.parquet"))
	if len(rows) != 2 {
		t.Fatalf("%d large images, want 2", len(rows))
	}
	for _, row := range rows {
		original, err := os.ReadFile(filepath.Join("data", "samples", "images", "real", filepath.Base(row["path"].Text())))
		if err != nil {
			t.Fatal(err)
		}
		if row["label"].Text() != "real" || string(row["image"].Bytes()) != string(original) {
			t.Errorf("%s: label %s, %d bytes, the file has %d", row["path"].Text(), row["label"].Text(), len(row["image"].Bytes()), len(original))
		}
	}
}

func TestRetrieveSciFact(t *testing.T) {
	out, counts := run(t, "retrieve-scifact", nil, 0)
	if c := counts["found"]; c.In != 5483 || c.Emitted["out"] != 29966 {
		t.Errorf("documents found: %+v", c)
	}
	f, err := os.Open(filepath.Join(out, "measures.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// bm25s 0.3.16 and trec_eval: transforms/retrieval/bm25/testdata/make_golden.py.
	want := map[string]float64{"nDCG@10": 0.6818256830826421, "R@100": 0.9226666666666667}
	for _, row := range rows[1:] {
		mean, err := strconv.ParseFloat(row[2], 64)
		if err != nil || math.Abs(mean-want[row[0]]) > 1e-12 {
			t.Errorf("%s is %s, want %v", row[0], row[2], want[row[0]])
		}
	}
	if len(rows) != 3 {
		t.Errorf("%d lines, want a header and 2", len(rows))
	}
}

func TestTemplates(t *testing.T) {
	out, counts := run(t, "templates", nil, 0)
	sources := map[string]int{}
	for _, row := range readRows(t, filepath.Join(out, "long.parquet")) {
		sources[row["source"].Text()]++
	}
	if len(sources) != 2 || sources["xsum"] != 19 || sources["writing"] != 28 {
		t.Errorf("rows by source: %v", sources)
	}
	if c := counts["xsum-rows"]; c.In != 98 || c.Passed != 42 {
		t.Errorf("gate of xsum: %+v", c)
	}
}

func TestPDEDarcy(t *testing.T) {
	out, _ := run(t, "pde-darcy", map[string]string{"rows": "12", "cells": "24"}, 0)
	rows := readRows(t, filepath.Join(out, "darcy.parquet"))
	if len(rows) != 12 {
		t.Fatalf("%d rows, want 12", len(rows))
	}
	for i, row := range rows {
		if r := row["residual"].Float64(); !(r > 0 && r <= 1e-8) || row["solver"].Text() != "multigrid" {
			t.Errorf("row %d: residual %g by %s", i, r, row["solver"].Text())
		}
		u := row["solution"].List()
		if len(u) != 24*24 {
			t.Fatalf("row %d: %d values", i, len(u))
		}
		// By the maximum principle u lies between 0 and that of the least permeability,
		// whose largest value on the square is 0.0737/3.
		for _, v := range u {
			if p := v.Float64(); !(p > 0 && p < 0.0737/3*1.01) {
				t.Fatalf("row %d: u = %g", i, p)
			}
		}
	}
}

func TestPDEPoisson(t *testing.T) {
	out, _ := run(t, "pde-poisson", map[string]string{"rows": "9", "cells": "20"}, 0)
	rows := readRows(t, filepath.Join(out, "poisson.parquet"))
	if len(rows) != 9 {
		t.Fatalf("%d rows, want 9", len(rows))
	}
	for i, row := range rows {
		if r := row["residual"].Float64(); !(r <= 1e-10) || row["solver"].Text() != "direct" || row["reason"].Text() != "one matrix for all rows" {
			t.Errorf("row %d: residual %g by %s (%s)", i, r, row["solver"].Text(), row["reason"].Text())
		}
	}
}

// Sorted or not, by recycling or by a factor, the same rows come out in the same order.
func TestPDEHelmholtzSKR(t *testing.T) {
	out, _ := run(t, "pde-helmholtz-skr", map[string]string{"rows": "8", "points": "30"}, 0)
	want := readRows(t, filepath.Join(out, "fastest.parquet"))
	for name, solver := range map[string]string{"sorted": "skr", "unsorted": "skr", "fastest": "direct"} {
		rows := readRows(t, filepath.Join(out, name+".parquet"))
		if len(rows) != 8 {
			t.Fatalf("%s: %d rows, want 8", name, len(rows))
		}
		for i, row := range rows {
			if r := row["residual"].Float64(); !(r <= 1e-8) || row["solver"].Text() != solver {
				t.Errorf("%s: row %d: residual %g by %s (%s)", name, i, r, row["solver"].Text(), row["reason"].Text())
			}
			u, v := row["solution"].List(), want[i]["solution"].List()
			for k := range v {
				if math.Abs(u[k].Float64()-v[k].Float64()) > 1e-5*math.Abs(v[k].Float64()) {
					t.Fatalf("%s: row %d: u[%d] = %g, want %g", name, i, k, u[k].Float64(), v[k].Float64())
				}
			}
		}
	}
}

// Verdicts by the calibration that the example before made are those by the shipped
// one; about one human text in twenty is called a machine's, and far more of a
// machine's are.
// Ten distilled images teach more than ten real ones. (With 150 iterations the distance
// is 25 points; a few are enough to see which way it goes.)
func TestDistillDigits(t *testing.T) {
	out, _ := run(t, "distill-digits", map[string]string{"iterations": "15", "networks": "2", "epochs": "60"}, 0)
	if rows := readRows(t, filepath.Join(out, "digits.parquet")); len(rows) != 10 || rows[3]["label"].Text() != "3" {
		t.Errorf("%d distilled images", len(rows))
	}
	figures, err := os.ReadFile(filepath.Join(out, "figures.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	accuracy := map[string]float64{} // of each kind of image and label on the experts' network
	for line := range strings.Lines(string(figures)) {
		var row struct {
			Images, Labels, Net string
			Accuracy            float64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(row.Net, "convnet") {
			accuracy[row.Images+" "+row.Labels] = row.Accuracy
		}
	}
	if len(accuracy) != 5 || !(accuracy["distilled soft"] > accuracy["random real hard"]+0.05) {
		t.Errorf("accuracies %v", accuracy)
	}
}

// The graph for MNIST runs on the shipped files of its format.
func TestDistillMNIST(t *testing.T) {
	out, _ := run(t, "distill-mnist", map[string]string{"iterations": "2", "networks": "1", "experts": "1", "epochs": "2", "steps": "2", "training": "10", "soft": "true"}, 0)
	rows := readRows(t, filepath.Join(out, "distilled.parquet"))
	if len(rows) != 10 || len(rows[9]["image"].List()) != 144 || len(rows[9]["logits"].List()) != 10 {
		t.Errorf("%d distilled images", len(rows))
	}
}

func TestCalibrateAndDecide(t *testing.T) {
	made, _ := run(t, "calibrate-text", nil, 0)
	for _, name := range []string{"likelihood.json", "combined.json"} {
		got, err := os.ReadFile(filepath.Join(made, name))
		if err != nil {
			t.Fatal(err)
		}
		shipped, err := os.ReadFile(filepath.Join("graphs", "examples", "decide-text", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(shipped) {
			t.Errorf("%s is not the one in graphs/examples/decide-text", name)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	plan := load(t, "decide-text", map[string]string{"out": out})
	result, err := runners.Run(t.Context(), plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil || result.Err != nil {
		t.Fatal(err, result)
	}
	called, texts := map[string]float64{}, map[string]float64{}
	for _, row := range readRows(t, filepath.Join(out, "verdicts.parquet")) {
		label := row["label"].Text()
		texts[label]++
		if row["verdict"].Text() == "machine" {
			called[label]++
		}
	}
	if share := called["human"] / texts["human"]; share < 0.02 || share > 0.08 {
		t.Errorf("%.3f of human texts are called a machine's, 0.05 promised", share)
	}
	if share := called["machine"] / texts["machine"]; share < 0.4 {
		t.Errorf("%.3f of machine texts are called a machine's", share)
	}
}

// Every image gets a score between those of unmoved and opposite features.
func TestDetectImages(t *testing.T) {
	out, _ := run(t, "detect-images", nil, 0)
	rows := readRows(t, filepath.Join(out, "images.parquet"))
	if len(rows) != 7 {
		t.Fatalf("%d images, want 7", len(rows))
	}
	for _, row := range rows {
		if x := row["rigid"].Float64(); !(x > 0 && x < 2) || row["rigid_error"].IsNull() {
			t.Errorf("%s: rigid %g", row["path"].Text(), x)
		}
	}
}

// Every document that is picked gets a query, four documents that are not its own stand
// against it, and the recorded answers are those of the prompts that the graph makes.
func TestDUQGen(t *testing.T) {
	out, counts := run(t, "duqgen-scifact", nil, 0)
	const documents, negatives = 12, 4
	if c := counts["written"]; c.In != documents || c.Passed != documents {
		t.Errorf("%d of %d queries were written", c.Passed, c.In)
	}
	b, err := os.ReadFile(filepath.Join(out, "pairs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][2]int{}
	positive, seen := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(string(b)) {
		var row struct {
			Query, Document string
			Label           float64
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		n := labels[row.Query]
		n[int(row.Label)]++
		labels[row.Query] = n
		if row.Label == 1 {
			positive[row.Query] = row.Document
		}
		if seen[row.Query+row.Document] {
			t.Errorf("a pair comes twice: %s", row.Query)
		}
		seen[row.Query+row.Document] = true
	}
	if len(labels) != documents {
		t.Errorf("%d queries", len(labels))
	}
	for query, n := range labels {
		if n != [2]int{negatives, 1} || positive[query] == "" {
			t.Errorf("%q: %d negatives and %d positives", query, n[0], n[1])
		}
	}
}

// Groups and bands hold every row, and line breaks alone do as well as the README says.
func TestAuditText(t *testing.T) {
	inRoot(t)
	out := filepath.Join(t.TempDir(), "out")
	plan := load(t, "audit-text", map[string]string{"out": out})
	result, err := runners.Run(t.Context(), plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil || result.Err != nil {
		t.Fatal(err, result)
	}
	rows := map[string]int64{} // of log_likelihood
	for _, row := range readRows(t, filepath.Join(out, "audit.parquet")) {
		if row["score"].Text() != "log_likelihood" {
			continue
		}
		kind := "all"
		switch {
		case !row["band"].IsNull():
			kind = "bands"
		case !row["source"].IsNull():
			kind = "groups"
		}
		rows[kind] += row["positives"].Int64() + row["negatives"].Int64()
	}
	if rows["all"] != 2700 || rows["groups"] != 2700 || rows["bands"] != 2700 {
		t.Errorf("%v rows evaluated, want 2,700 of each", rows)
	}
	evaluation := result.Account().Evaluations[0]
	if c := evaluation.Confounds[0]; c.Feature != "line breaks" || math.Abs(c.AUROC-0.819) > 0.0005 {
		t.Errorf("the best trivial feature is %+v", c)
	}
	if n := len(evaluation.Transfers); n != 12 {
		t.Errorf("%d transfer matrices, want 6 scores at 2 rates", n)
	}
}

// Recorded answers become tasks, each traced to its text, and what is none a reject with
// its reason.
func TestBonitoPubMedQA(t *testing.T) {
	inRoot(t)
	out := filepath.Join(t.TempDir(), "out")
	plan := load(t, "bonito-pubmedqa", map[string]string{"out": out})
	result, err := runners.Run(t.Context(), plan, runners.Options{Work: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil || result.Err != nil {
		t.Fatal(err, result)
	}
	tasks, refused := readRows(t, filepath.Join(out, "tasks.parquet")), readRows(t, filepath.Join(out, "rejects.parquet"))
	if len(tasks) != 20 || len(refused) != 4 {
		t.Fatalf("%d tasks and %d rejects of 24 texts", len(tasks), len(refused))
	}
	for _, row := range tasks {
		input, output := row["input"].Text(), row["output"].Text()
		if !strings.HasPrefix(input, strings.TrimSpace(row["text"].Text())+"\n\n") || !strings.Contains("yes no maybe", output) {
			t.Errorf("%s: input %q, output %q", row["id"].Text(), input, output)
		}
	}
	reasons := map[string]int{}
	for _, row := range refused {
		reasons[row["reject_class"].Text()]++
	}
	if !maps.Equal(reasons, map[string]int{"no-pipe": 2, "pipes": 1, "length": 1}) {
		t.Errorf("reasons %v", reasons)
	}
}

// Every attack is evaluated against the same humans; letters of other scripts and spaces
// between letters make machine text look less likely than any human's.
func TestAttackText(t *testing.T) {
	out, _ := run(t, "attack-text", nil, 8)
	rows := map[string]map[string]data.Value{}
	for _, row := range readRows(t, filepath.Join(out, "attacks.parquet")) {
		if row["score"].Text() == "log_likelihood" {
			rows[row["attack"].Text()] = row
		}
	}
	if len(rows) != 10 { // nine branches and all rows
		t.Fatalf("%d groups, want 10", len(rows))
	}
	clean := rows["none"]
	for name, row := range rows {
		if name != "" && (row["negatives"].Int64() != clean["negatives"].Int64() || row["positives"].Int64() != clean["positives"].Int64()) {
			t.Errorf("%s has %d and %d rows, the clean texts %d and %d", name, row["positives"].Int64(), row["negatives"].Int64(), clean["positives"].Int64(), clean["negatives"].Int64())
		}
	}
	for _, name := range []string{"homoglyph", "zero-width"} {
		if x := rows[name]["auroc"].Float64(); x > 0.1 {
			t.Errorf("%s leaves an AUROC of %.3f", name, x)
		}
	}
}
