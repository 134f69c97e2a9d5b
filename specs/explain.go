package specs

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

// codesText explains every code, each under a heading "## CODE title".
//
//go:embed codes.md
var codesText string

// explanations are the sections of codesText by code.
var explanations = sync.OnceValue(func() map[string]string {
	sections := map[string]string{}
	for _, section := range strings.Split(codesText, "\n## ")[1:] {
		code, _, _ := strings.Cut(section, " ")
		sections[code] = strings.TrimSpace(section)
	}
	return sections
})

// Explain is the text behind a diagnostic's code: a title after the code, the
// cause, an example and the cure, as Markdown.
func Explain(code string) (string, bool) {
	text, ok := explanations()[strings.ToUpper(code)]
	return text, ok
}

// Codes lists all codes, sorted.
func Codes() []string { return slices.Sorted(maps.Keys(explanations())) }
