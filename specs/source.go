package specs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/scanner"
	"cuelang.org/go/cue/token"
)

// source is where a graph's text lies.
type source struct {
	path       string            // as the caller named it
	dir        string            // absolute folder of the files
	shown      string            // dir as diagnostics show it
	files      []string          // absolute names
	text       map[string][]byte // by absolute name
	pkg        string            // CUE package to load as a whole; "" for one file
	moduleRoot string            // folder above that holds cue.mod/module.cue; "" for none
	tests      bool              // test files are among them
}

// maxText is the size above which a file is not taken for a graph, in bytes.
const maxText = 64 << 20

// graphNames are the names a graph's file has in a folder, the first first.
var graphNames = []string{"graph.cue", "graph.json", "graph.yaml", "graph.yml"}

// locate finds the files of a graph and reads them.
func locate(path, dir string) (*source, *Diagnostic) {
	fail := func(message, hint string) (*source, *Diagnostic) {
		d := At(Position{File: path}, "", CodeNoFile, message, hint)
		return nil, &d
	}
	full, err := filepath.Abs(filepath.Join(dir, path))
	if filepath.IsAbs(path) {
		full, err = filepath.Clean(path), nil
	}
	if err != nil {
		return fail(err.Error(), "")
	}
	info, err := os.Stat(full)
	if err != nil {
		return fail("no such file or folder", "give a .cue, .json or .yaml file, or a folder that holds graph.cue")
	}
	s := &source{path: path, dir: full, shown: filepath.Clean(path), text: map[string][]byte{}}
	if !info.IsDir() {
		s.dir, s.shown = filepath.Dir(full), filepath.Dir(path)
		s.files = []string{full}
	} else if s.findInFolder(); len(s.files) == 0 {
		return fail("the folder holds no graph", "name the file graph.cue, or give the file itself")
	}
	for _, file := range s.files {
		if s.text[file], err = readText(file); err != nil {
			return fail(err.Error(), "")
		}
	}
	if !slices.Contains([]string{".cue", ".json", ".yaml", ".yml"}, filepath.Ext(s.files[0])) {
		return fail(fmt.Sprintf("a graph cannot be read from a file that ends in %q", filepath.Ext(full)), "use .cue, .json or .yaml")
	}
	s.moduleRoot = findModule(s.dir)
	return s, nil
}

// findInFolder chooses the files of a graph in a folder: graph.cue and the
// other files of its package, graph.json, graph.yaml, or one CUE package.
func (s *source) findInFolder() {
	for _, name := range graphNames {
		file := filepath.Join(s.dir, name)
		if _, err := os.Stat(file); err == nil {
			s.files = []string{file}
			break
		}
	}
	if len(s.files) == 0 || filepath.Ext(s.files[0]) == ".cue" {
		s.findPackage()
	}
}

// findPackage takes in all files of a package: graph.cue's, or the first
// file's if there is no graph.cue.
func (s *source) findPackage() {
	all, err := filepath.Glob(filepath.Join(globEscape(s.dir), "*.cue"))
	if err != nil || len(all) == 0 {
		return
	}
	if len(s.files) == 0 {
		s.files = all[:1]
	}
	if s.pkg = packageOf(s.files[0]); s.pkg == "" {
		return
	}
	s.files = nil
	for _, file := range all {
		if packageOf(file) == s.pkg && !strings.HasSuffix(file, "_tool.cue") && !strings.HasSuffix(file, "_test.cue") {
			s.files = append(s.files, file)
		}
	}
}

// globEscape keeps the characters of a folder's name from being a pattern.
func globEscape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// packageOf is the name of the package clause of a file, "" for none.
func packageOf(file string) string {
	f, err := parser.ParseFile(file, nil, parser.PackageClauseOnly)
	if err != nil {
		return ""
	}
	return f.PackageName()
}

func readText(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	if info.Size() > maxText {
		return nil, fmt.Errorf("is %d bytes long, more than the %d a graph may have", info.Size(), maxText)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", withoutPath(err))
	}
	return b, nil
}

// withoutPath drops the path from a file error: the diagnostic has it.
func withoutPath(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}

// findModule finds the nearest folder upwards that is a CUE module.
func findModule(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "cue.mod", "module.cue")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// root is the folder of the module: the author's, or the graph's own.
func (s *source) root() string {
	if s.moduleRoot != "" {
		return s.moduleRoot
	}
	return s.dir
}

// position is a CUE position as diagnostics show it.
func (s *source) position(p token.Pos) Position {
	if !p.IsValid() {
		return Position{}
	}
	at := p.Position()
	return Position{s.display(at.Filename), at.Line, at.Column}
}

// display is the name of a file as diagnostics show it.
func (s *source) display(file string) string {
	if data, ok := strings.CutSuffix(file, ".cue"); ok && slices.Contains(s.files, data) {
		file = data
	}
	if rel, err := filepath.Rel(s.dir, file); err == nil {
		return filepath.Join(s.shown, rel)
	}
	return file
}

// start is the first place of the graph's first file.
func (s *source) start() Position { return Position{s.display(s.files[0]), 1, 1} }

// isData reports whether the graph is JSON or YAML.
func (s *source) isData() bool { return filepath.Ext(s.files[0]) != ".cue" }

// parse parses the author's files and reports what is not CUE, JSON or YAML.
func (l *loader) parse() bool {
	for _, file := range l.files {
		var f *ast.File
		var err error
		switch filepath.Ext(file) {
		case ".json":
			f, err = parseJSON(file, l.text[file])
		case ".yaml", ".yml":
			f, err = parseYAML(file, l.text[file])
		default:
			f, err = parseCUE(file, l.text[file])
		}
		if err != nil {
			l.reportSyntax(file, err)
			continue
		}
		l.parsed[cueName(file)] = f
	}
	return !l.ds.Failed()
}

// maxRun is the number of tokens an expression may have. CUE takes apart what
// it evaluates recursively, and a chain of a million labels or operators would
// exhaust the stack.
const maxRun = 10_000

// parseCUE parses a CUE file unless it holds an expression that is too long.
func parseCUE(file string, text []byte) (*ast.File, error) {
	var tokens scanner.Scanner
	f := token.NewFile(file, -1, len(text))
	tokens.Init(f, text, nil, 0)
	for run := 0; run < maxRun; run++ {
		_, tok, _ := tokens.Scan()
		switch tok {
		case token.COMMA:
			run = 0
		case token.EOF:
			return parser.ParseFile(file, text, parser.ParseComments, parser.AllErrors)
		}
	}
	pos, _, _ := tokens.Scan()
	return nil, errors.Newf(pos, "expression of more than %d tokens", maxRun)
}
