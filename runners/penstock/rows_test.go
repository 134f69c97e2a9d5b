package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
)

// readRows reads a Parquet file, every row as text by column.
func readRows(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := parquet.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := headOf(t.Context(), f, int(f.Rows()))
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, r := range records {
		row := map[string]string{}
		for i, field := range r.Schema.Fields() {
			row[field.Name] = data.Format(r.Values[i], field.Type, 1<<30)
		}
		rows = append(rows, row)
	}
	return rows
}

// sameRows compares rows in their order; the named columns hold scores, which
// agree within 1e-5 relative.
func sameRows(t *testing.T, what string, want, got []map[string]string, scores ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
		return
	}
	isScore := map[string]bool{}
	for _, name := range scores {
		isScore[name] = true
	}
	for i := range want {
		for name, value := range want[i] {
			if same := got[i][name] == value || isScore[name] && near(value, got[i][name]); !same {
				t.Errorf("%s: row %d (%s): %s is %.60q, want %.60q", what, i, want[i]["id"], name, got[i][name], value)
			}
		}
	}
}

func near(a, b string) bool {
	var x, y float64
	if _, err := fmt.Sscan(a, &x); err != nil {
		return false
	}
	if _, err := fmt.Sscan(b, &y); err != nil {
		return false
	}
	return math.Abs(x-y) <= 1e-5*math.Max(math.Abs(x), math.Abs(y))
}

const scoreGraph = `import "penstock.dev/specs"

param: {
	input: string @tag(input)
	out:   string @tag(out)
}

graph: specs.#Graph & {
	name: "score"
	run: maxRejects: 0.5
	nodes: {
		read: specs.#ReadParquet & {path: param.input, key: "id"}
		score: specs.#Lastde & {in: read.out, scores: ["log_likelihood", "lastde_pp"]}
		save: specs.#WriteParquet & {in: score.out, path: "\(param.out)/scores.parquet"}
	}
}
`

// texts are the first texts of the samples.
func texts(t *testing.T, n int) []string {
	t.Helper()
	var texts []string
	for _, row := range readRows(t, filepath.Join(samples(t), "news-and-stories.parquet"))[:n] {
		texts = append(texts, row["text"])
	}
	return texts
}

