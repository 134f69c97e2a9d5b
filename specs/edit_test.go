package specs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testedGraph = `import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "a"
	nodes: {
		read: specs.#ReadJSONL & {path: "in.jsonl", columns: n: "int64"}
		some: specs.#Filter & {in: read.out, where: "n > 1"}
	}
}
`

func TestEditTests(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"graph.cue": testedGraph, "graph_test.cue": `import "penstock.dev/specs"

tests: specs.#Tests & {
	// What the first is for.
	first: {
		given: read: [{n: 1}]
		expect: "some.out": [{n: 1}, {n: 2}] // two
		counts: some: in: 3
	}
	for n in [1] {"made \(n)": {given: read: [], expect: some: []}}
}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := Rows([]json.RawMessage{[]byte(`{"n":3,"a b":"\n","x":[1.5,null]}`), []byte(`{"n":4}`)})
	if err != nil {
		t.Fatal(err)
	}
	files, err := EditTests("graph.cue", Options{Dir: dir}, []TestEdit{
		{[]string{"first", "expect", "some.out"}, rows},
		{[]string{"first", "counts", "some", "in"}, "4"},
	})
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if diff := cmp.Diff(`import "penstock.dev/specs"

tests: specs.#Tests & {
	// What the first is for.
	first: {
		given: read: [{n: 1}]
		expect: "some.out": [
			{n: 3, "a b": "\n", x: [1.5, null]},
			{n: 4},
		] // two
		counts: some: in: 4
	}
	for n in [1] {"made \(n)": {given: read: [], expect: some: []}}
}
`, string(files[0].New)); diff != "" {
		t.Errorf("edited (-want +got):\n%s", diff)
	}
	_, err = EditTests("graph.cue", Options{Dir: dir}, []TestEdit{{[]string{"made 1", "expect", "some"}, "[]"}})
	if want := `tests."made 1".expect.some is not written out in a file: edit what it is made of`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}

	added, err := AddTest("graph.cue", Options{Dir: dir}, "first", "{counts: some: in: 0, limit: 1}")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "graph_test.cue"), added.New, 0o644); err != nil {
		t.Fatal(err)
	}
	g, ds := Load("graph.cue", Options{Dir: dir, Tests: true})
	if len(ds) > 0 || len(g.Tests) != 3 || g.Tests[1].Name != "first 2" && g.Tests[2].Name != "first 2" {
		t.Errorf("%v\n%s", ds, added.New)
	}
}

func TestAddTestMakesAFile(t *testing.T) {
	for _, clause := range []string{"", "package a\n\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "graph.cue"), []byte(clause+testedGraph), 0o644); err != nil {
			t.Fatal(err)
		}
		added, err := AddTest(".", Options{Dir: dir}, "first", "{limit: 1, counts: some: in: 0}")
		if err != nil || added.Old != nil || filepath.Base(added.Path) != "graph_test.cue" {
			t.Fatal(added, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "graph_test.cue"), added.New, 0o644); err != nil {
			t.Fatal(err)
		}
		g, ds := Load(".", Options{Dir: dir, Tests: true})
		if len(ds) > 0 || len(g.Tests) != 1 || g.Tests[0].Limit != 1 {
			t.Errorf("%v\n%s", ds, added.New)
		}
		if g, ds := Load(".", Options{Dir: dir}); len(ds) > 0 || len(g.Tests) != 0 {
			t.Errorf("without tests: %v", ds)
		}
	}
}
