package graphs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/graphs"
	"penstock.dev/specs"
)

// fan is a graph of one source, branches of derived columns and filters, and a
// sink behind each branch.
func fan(branches, length int) string {
	var b strings.Builder
	b.WriteString("import \"penstock.dev/specs\"\n\ngraph: specs.#Graph & {\n\tname: \"fan\"\n\tnodes: {\n")
	b.WriteString("\t\tread: specs.#ReadJSONL & {path: \"in.jsonl\"}\n")
	for i := range branches {
		from := "read"
		for j := range length {
			name := fmt.Sprintf("n%d_%d", i, j)
			if j%2 == 0 {
				fmt.Fprintf(&b, "\t\t%s: specs.#Derive & {in: %s.out, columns: c%d: \"n * %d\"}\n", name, from, j, j)
			} else {
				fmt.Fprintf(&b, "\t\t%s: specs.#Filter & {in: %s.out, where: \"n > %d && size(text) > 3\"}\n", name, from, j)
			}
			from = name
		}
		fmt.Fprintf(&b, "\t\tsave%d: specs.#WriteJSONL & {in: %s.out, path: \"out/%d.jsonl\"}\n", i, from, i)
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

// BenchmarkCheck checks graphs of a thousand nodes, wide and deep.
func BenchmarkCheck(b *testing.B) {
	for _, shape := range []struct {
		name             string
		branches, length int
	}{
		{"wide", 100, 9}, {"deep", 5, 199},
	} {
		dir := b.TempDir()
		b.Chdir(dir)
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
		}
		write("in.jsonl", `{"n": 1, "text": "one"}`)
		write("graph.cue", fan(shape.branches, shape.length))
		var g *specs.Graph
		b.Run(shape.name+"/load", func(b *testing.B) {
			for b.Loop() {
				var ds specs.Diagnostics
				if g, ds = specs.Load("graph.cue", specs.Options{}); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
		})
		b.Run(shape.name+"/plan", func(b *testing.B) {
			for b.Loop() {
				if _, ds := graphs.NewPlan(g); len(ds) > 0 {
					b.Fatal(ds)
				}
			}
			b.ReportMetric(float64(len(g.Nodes)), "nodes")
		})
	}
}
