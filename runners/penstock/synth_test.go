package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms/synth/endpoint/endpointtest"
)

// synthGraph makes tasks of texts, several of each.
const synthGraph = `import "penstock.dev/specs"

param: {
	url:         string         @tag(url)
	input:       string | *"in.jsonl" @tag(input)
	concurrency: int | *8       @tag(concurrency,type=int)
	model:       string | *"tiny" @tag(model)
	parseOnly:   bool | *false  @tag(parseOnly,type=bool)
	usd:         number | *0    @tag(usd,type=number)
	accept:      int | *0       @tag(accept,type=int)
}

graph: specs.#Graph & {
	name: "tasks"
	run: maxRejects: 0.1
	nodes: {
		read: specs.#ReadJSONL & {path: param.input, columns: {id: "string", text: "string"}, key: "id"}
		tasks: specs.#Bonito & {
			in: read.out, task: "ynqa", n: 2, parseOnly: param.parseOnly
			if param.accept > 0 {accept: param.accept}
			generator: {
				api: "completions", url: param.url, model: param.model, key: env: "SYNTH_TEST_KEY"
				timeout: "500ms", attempts: 8, backoff: "5ms", concurrency: param.concurrency
				price: {input: 1, output: 2}
				budget: usd: param.usd
			}
		}
		sorted: specs.#Sort & {in: tasks.out, by: ["id", "draw"]}
		save: specs.#WriteParquet & {in: sorted.out, path: "out/tasks.parquet"}
	}
}
`

const synthKey = "s3cr3t-of-the-synthesis-test"

// synthFolder makes a folder with the graph and texts, and a server that they are
// asked of. Every 97th text is poisoned, every 50th is another's.
func synthFolder(t *testing.T, rows int, o endpointtest.Options) (dir string, server *endpointtest.Server) {
	t.Helper()
	t.Setenv("SYNTH_TEST_KEY", synthKey)
	dir = t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(synthGraph))
	var b bytes.Buffer
	for n := range rows {
		text := fmt.Sprintf("Text %d has its own words.", n)
		switch {
		case n%97 == 5:
			text += " POISON"
		case n%50 == 7:
			text = "Text 3 has its own words."
		}
		fmt.Fprintf(&b, "{\"id\": \"%05d\", \"text\": %q}\n", n, text)
	}
	write(t, filepath.Join(dir, "in.jsonl"), b.Bytes())
	o.Key, o.Poison = synthKey, "POISON"
	o.Text = func(prompt string, seed int64) string {
		mark := endpointtest.Mark(prompt, seed)
		if data.Hash(mark, 1)%10 == 0 {
			return "no task " + mark
		}
		return "{{context}}\nIs it " + mark + "?\n<|pipe|>\nYes"
	}
	return dir, endpointtest.Serve(t, o)
}

// poisoned counts the poisoned rows.
func poisoned(rows int) int { return (rows + 97 - 5 - 1) / 97 }

// badServer is all that a server may do.
var badServer = endpointtest.Options{Delay: 10 * time.Millisecond, Busy: .04, Broken: .06, Hanging: .02, Truncated: .05, Wrong: .05}

// parquetRows is the number of rows of a file, 0 if there is none.
func parquetRows(t *testing.T, path string) int {
	t.Helper()
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return 0
	}
	f, err := parquet.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := 0
	if err := f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(int64, []data.Value) error { rows++; return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

var (
	markPattern    = regexp.MustCompile(`q[0-9a-f]{16}`)
	usagePattern   = regexp.MustCompile(`"in":(\d+),"out":(\d+)`)
	summaryPattern = regexp.MustCompile(`(\d+) completions accepted, (\d+) rejected, (\d+) failed`)
)

// keptMarks are the answers in the memo.
func keptMarks(t *testing.T, dir string) map[string]bool {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, ".penstock", "memo", "*.memo"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, s := range segments {
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			if mark := markPattern.Find(line); mark != nil && bytes.HasSuffix(line, []byte("\n")) {
				kept[string(mark)] = true
			}
		}
	}
	return kept
}

// oneSummary takes the accounts from what a run printed.
func oneSummary(t *testing.T, output string) (accepted, rejected, failed int) {
	t.Helper()
	m := summaryPattern.FindStringSubmatch(strings.Join(strings.Fields(output), " "))
	if m == nil {
		t.Fatalf("no accounts in\n%s", output)
	}
	fmt.Sscan(m[1], &accepted)
	fmt.Sscan(m[2], &rejected)
	fmt.Sscan(m[3], &failed)
	return accepted, rejected, failed
}

