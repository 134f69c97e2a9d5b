package scaffold

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/graphs"
	"penstock.dev/specs"
)

// Options say what the graph is for.
type Options struct {
	Data  string   // file or folder of rows
	Kinds []string // of the nodes, in order
	// Set gives fields their values: by name, or by kind and name joined by a dot.
	Set map[string]string
}

// Graph is the text of a graph that passes every check.
func Graph(ctx context.Context, o Options) ([]byte, error) {
	d := &draft{options: o}
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	for _, kind := range o.Kinds {
		if err := d.append(kind); err != nil {
			return nil, err
		}
	}
	if last := d.nodes[len(d.nodes)-1]; last.kind.Role != "sink" {
		if err := d.append("WriteParquet"); err != nil {
			return nil, err
		}
	}
	return specs.Layout(d.text(d.nodes))
}

// draft is a graph that grows by nodes.
type draft struct {
	options Options
	nodes   []node
	schema  *data.Schema // behind the last node
	port    string       // that the next node reads
	facts   map[string]facts
}

// node is a node of a draft.
type node struct {
	name   string
	kind   specs.KindDoc
	in     string // reference to a port; empty for the source
	fields []field
}

// field is a field with its value as CUE. Fields of fields have names with dots.
type field struct{ name, text string }

// kindNamed is the definition of a kind.
func kindNamed(name string) (specs.KindDoc, error) {
	var names []string
	for _, k := range specs.Kinds() {
		if strings.EqualFold(k.Name, name) {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return specs.KindDoc{}, fmt.Errorf("no kind %s (there are %s)", name, strings.Join(names, ", "))
}

// append puts a node of a kind behind the last.
func (d *draft) append(name string) error {
	kind, err := kindNamed(name)
	if err != nil {
		return err
	}
	if kind.Role == "source" || len(kind.Inputs) != 1 {
		return fmt.Errorf("%s is no link of a chain: it takes %s", kind.Name, inputsOf(kind))
	}
	if last := d.nodes[len(d.nodes)-1]; last.kind.Role == "sink" {
		return fmt.Errorf("nothing can stand behind %s, which is a sink", last.kind.Name)
	}
	n := node{name: d.nameFor(kind), kind: kind, in: d.nodes[len(d.nodes)-1].name + "." + d.port}
	if kind.Name == "Union" {
		n.in = "[" + n.in + "]"
	}
	var first error
	for fields := range d.guesses(kind) {
		n.fields = fields
		err := d.try(append(slices.Clip(d.nodes), n))
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("%s does not fit: %w; give its fields with --set", kind.Name, first)
}

func inputsOf(kind specs.KindDoc) string {
	if len(kind.Inputs) == 0 {
		return "no rows"
	}
	return strings.Join(kind.Inputs, " and ")
}

// nameFor is a name for a node that no other has.
func (d *draft) nameFor(kind specs.KindDoc) string {
	name := strings.ToLower(kind.Name)
	if kind.Role == "sink" {
		name = "save"
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(d.nodes, func(n node) bool { return n.name == name })
	}
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s%d", strings.TrimRight(name, "0123456789"), i)
	}
	return name
}

// try plans a graph of nodes and takes it over if nothing is wrong with it.
func (d *draft) try(nodes []node) error {
	g, ds := specs.Parse("graph.cue", d.text(nodes), specs.Options{})
	if ds.Failed() {
		return firstOf(ds)
	}
	plan, ds := graphs.NewPlan(g)
	if ds.Failed() {
		return firstOf(ds)
	}
	d.nodes = nodes
	last := nodes[len(nodes)-1]
	n, _ := plan.Node(last.name)
	if len(n.Kind.Outputs) > 0 {
		d.port = n.Kind.Outputs[0]
		d.schema = n.Outputs.Get(d.port)
	}
	return nil
}

// firstOf is the first mistake without its place.
func firstOf(ds specs.Diagnostics) error {
	for _, d := range ds {
		if !d.Warning() {
			d.File, d.Line = "", 0
			text := strings.TrimPrefix(d.String(), "-: ")
			return fmt.Errorf("%s", strings.TrimPrefix(text, "graph.nodes."))
		}
	}
	return nil
}

// text writes the graph.
func (d *draft) text(nodes []node) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `import %q

param: {
	input: string | *%s @tag(input)
	out: string | *"out" @tag(out)
}

graph: specs.#Graph & {
	name: %q
	nodes: {
`, specs.ImportPath, specs.Quote(d.options.Data), d.name())
	for i, n := range nodes {
		if i > 0 && n.kind.Role != "sink" {
			fmt.Fprintf(&b, "\n// %s\n", firstSentence(n.kind.Doc))
		}
		fmt.Fprintf(&b, "%s: specs.#%s & {\n", n.name, n.kind.Name)
		if n.in != "" {
			fmt.Fprintf(&b, "%s: %s\n", n.kind.Inputs[0], n.in)
		}
		for _, f := range n.fields {
			fmt.Fprintf(&b, "%s: %s\n", strings.ReplaceAll(f.name, ".", ": "), f.text)
		}
		b.WriteString("}\n")
	}
	b.WriteString("}\n}\n")
	return []byte(b.String())
}

var notSlug = regexp.MustCompile(`[^a-z0-9]+`)

// name is the graph's: that of the file, and of what is done with it.
func (d *draft) name() string {
	base, _, _ := strings.Cut(filepath.Base(d.options.Data), ".")
	words := append([]string{base}, d.options.Kinds...)
	name := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(strings.Join(words, "-")), "-"), "-")
	if name == "" {
		return "graph"
	}
	return name
}

func firstSentence(doc string) string {
	doc, _, _ = strings.Cut(doc, "\n")
	if i := strings.Index(doc, ". "); i >= 0 {
		doc = doc[:i+1]
	}
	return doc
}

// outPath is where a sink of the graph writes.
func (d *draft) outPath(kind specs.KindDoc) string {
	ends := map[string]string{"WriteParquet": ".parquet", "AppendParquet": "/", "WriteJSONL": ".jsonl", "WriteCSV": ".csv", "Calibrate": ".json"}
	return fmt.Sprintf(`"\(param.out)/%s%s"`, d.name(), ends[kind.Name])
}
