package specs

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/cue/parser"
)

// Options are the settings of a load.
type Options struct {
	// Tags gives parameters (fields with a @tag attribute) their values.
	Tags map[string]string
	// Dir is the folder a relative path starts from; "" is the working folder.
	Dir string
	// Tests reads the graph's test files too: graph_test.cue for graph.cue.
	Tests bool
}

// Load reads a graph and checks it against the schema. The path names a file
// (.cue, .json, .yaml, .yml) or a folder, which holds graph.cue, graph.json,
// graph.yaml or one CUE package. Nothing but files is read, and no network is
// used.
//
// A graph that comes with more than warnings is what could be read of it, for
// those who look for further mistakes; nothing else may be done with it. It is
// nil if nothing could be read.
func Load(path string, o Options) (*Graph, Diagnostics) {
	src, d := locate(path, o.Dir)
	if d == nil && o.Tests {
		d = src.addTests()
	}
	if d != nil {
		return nil, Diagnostics{*d}
	}
	return src.load(o.Tags)
}

// Parse is Load of a text that is in memory. The name ends in .cue, .json or
// .yaml and is what diagnostics show; other files are looked for beside it.
func Parse(name string, text []byte, o Options) (*Graph, Diagnostics) {
	full, err := filepath.Abs(filepath.Join(o.Dir, name))
	if err != nil {
		return nil, Diagnostics{At(Position{File: name}, "", CodeNoFile, err.Error(), "")}
	}
	if len(text) > maxText {
		message := fmt.Sprintf("is %d bytes long, more than the %d a graph may have", len(text), maxText)
		return nil, Diagnostics{At(Position{File: name}, "", CodeNoFile, message, "")}
	}
	s := &source{
		path: name, dir: filepath.Dir(full), shown: filepath.Dir(name),
		files: []string{full}, text: map[string][]byte{full: text},
	}
	s.moduleRoot = findModule(s.dir)
	return s.load(o.Tags)
}

// loader takes one graph from text to values.
type loader struct {
	*source
	tags     map[string]string
	parsed   map[string]*ast.File // the author's files by absolute name
	instance *build.Instance
	value    cue.Value // of the whole instance, as built last
	mended   bool      // something undefined was replaced: incomplete values are no surprise
	ds       Diagnostics
}

// load goes through the waves. A wave that fails ends the load only if the next
// could not say anything true.
func (s *source) load(tags map[string]string) (g *Graph, ds Diagnostics) {
	defer func() {
		if r := recover(); r != nil {
			g, ds = nil, Diagnostics{At(Position{File: s.path}, "", CodeLoader,
				fmt.Sprintf("the CUE evaluator failed on this graph: %v", r), "simplify the graph; definitions and literals are enough")}
		}
	}()
	l := &loader{source: s, tags: tags, parsed: map[string]*ast.File{}}
	for _, wave := range []func() bool{l.parse, l.setTags, l.loadInstance, l.mendDefinitions, l.mendReferences} {
		if !wave() {
			return nil, l.ds.Sorted()
		}
	}
	g = l.evaluate()
	return g, append(l.ds, s.vendoredWarning()...).Sorted()
}

// report adds a diagnostic.
func (l *loader) report(pos Position, path, code, message, hint string) {
	l.ds = append(l.ds, At(pos, path, code, message, hint))
}

// loadInstance resolves imports with the embedded schema overlaid.
func (l *loader) loadInstance() bool {
	cfg := &load.Config{
		Dir:       l.dir,
		Package:   l.pkg,
		Tests:     l.tests,
		Tags:      l.tagArguments(),
		Env:       append(os.Environ(), "CUE_REGISTRY=none"),
		Overlay:   l.overlay(),
		ParseFile: l.parseFile,
	}
	if l.moduleRoot != "" {
		cfg.ModuleRoot = l.moduleRoot
	}
	instances := load.Instances(l.arguments(), cfg)
	l.instance = instances[0]
	l.reportCUE(l.instance.Err)
	return l.instance.Err == nil
}