// A run against a server that does all that servers do wrong is killed again and
// again. Nothing that it had an answer for is asked again, the rows that come out are
// those of an undisturbed run to the byte, and every completion is accounted for.
func TestKilledGenerationPaysForNothingTwice(t *testing.T) {
	rows, kills := 150, 4
	if os.Getenv("PENSTOCK_LONG") != "" {
		rows, kills = 2000, 20
	}
	calm, server := synthFolder(t, rows, endpointtest.Options{})
	args := []string{"run", "graph.cue", "-t", "url=" + server.URL}
	succeed(t, calm, args...)
	want := snapshot(t, filepath.Join(calm, "out"))["tasks.parquet"]

	server.Behave(badServer)
	dir := t.TempDir()
	for _, name := range []string{"graph.cue", "in.jsonl"} {
		write(t, filepath.Join(dir, name), mustRead(t, filepath.Join(calm, name)))
	}
	draw := rand.New(rand.NewPCG(uint64(rows), uint64(kills)))
	atKill := map[string]int{} // answers, when they were first found in the memo
	asked := 2 * rows
	for kill := range kills {
		enough := len(keptMarks(t, dir)) + draw.IntN(2*asked/(kills+1))
		p := start(t, dir, args...)
		p.when(func() bool {
			time.Sleep(5 * time.Millisecond)
			return len(keptMarks(t, dir)) >= enough
		})
		time.Sleep(time.Duration(draw.IntN(20)) * time.Millisecond)
		p.Process.Kill()
		<-p.ended
		answered := server.Answered()
		for mark := range keptMarks(t, dir) {
			if _, known := atKill[mark]; !known {
				atKill[mark] = answered[mark]
			}
		}
		t.Logf("kill %d: %d answers kept, %d in the output", kill, len(atKill), parquetRows(t, filepath.Join(dir, "out", "tasks.parquet")))
	}
	output := succeed(t, dir, args...)
	answered := server.Answered()
	for mark, before := range atKill {
		if answered[mark] != before {
			t.Errorf("%s was kept after %d answers, and asked for again: %d", mark, before, answered[mark])
		}
	}
	twice := 0
	for _, n := range answered {
		twice += n - 1
	}
	if most := kills * 8; twice > most {
		t.Errorf("%d answers came twice, more than the %d that can have been under way at %d kills", twice, most, kills)
	}
	t.Logf("%d prompts, %d answered again because a kill met them under way", len(answered), twice)
	if len(atKill) == 0 || len(atKill) == asked {
		t.Errorf("%d answers were kept at the kills: no run was killed half way", len(atKill))
	}
	got := snapshot(t, filepath.Join(dir, "out"))["tasks.parquet"]
	if got != want {
		t.Errorf("the output is another (%d bytes, want %d)", len(got), len(want))
	}
	accepted, rejected, failed := oneSummary(t, output)
	if accepted+rejected+failed != 2*rows || failed != 2*poisoned(rows) {
		t.Errorf("%d accepted, %d rejected, %d failed of %d; %d texts are poisoned", accepted, rejected, failed, 2*rows, poisoned(rows))
	}
	refused := parquetRows(t, filepath.Join(dir, "out", "tasks.tasks.rejects.parquet"))
	if out := parquetRows(t, filepath.Join(dir, "out", "tasks.parquet")); out != accepted || refused != rejected+failed {
		t.Errorf("%d rows out and %d rejects, want %d and %d", out, refused, accepted, rejected+failed)
	}
	noSecret(t, dir, output)
}

// noSecret looks for the key in everything that a run leaves.
func noSecret(t *testing.T, dir, output string) {
	t.Helper()
	if strings.Contains(output, synthKey) {
		t.Errorf("the key is in\n%s", output)
	}
	for name, content := range snapshot(t, dir) {
		if strings.Contains(content, synthKey) {
			t.Errorf("the key is in %s", name)
		}
	}
}

