package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
)

const copyGraph = `import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "copy"
	nodes: {
		read: specs.#ReadParquet & {path: "in.parquet"}
		all: specs.#Filter & {in: read.out, where: "true"}
		save: specs.#WriteParquet & {in: all.out, path: "out.parquet"}
	}
}
`

// Rows pass a graph of table nodes in bounded memory: 2 GB of them in less than
// 512 MB.
func TestPassesThroughInBoundedMemory(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("writes 4 GB and takes a minute: set PENSTOCK_LONG=1 to run it")
	}
	const rows, mostMB = 1 << 20, 512
	dir := t.TempDir()
	write(t, filepath.Join(dir, "graph.cue"), []byte(copyGraph))
	writeLarge(t, filepath.Join(dir, "in.parquet"), rows)
	began := time.Now()
	p := start(t, dir, "run", "graph.cue")
	peak := 0
	for over := false; !over; {
		peak = max(peak, residentPeakMB(p.Process.Pid))
		select {
		case <-p.ended:
			over = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	if status := p.finish(t, 0); status != 0 {
		t.Fatalf("exit status %d\n%s", status, &p.errors)
	}
	if want := "1,048,576 in · 1,048,576 out"; !strings.Contains(p.output.String(), want) {
		t.Errorf("no %q in\n%s", want, &p.output)
	}
	t.Logf("2 GB in %v, at most %d MB resident", time.Since(began).Round(time.Second), peak)
	if peak == 0 || peak > mostMB {
		t.Errorf("%d MB resident, want at most %d MB", peak, mostMB)
	}
}

// writeLarge writes rows of 2 KB that hardly compress.
func writeLarge(t *testing.T, path string, rows int) {
	t.Helper()
	schema := data.MustSchema(data.Field{Name: "id", Type: data.Int64Type}, data.Field{Name: "text", Type: data.StringType})
	w, err := parquet.NewWriter(path, schema, parquet.Options{Compression: "none", RowsPerGroup: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 2<<10)
	for n := range rows {
		for i := range text {
			text[i] = 'a' + byte(rng.Uint32()%26)
		}
		if err := w.Write([]data.Value{data.Int64Value(int64(n)), data.StringValue(string(text))}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// residentPeakMB is the largest resident size of a process so far, 0 if the
// system does not tell.
func residentPeakMB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb >> 10
		}
	}
	return 0
}