// arguments are what the CUE loader is asked for.
func (l *loader) arguments() []string {
	if l.pkg != "" {
		return []string{"."}
	}
	var names []string
	for _, file := range l.files {
		names = append(names, cueName(file))
	}
	return names
}

// cueName is the name under which the CUE loader sees a file: JSON and YAML
// graphs are handed to it as syntax trees.
func cueName(file string) string {
	if filepath.Ext(file) == ".cue" {
		return file
	}
	return file + ".cue"
}

// overlay puts the schema where imports look for it, and a module file where
// the author has none.
func (l *loader) overlay() map[string]load.Source {
	root := l.root()
	overlay := map[string]load.Source{}
	if l.moduleRoot == "" {
		overlay[filepath.Join(root, "cue.mod", "module.cue")] = load.FromBytes(userModule())
	}
	folder := vendorDir(root)
	for _, extra := range strayFiles(folder) {
		overlay[extra] = load.FromString("package specs\n")
	}
	for _, name := range schemaNames() {
		overlay[filepath.Join(folder, name)] = load.FromBytes(schemaText(name))
	}
	for _, file := range l.files {
		overlay[cueName(file)] = load.FromBytes(l.text[file])
	}
	return overlay
}

// parseFile gives the CUE loader syntax trees: the author's files as already
// parsed, the schema without positions, anything else as it is.
func (l *loader) parseFile(name string, src any, cfg parser.Config) (*ast.File, error) {
	if f, ok := l.parsed[name]; ok {
		return f, nil
	}
	if filepath.Dir(name) == vendorDir(l.root()) && slices.Contains(schemaNames(), filepath.Base(name)) {
		return parseSchema(filepath.Base(name))
	}
	return parser.ParseFile(name, src, cfg, parser.ParseComments)
}

// build compiles the instance. A build leaves its errors on the instance, where
// they would count against the next.
func (l *loader) build() {
	l.instance.Err = nil
	l.value = cuecontext.New().BuildInstance(l.instance)
	l.settleParameters()
}

// evaluate judges the graph by the schema. If it is refused, it is evaluated
// once more against the relaxed schema to learn everything that is wrong.
func (l *loader) evaluate() *Graph {
	refused := l.value.Validate(cue.Concrete(true), cue.All())
	if refused == nil && !l.mended {
		return l.check()
	}
	l.relaxSchema()
	l.build()
	l.reportCUE(l.value.Validate(cue.Concrete(true), cue.All()))
	g := l.check()
	if !l.ds.Failed() {
		l.reportCUE(refused)
	}
	return g
}

// relaxSchema swaps the schema, whoever imports it, for its relaxed form.
func (l *loader) relaxSchema() {
	for _, imported := range l.instance.Dependencies() {
		if imported.ImportPath != ImportPath {
			continue
		}
		for i, f := range imported.Files {
			if relaxed, err := parseSchema(filepath.Base(f.Filename)); err == nil {
				relax(relaxed)
				imported.Files[i] = relaxed
			}
		}
	}
}

// trees lists the syntax trees of the author's files, those of imported packages
// too.
func (l *loader) trees() []*ast.File {
	trees := slices.Clone(l.instance.Files)
	for _, imported := range l.instance.Dependencies() {
		if imported.ImportPath != ImportPath {
			trees = append(trees, imported.Files...)
		}
	}
	return trees
}

// sourceText joins the texts of the author's files.
func (s *source) sourceText() []byte {
	var all bytes.Buffer
	for _, file := range s.files {
		all.Write(s.text[file])
	}
	return all.Bytes()
}

// tagArguments writes the parameters as the CUE loader takes them, sorted.
func (l *loader) tagArguments() []string {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(l.tags)) {
		args = append(args, name+"="+l.tags[name])
	}
	return args
}
