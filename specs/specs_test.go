package specs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every code has an explanation and every explanation a code.
func TestCodes(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			code, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes = append(codes, code)
		}
		return true
	})
	if diff := cmp.Diff(codes, Codes()); diff != "" {
		t.Errorf("codes.go and codes.md differ (-go +md):\n%s", diff)
	}
	if text, ok := Explain("p202"); !ok || !strings.HasPrefix(text, "P202 unknown field\n\n") {
		t.Errorf("Explain(p202) = %q, %v", text, ok)
	}
	if _, ok := Explain("P999"); ok {
		t.Error("P999 is explained")
	}
}

// The reference lists every kind, and says of every field and definition what
// it is for.
func TestKinds(t *testing.T) {
	var got strings.Builder
	for _, k := range Kinds() {
		if k.Doc == "" || k.Role == "" || (k.Role == "source") != (len(k.Inputs) == 0) || (k.Role == "sink") != (len(k.Outputs) == 0) {
			t.Errorf("%s: doc %q, role %q, inputs %v, outputs %v", k.Name, k.Doc, k.Role, k.Inputs, k.Outputs)
		}
		got.WriteString(k.Family + " " + k.Name + " " + k.Role + " " + strings.Join(k.Inputs, ",") + " -> " + strings.Join(k.Outputs, ",") + "\n")
		for _, f := range k.Fields {
			if f.Doc == "" {
				t.Errorf("%s.%s has no doc", k.Name, f.Name)
			}
			required := ""
			if f.Required {
				required = " required"
			}
			got.WriteString("\t" + f.Name + ": " + f.Type + required + " " + f.Default + "\n")
		}
	}
	golden := filepath.Join("testdata", "kinds.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("reference (-want +got):\n%s", diff)
	}
}

// Every output port of every kind can be referred to: #Nodes stamps its name.
func TestOutputsAreStamped(t *testing.T) {
	var nodes strings.Builder
	for _, k := range Kinds() {
		nodes.WriteString("\t" + k.Name + ": specs.#" + k.Name + " & {}\n")
		for _, port := range k.Outputs {
			nodes.WriteString("\t" + k.Name + "_" + port + ": specs.#Limit & {in: " + k.Name + "." + port + ", rows: 1}\n")
		}
	}
	text := "import \"penstock.dev/specs\"\ngraph: specs.#Graph & {name: \"a\", nodes: {\n" + nodes.String() + "}}\n"
	g, ds := Parse("a.cue", []byte(text), Options{Dir: t.TempDir()})
	if g == nil {
		t.Fatal(ds)
	}
	for _, k := range Kinds() {
		for _, port := range k.Outputs {
			n, _ := g.Node(k.Name + "_" + port)
			if len(n.Inputs) != 1 || n.Inputs[0].From != (Ref{k.Name, port}) {
				t.Errorf("%s.%s refers to %v: add %s to #Nodes in graph.cue", k.Name, port, n.Inputs, port)
			}
		}
	}
}

// vendored are graphs beside a vendored schema, and whether they are right.
var vendored = []struct {
	name, old, new string // what is replaced in vendoredGraph
	ok             bool
}{
	{"good", "", "", true},
	{"misspelt field", "path", "pth", false},
	{"no such node", "read.out", "red.out", false},
	{"no such port", "read.out", "read.outt", false},
	{"missing input", "in: read.out, ", "", false},
}

const vendoredGraph = `package a

import "penstock.dev/specs"

graph: specs.#Graph & {
	name: "a"
	nodes: {
		read: specs.#ReadParquet & {path: "in"}
		save: specs.#WriteParquet & {in: read.out, path: "out/"}
	}
}
`

