package specs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// TestLoad loads every archive of testdata. The comment of an archive ends in a
// line "load PATH [-t name=value]...", its last file holds what comes of it:
// the diagnostics with their codes, or the graph.
func TestLoad(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives in testdata")
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			input, want := splitWant(archive)
			path, o := loadLine(t, archive)
			o.Dir = t.TempDir()
			if err := txtar.Write(&txtar.Archive{Files: input}, o.Dir); err != nil {
				t.Fatal(err)
			}
			g, ds := Load(path, o)
			got := describeLoad(g, ds)
			for _, line := range strings.Split(ds.Error(), "\n") {
				if line != "" && !strings.Contains(line, ".") {
					t.Errorf("diagnostic without a place: %q", line)
				}
			}
			if *update {
				archive.Files = append(input, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("load %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func splitWant(a *txtar.Archive) (input []txtar.File, want string) {
	for _, f := range a.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		input = append(input, f)
	}
	return input, want
}

// loadLine reads the last line of an archive's comment.
func loadLine(t *testing.T, a *txtar.Archive) (path string, o Options) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(a.Comment)), "\n")
	words := strings.Fields(lines[len(lines)-1])
	if len(words) < 2 || words[0] != "load" {
		t.Fatal("the comment does not end in a line load PATH [-t name=value]...")
	}
	o.Tags = map[string]string{}
	for i := 2; i+1 < len(words); i += 2 {
		name, value, _ := strings.Cut(words[i+1], "=")
		o.Tags[name] = value
	}
	return words[1], o
}

// describeLoad writes the outcome of a load: diagnostics, then the graph.
func describeLoad(g *Graph, ds Diagnostics) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s %s\n", d.Code, d)
	}
	if g == nil || ds.Failed() {
		return b.String()
	}
	fmt.Fprintf(&b, "graph %s %s %s %+v %v\n", g.Name, g.APIVersion, g.Mode, g.Run, g.Files)
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "%s: %s %s %s\n", n.Pos, n.Name, n.Kind, n.Config)
		for _, in := range n.Inputs {
			fmt.Fprintf(&b, "\t%s: %s[%d] <- %s\n", in.Pos, in.Port, in.Index, in.From)
		}
	}
	return b.String()
}
