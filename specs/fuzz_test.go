package specs

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzLoad loads any text in any of the formats. A load ends, does not panic,
// and gives a graph or a diagnostic of one line with a known code.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(string(file.Data), uint8(strings.Index(".cue .json.yaml", filepath.Ext(file.Name))/5))
		}
	}
	f.Fuzz(func(t *testing.T, text string, ending uint8) {
		name := "graph" + []string{".cue", ".json", ".yaml"}[ending%3]
		start := time.Now()
		g, ds := Parse(name, []byte(text), Options{Dir: "/nowhere"})
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("took %v", took)
		}
		if g == nil && !ds.Failed() {
			t.Error("no graph, and no word why")
		}
		for _, d := range ds {
			if _, ok := Explain(d.Code); !ok || d.File == "" || d.Message == "" || strings.ContainsAny(d.String(), "\n\r") {
				t.Errorf("diagnostic %#v", d)
			}
		}
	})
}
