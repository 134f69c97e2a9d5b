package specs

import (
	"path/filepath"

	"cuelang.org/go/cue/format"
)

// Format lays out the CUE files of a graph, test files too, in the one way that the
// language has. Those that would change come back; nothing is written.
func Format(path string, o Options) ([]FileEdit, error) {
	s, d := locate(path, o.Dir)
	if d == nil {
		d = s.addTests()
	}
	if d != nil {
		return nil, Diagnostics{*d}
	}
	l := &loader{source: s, parsed: nil}
	var edits []FileEdit
	for _, file := range s.files {
		if filepath.Ext(file) != ".cue" {
			continue
		}
		text, err := format.Source(s.text[file])
		if err != nil {
			l.reportSyntax(file, err)
			continue
		}
		if string(text) != string(s.text[file]) {
			edits = append(edits, FileEdit{s.display(file), s.text[file], text})
		}
	}
	if l.ds.Failed() {
		return nil, l.ds
	}
	return edits, nil
}