// writeTexts writes a column of ids and one of texts, null for nil.
func writeTexts(t *testing.T, path string, rows [][2]any) {
	t.Helper()
	schema := data.MustSchema(data.Field{Name: "id", Type: data.StringType}, data.Field{Name: "text", Type: data.StringType, Nullable: true})
	w, err := parquet.NewWriter(path, schema, parquet.Options{Compression: "zstd", RowsPerGroup: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		values := []data.Value{data.StringValue(row[0].(string)), {}}
		if row[1] != nil {
			values[1] = data.StringValue(row[1].(string))
		}
		if err := w.Write(values); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// Rows that nothing can be done with cost exactly themselves: they are in the
// rejects with a reason, and all others are scored as if they were alone.
func TestPoisonedRowsCostThemselves(t *testing.T) {
	long := strings.Repeat("ten bytes ", 1<<20)
	poison := map[string]struct {
		text  any
		class string
	}{
		"null":  {nil, "null"},
		"bytes": {"not \xff UTF-8, though there are words enough in it to make a text of a fair length, and more", "utf8"},
		"long":  {long, "too-long"},
		"short": {"too short", "too-short"},
		"empty": {"", "too-short"},
	}
	var good, all [][2]any
	for i, text := range texts(t, 20) {
		row := [2]any{fmt.Sprintf("good-%02d", i), text}
		good, all = append(good, row), append(all, row)
		for j, name := range []string{"null", "bytes", "long", "short", "empty"} {
			if i == 3*j+1 {
				all = append(all, [2]any{name, poison[name].text})
			}
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(scoreGraph))
	writeTexts(t, filepath.Join(dir, "good.parquet"), good)
	writeTexts(t, filepath.Join(dir, "all.parquet"), all)
	succeed(t, dir, "run", "graph.cue", "-t", "input=good.parquet", "-t", "out=good")
	if out := succeed(t, dir, "run", "graph.cue", "-t", "input=all.parquet", "-t", "out=all"); !strings.Contains(out, "25 in · 20 out · 0 filtered · 5 rejected (20 %)") {
		t.Errorf("the run said\n%s", out)
	}
	want := readRows(t, filepath.Join(dir, "good/scores.parquet"))
	sameRows(t, "scores", want, readRows(t, filepath.Join(dir, "all/scores.parquet")), "log_likelihood", "lastde_pp")

	rejects := readRows(t, filepath.Join(dir, "all/scores.score.rejects.parquet"))
	if len(rejects) != len(poison) {
		t.Errorf("%d rejects, want %d", len(rejects), len(poison))
	}
	for _, r := range rejects {
		p, ok := poison[r["id"]]
		if !ok || r["reject_row"] != r["id"] || r["reject_node"] != "score" || r["reject_class"] != p.class || r["reject_message"] == "" {
			t.Errorf("reject %q: row %q, node %q, class %q (want %q), message %q", r["id"], r["reject_row"], r["reject_node"], r["reject_class"], p.class, r["reject_message"])
		}
	}
	if out := succeed(t, dir, "inspect", "all/scores.score.rejects.parquet", "-n", "5"); !strings.Contains(out, "    reject_class    too-long\n") {
		t.Errorf("inspect shows\n%s", out)
	}
}

// The same of lines: one that is cut off, one that is not UTF-8 and one of 10 MB.
func TestPoisonedLinesCostThemselves(t *testing.T) {
	var b strings.Builder
	for i, text := range texts(t, 12) {
		fmt.Fprintf(&b, "{\"id\": \"good-%02d\", \"text\": %s}\n", i, jsonText(text))
		switch i {
		case 2:
			b.WriteString("{\"id\": \"cut\", \"text\": \"never\n")
		case 4:
			b.WriteString("{\"id\": \"bytes\", \"text\": \"not \xff UTF-8, though there are words enough in it to make a text of a fair length, and more\"}\n")
		case 6:
			fmt.Fprintf(&b, "{\"id\": \"long\", \"text\": \"%s\"}\n", strings.Repeat("ten bytes ", 1<<20))
		case 8:
			b.WriteString("{\"id\": \"null\", \"text\": null}\n")
		}
	}
	dir := t.TempDir()
	graph := strings.Replace(scoreGraph, "#ReadParquet & {", `#ReadJSONL & {columns: {id: "string", text: "string"}, `, 1)
	write(t, filepath.Join(dir, "graph.cue"), []byte(graph))
	write(t, filepath.Join(dir, "in.jsonl"), []byte(b.String()))
	if out := succeed(t, dir, "run", "graph.cue", "-t", "input=in.jsonl", "-t", "out=out"); !strings.Contains(out, "16 in · 12 out · 0 filtered · 4 rejected (25 %)") {
		t.Errorf("the run said\n%s", out)
	}
	for i, row := range readRows(t, filepath.Join(dir, "out/scores.parquet")) {
		if want := fmt.Sprintf("good-%02d", i); row["id"] != want {
			t.Errorf("row %d is %s, want %s", i, row["id"], want)
		}
	}
}

func jsonText(s string) string {
	var b strings.Builder
	if err := writeJSON(&b, s); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

const determinismGraph = `import "penstock.dev/specs"

param: {
	input: string    @tag(input)
	batch: int | *4096 @tag(batch,type=int)
}

graph: specs.#Graph & {
	name: "determinism"
	nodes: {
		read: specs.#ReadParquet & {path: param.input, key: "id"}
		long: specs.#Filter & {in: read.out, where: "size(text) > 500"}
		some: specs.#Sample & {in: long.out, fraction: 0.6, seed: 3}
		unique: specs.#Dedupe & {in: some.out, columns: ["source", "pair"]}
		copies: specs.#WriteParquet & {in: unique.duplicates, path: "out/copies.parquet"}
		sets: specs.#Split & {in: unique.out, fractions: {train: 0.5, validation: 0.2, test: 0.3}}
		score: specs.#Lastde & {in: sets.train, scores: ["lrr", "fast_detect_gpt", "lastde", "lastde_pp"], lastdePP: samples: 20, batchTokens: param.batch}
		train: specs.#WriteParquet & {in: score.out, path: "out/train.parquet"}
		validation: specs.#WriteParquet & {in: sets.validation, path: "out/validation.parquet"}
		test: specs.#WriteParquet & {in: sets.test, path: "out/test.parquet"}
	}
}
`

// A run gives the same rows however many processors there are and however rows
// are put in batches: table nodes to the byte, scores to 1e-5.
func TestRunsAreRepeatable(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(determinismGraph))
	input := "input=" + filepath.Join(samples(t), "news-and-stories.parquet")
	run := func(processors, batch string) (files map[string]string, scored []map[string]string) {
		t.Setenv("GOMAXPROCS", processors)
		succeed(t, dir, "run", "graph.cue", "-t", input, "-t", batch)
		files = snapshot(t, filepath.Join(dir, "out"))
		scored = readRows(t, filepath.Join(dir, "out/train.parquet"))
		delete(files, "train.parquet")
		return files, scored
	}
	files, scored := run("2", "batch=4096")
	if len(scored) < 8 || len(files) != 3 {
		t.Fatalf("%d scored rows, %d other files", len(scored), len(files))
	}
	for _, again := range []struct{ processors, batch string }{
		{"2", "batch=4096"}, {"1", "batch=4096"}, {"1", "batch=512"}, {"2", "batch=512"},
	} {
		name := "GOMAXPROCS " + again.processors + ", " + again.batch
		moreFiles, moreScored := run(again.processors, again.batch)
		sameRows(t, name, scored, moreScored, "lrr", "fast_detect_gpt", "lastde", "lastde_pp")
		if again.batch == "batch=4096" { // parameters are part of the metadata
			sameFiles(t, name, files, moreFiles)
		}
	}
}