// The rows are the same whatever the number of requests at once and the order of the
// input.
func TestGenerationIsTheSameForAnyConcurrencyAndOrder(t *testing.T) {
	const rows = 120
	dir, server := synthFolder(t, rows, endpointtest.Options{Delay: 3 * time.Millisecond, Busy: .05, Broken: .05})
	lines := strings.SplitAfter(string(mustRead(t, filepath.Join(dir, "in.jsonl"))), "\n")
	lines = lines[:len(lines)-1]
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	write(t, filepath.Join(dir, "shuffled.jsonl"), []byte(strings.Join(lines, "")))
	var want string
	for i, c := range []struct{ concurrency, input string }{{"1", "in.jsonl"}, {"2", "in.jsonl"}, {"16", "in.jsonl"}, {"16", "shuffled.jsonl"}} {
		work := fmt.Sprint("work", i)
		succeed(t, dir, "run", "graph.cue", "--work", work, "-t", "url="+server.URL, "-t", "concurrency="+c.concurrency, "-t", "input="+c.input)
		got := tableOf(t, filepath.Join(dir, "out", "tasks.parquet"))
		if i == 0 {
			want = got
		}
		if got != want || len(got) == 0 {
			t.Errorf("%v: the rows are others than with one request at a time", c)
		}
	}
}