// vendor makes a folder with the schema, written twice, and a graph.
func vendor(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for range 2 {
		if err := Vendor(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "graph.cue"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A graph beside a vendored schema loads without a warning.
func TestVendor(t *testing.T) {
	for _, tt := range vendored {
		t.Run(tt.name, func(t *testing.T) {
			_, ds := Load(vendor(t, strings.Replace(vendoredGraph, tt.old, tt.new, 1)), Options{})
			if ds.Failed() == tt.ok || tt.ok && len(ds) > 0 {
				t.Errorf("Load: %v", ds)
			}
		})
	}
}

// The stock cue command, which editors use too, finds a vendored schema, and
// accepts and refuses what Load does.
func TestVet(t *testing.T) {
	command, err := exec.LookPath("cue")
	if err != nil {
		t.Skip("no cue command on PATH; install cuelang.org/go/cmd/cue to run this")
	}
	for _, tt := range vendored {
		t.Run(tt.name, func(t *testing.T) {
			vet := exec.Command(command, "vet", "-c", ".")
			vet.Dir = vendor(t, strings.Replace(vendoredGraph, tt.old, tt.new, 1))
			vet.Env = append(os.Environ(), "CUE_REGISTRY=none")
			if out, err := vet.CombinedOutput(); (err == nil) != tt.ok {
				t.Errorf("cue vet: %v\n%s", err, out)
			}
		})
	}
}

// FieldPos finds what the author wrote, and otherwise what holds it.
func TestFieldPos(t *testing.T) {
	dir := t.TempDir()
	text := `package a

import "penstock.dev/specs"

common: minTokens: 5

graph: specs.#Graph & {
	name: "a"
	nodes: {
		read: specs.#ReadParquet & {
			path: "in"
			columns: {
				id:   "string"
				text: "string"
			}
		}
		score: specs.#Lastde & common & {in: read.out, scores: ["lrr", "rank"], lastde: s: 4}
		both: specs.#Union & {in: [score.out, score.rejects]}
	}
}
`
	if err := os.WriteFile(filepath.Join(dir, "a.cue"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	g, ds := Load("a.cue", Options{Dir: dir})
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	for _, tt := range []struct {
		node string
		path []string
		want Position
	}{
		{"read", nil, Position{"a.cue", 10, 9}},
		{"read", []string{"path"}, Position{"a.cue", 11, 10}},
		{"read", []string{"columns", "text"}, Position{"a.cue", 14, 11}},
		{"read", []string{"key"}, Position{"a.cue", 10, 9}},
		{"score", []string{"minTokens"}, Position{"a.cue", 5, 20}},
		{"score", []string{"scores", "1"}, Position{"a.cue", 17, 66}},
		{"score", []string{"lastde", "s"}, Position{"a.cue", 17, 86}},
		{"score", []string{"lastde", "epsilon"}, Position{"a.cue", 17, 83}},
		{"score", []string{"in"}, Position{"a.cue", 17, 40}},
		{"both", []string{"in", "1"}, Position{"a.cue", 18, 41}},
	} {
		n, ok := g.Node(tt.node)
		if !ok {
			t.Fatalf("no node %s", tt.node)
		}
		if got := n.FieldPos(tt.path...); got != tt.want {
			t.Errorf("FieldPos(%s, %v) = %v, want %v", tt.node, tt.path, got, tt.want)
		}
	}
}

// Loads do not disturb each other and give the same every time.
func TestLoadConcurrently(t *testing.T) {
	text := []byte(strings.Replace(bigGraph(20), "n3.out", "nn.out", 1))
	want, wantDiagnostics := Parse("a.cue", text, Options{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, ds := Parse("a.cue", text, Options{})
			if !cmp.Equal(want, got, cmp.AllowUnexported(Node{})) || !cmp.Equal(wantDiagnostics, ds) {
				t.Errorf("a load gave %v, %v", got, ds)
			}
		})
	}
	group.Wait()
}

// Texts that nest without end get a diagnostic, not a stack overflow.
func TestDeep(t *testing.T) {
	const n = 300_000
	for name, text := range map[string]string{
		"labels.cue":    strings.Repeat("a: ", n) + "1",
		"operators.cue": "a: 1" + strings.Repeat("+1", n),
		"selectors.cue": "a: a" + strings.Repeat(".a", n),
		"calls.cue":     "a: a" + strings.Repeat("()", n),
		"lists.cue":     "a: " + strings.Repeat("[", n),
		"structs.cue":   strings.Repeat("{a: ", n),
		"lines.cue":     strings.Repeat("{\na: ", n),
		"quotes.cue":    "a: " + strings.Repeat(`"\(`, n),
		"lists.json":    strings.Repeat("[", n),
		"objects.json":  strings.Repeat(`{"a":`, n),
		"lists.yaml":    "a: " + strings.Repeat("[", n),
		"maps.yaml":     strings.Repeat("? ", n),
	} {
		t.Run(name, func(t *testing.T) {
			if _, ds := Parse(name, []byte(text), Options{}); !ds.Failed() || strings.Contains(ds.Error(), "\n") || ds[0].Code != CodeSyntax {
				t.Errorf("%d diagnostics: %.200s", len(ds), ds.Error())
			}
		})
	}
}

// Near names are offered, far ones are not.
func TestClosest(t *testing.T) {
	names := []string{"read", "score", "batchTokens", "minTokens", "el"}
	for name, want := range map[string]string{
		"raed": "read", "scoer": "score", "batchtokns": "batchTokens", "x": "", "nothing": "", "": "", "els": "el",
	} {
		if got := closest(name, names); got != want {
			t.Errorf("closest(%q) = %q, want %q", name, got, want)
		}
	}
}

// A diagnostic is one line whatever it quotes.
func TestOneLine(t *testing.T) {
	d := At(Position{"a.cue", 1, 2}, "graph.a\nb", CodeType, "have \"x\r\n\u2028y\"", "hint\n")
	if got := d.String(); strings.ContainsAny(got, "\r\n\u2028") {
		t.Errorf("%q has several lines", got)
	}
}
