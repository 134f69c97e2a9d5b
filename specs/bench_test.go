package specs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bigGraph is a graph of n nodes in chains of four kinds.
func bigGraph(n int) string {
	var b strings.Builder
	b.WriteString("package big\n\nimport \"penstock.dev/specs\"\n\ngraph: specs.#Graph & {\n\tname: \"big\"\n\tnodes: {\n\t\tn0: specs.#ReadParquet & {path: \"in\", columns: text: \"string\"}\n")
	from := 0
	for i := 1; i < n; i++ {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "\t\tn%d: specs.#Lastde & {in: n%d.out, model: \"pocket\", lastde: s: 4}\n", i, from)
		case 1:
			fmt.Fprintf(&b, "\t\tn%d: specs.#Filter & {in: n%d.out, where: \"lastde < 2.0\"}\n", i, from)
		case 2:
			fmt.Fprintf(&b, "\t\tn%d: specs.#Derive & {in: n%d.out, columns: {a: \"1\", b: \"2\"}}\n", i, from)
		case 3:
			fmt.Fprintf(&b, "\t\tn%d: specs.#WriteParquet & {in: n%d.out, path: \"out%d\"}\n", i, from, i)
			continue
		}
		from = i
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "big.cue")
			if err := os.WriteFile(file, []byte(bigGraph(n)), 0o644); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				g, ds := Load(file, Options{})
				if len(ds) > 0 || len(g.Nodes) != n {
					b.Fatal(ds)
				}
			}
		})
	}
}