// With a number to be accepted a run ends there: with the same rows for any number of
// requests at once, although it was killed on the way, and having asked for the same.
func TestAcceptedRowsAreTheSameForAnyConcurrency(t *testing.T) {
	const rows, accept = 120, 70
	flaky := endpointtest.Options{Delay: 3 * time.Millisecond, Busy: .05, Broken: .05}
	dir, server := synthFolder(t, rows, flaky)
	var rowsOf, accountsOf, askedOf []string
	for _, concurrency := range []string{"1", "16"} {
		server.Behave(flaky)
		args := []string{"run", "graph.cue", "--work", "work" + concurrency, "-t", "url=" + server.URL, "-t", "concurrency=" + concurrency, "-t", fmt.Sprint("accept=", accept)}
		p := start(t, dir, args...)
		p.when(func() bool { return len(server.Answered()) >= accept/2 })
		p.Process.Kill()
		<-p.ended
		output := succeed(t, dir, args...)
		if n := parquetRows(t, filepath.Join(dir, "out", "tasks.parquet")); n != accept {
			t.Errorf("%d rows, want %d", n, accept)
		}
		rowsOf = append(rowsOf, tableOf(t, filepath.Join(dir, "out", "tasks.parquet")))
		accountsOf = append(accountsOf, summaryPattern.FindString(strings.Join(strings.Fields(output), " ")))
		askedOf = append(askedOf, fmt.Sprint(slices.Sorted(maps.Keys(server.Answered()))))
	}
	if rowsOf[0] != rowsOf[1] || accountsOf[0] != accountsOf[1] || askedOf[0] != askedOf[1] {
		t.Errorf("with 16 requests at once %s, with one %s; the same prompts: %v", accountsOf[1], accountsOf[0], askedOf[0] == askedOf[1])
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tableOf is a Parquet file's rows as text.
func tableOf(t *testing.T, path string) string {
	t.Helper()
	f, err := parquet.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b strings.Builder
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
		for i, v := range values {
			fmt.Fprintf(&b, "%s\t", data.Format(v, f.Schema().Field(i).Type, 1<<20))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A budget ends the run before it is passed; a larger one goes on where it ended, and
// what was made can be parsed again without the server.
func TestBudgetEndsARunThatGoesOn(t *testing.T) {
	const rows = 90
	dir, server := synthFolder(t, rows, endpointtest.Options{})
	url := "url=" + server.URL
	p := start(t, dir, "run", "graph.cue", "-t", url, "-t", "usd=0.004")
	if status := p.finish(t, time.Minute); status != 1 || !strings.Contains(p.errors.String(), "the budget is spent: the next request could pass generator.budget.usd of $0.004; ") || strings.Count(p.errors.String(), "\n") != 1 {
		t.Fatalf("exit status %d: %s", status, &p.errors)
	}
	segments, err := filepath.Glob(filepath.Join(dir, ".penstock", "memo", "*.memo"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	cost := 0.0
	for _, m := range usagePattern.FindAllStringSubmatch(string(mustRead(t, segments[0])), -1) {
		var in, out float64
		fmt.Sscan(m[1], &in)
		fmt.Sscan(m[2], &out)
		cost += (in + 2*out) / 1e6
	}
	// The next request may cost 256 tokens of completion and 200 of its prompt.
	if cost > 0.004 || cost < 0.004-2*256/1e6-200/1e6 {
		t.Errorf("the completions cost $%.6f", cost)
	}
	p = start(t, dir, "run", "graph.cue", "-t", url, "-t", "parseOnly=true")
	if status := p.finish(t, time.Minute); status != 1 || !strings.Contains(p.errors.String(), "not-generated") {
		t.Errorf("exit status %d: %s", status, &p.errors)
	}
	before, _, _ := server.Counts()
	output := succeed(t, dir, "run", "graph.cue", "-t", url, "-t", "usd=1")
	want := tableOf(t, filepath.Join(dir, "out", "tasks.parquet"))
	for mark, n := range server.Answered() {
		if n > 1 {
			t.Errorf("%s was asked for %d times", mark, n)
		}
	}
	if after, _, _ := server.Counts(); after == before || !strings.Contains(strings.Join(strings.Fields(output), " "), "taken from the memo") {
		t.Errorf("%d requests before and %d after\n%s", before, after, output)
	}
	// Poisoned texts have no completion, so parsing again finds none and rejects them.
	before, _, _ = server.Counts()
	succeed(t, dir, "run", "graph.cue", "-t", "url=http://127.0.0.1:1/v1", "-t", "parseOnly=true")
	if after, _, _ := server.Counts(); after != before {
		t.Errorf("parsing asked %d times", after-before)
	}
	if got := tableOf(t, filepath.Join(dir, "out", "tasks.parquet")); got != want {
		t.Error("the rows are others after parsing again")
	}
}

// A damaged memo costs what was damaged, and is told.
func TestDamagedMemoIsTold(t *testing.T) {
	dir, server := synthFolder(t, 40, endpointtest.Options{})
	args := []string{"run", "graph.cue", "-t", "url=" + server.URL}
	succeed(t, dir, args...)
	want := snapshot(t, filepath.Join(dir, "out"))
	segments, err := filepath.Glob(filepath.Join(dir, ".penstock", "memo", "*.memo"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	content := mustRead(t, segments[0])
	content[len(content)/2] ^= 1
	write(t, segments[0], content)
	output := strings.Join(strings.Fields(succeed(t, dir, args...)), " ")
	if !strings.Contains(output, "tasks: the memo is damaged: 1 lines, the first in .penstock/memo/") {
		t.Errorf("it printed\n%s", output)
	}
	again := 0
	for _, n := range server.Answered() {
		again += n - 1
	}
	if again != 1 {
		t.Errorf("%d answers were asked for again, want 1", again)
	}
	sameFiles(t, "after the damage", want, snapshot(t, filepath.Join(dir, "out")))
}

// What no prompt would survive costs one line within seconds, and leaves what is kept.
func TestObstaclesOfGeneration(t *testing.T) {
	dir, server := synthFolder(t, 60, endpointtest.Options{})
	url := "url=" + server.URL
	for _, tt := range []struct {
		name string
		args []string
		key  string
		want string
	}{
		{"refused connection", []string{"-t", "url=http://127.0.0.1:1/v1"}, synthKey, "node tasks: GET http://127.0.0.1:1/v1/models: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"wrong path", []string{"-t", strings.TrimSuffix(url, "/v1")}, synthKey, `404 page not found (check url, api and model "tiny")`},
		{"no such host", []string{"-t", "url=http://nowhere.invalid/v1"}, synthKey, "nowhere.invalid"},
		{"wrong key", []string{"-t", url}, synthKey + "-not", "401 Unauthorized: no such key: Bearer [key] (the server wants another key)"},
		{"no key", []string{"-t", url}, "", "node tasks: key: the secret is empty"},
		{"unknown model", []string{"-t", url, "-t", "model=huge"}, synthKey, `has no model "huge" (it has tiny)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("SYNTH_TEST_KEY", tt.key)
			p := start(t, dir, append([]string{"run", "graph.cue"}, tt.args...)...)
			began := time.Now()
			if status := p.finish(t, 20*time.Second); status != 1 {
				t.Errorf("exit status %d", status)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if got := p.errors.String(); !strings.Contains(got, tt.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("it said %q, want one line with %q", got, tt.want)
			}
			noSecret(t, dir, p.output.String()+p.errors.String())
		})
	}
	succeed(t, dir, "run", "graph.cue", "-t", url)
}
