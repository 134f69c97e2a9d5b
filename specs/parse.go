package specs

import (
	"fmt"
	"path/filepath"
)

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
