package graphs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"penstock.dev/graphs"
	"penstock.dev/graphs/graphtest"
	"penstock.dev/specs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Each archive holds a graph, its inputs and what is wrong with it, one line a
// mistake; of a graph without mistakes the columns at every port.
func TestCheck(t *testing.T) {
	archives, err := filepath.Glob("testdata/check/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives in testdata/check", err)
	}
	samples, err := filepath.Abs("../data/samples")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range archives {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
			if want < 0 {
				t.Fatal("no file want")
			}
			t.Chdir(unpack(t, a, samples))
			got := check(a.Files[0].Name)
			if *update {
				a.Files[want].Data = got
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(a.Files[want].Data), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// unpack writes an archive to a folder, where samples leads to the samples.
func unpack(t *testing.T, a *txtar.Archive, samples string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range a.Files {
		if f.Name == "want" {
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(samples, filepath.Join(dir, "samples")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// check loads and plans a graph and writes what comes of it.
func check(graph string) []byte {
	var b bytes.Buffer
	p, ds := graphs.Load(graph, specs.Options{})
	for _, d := range ds {
		fmt.Fprintf(&b, "%s %s\n", d.Code, d)
	}
	if p == nil {
		return b.Bytes()
	}
	for _, n := range p.Nodes {
		fmt.Fprintf(&b, "%s (%s)\n", n.Name, n.Role())
		for _, port := range n.Outputs {
			fmt.Fprintf(&b, "\t%s:", port.Name)
			for _, f := range port.Schema.Fields() {
				null := ""
				if f.Nullable {
					null = "?"
				}
				fmt.Fprintf(&b, " %s %s%s", f.Name, f.Type, null)
			}
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

// What never ends belongs in a stream graph, and nothing there may wait for the
// end. No kind that is shipped can show it.
func TestModes(t *testing.T) {
	read := specs.Ref{Node: "read", Port: "out"}
	source := graphtest.Node("read", "test.Events", graphtest.Events{N: 10})
	keep := graphtest.Node("keep", "test.Keep", graphtest.Keep{Name: t.Name()}, read)
	for _, tt := range []struct {
		name, mode string
		nodes      []specs.Node
		want       string
	}{
		{"endless batch", "batch", []specs.Node{source, keep},
			`-: graph.nodes.read: test.Events never ends, but the graph is a batch (add mode: "stream")`},
		{"sum of a stream", "stream", []specs.Node{source, graphtest.Node("step", "test.Step", graphtest.Step{}, read),
			graphtest.Node("sum", "test.Sum", graphtest.Sum{}, specs.Ref{Node: "step", Port: "out"})},
			"-: graph.nodes.sum: test.Sum waits for the end of its input, which never ends (it belongs in a batch graph)"},
		{"reversed stream", "stream", []specs.Node{source, graphtest.Node("back", "test.Reverse", graphtest.Reverse{}, read)},
			"-: graph.nodes.back: test.Reverse waits for the end of its input, which never ends (it belongs in a batch graph)"},
		{"batch as stream", "stream", []specs.Node{graphtest.Node("read", "test.Numbers", graphtest.Numbers{N: 10}), keep},
			`-: graph.nodes.read: test.Numbers ends, but the graph has mode: "stream" (read events, or leave mode out)`},
		{"stream", "stream", []specs.Node{source, graphtest.Node("step", "test.Step", graphtest.Step{}, read)}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := graphtest.Graph(tt.nodes...)
			g.Mode = tt.mode
			_, ds := graphs.NewPlan(g)
			ds = slices.DeleteFunc(ds, specs.Diagnostic.Warning)
			if diff := cmp.Diff(tt.want, ds.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
