package draw

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// mermaidShapes are the brackets that give a node its shape.
var mermaidShapes = map[string][2]string{
	Source:  {"([", "])"},
	Row:     {"[", "]"},
	Model:   {"{{", "}}"},
	Combine: {`[\`, "/]"},
	Global:  {"[[", "]]"},
	Sink:    {"[(", ")]"},
}

// Mermaid writes g as a Mermaid flowchart. Nodes are called n0, n1 and so on,
// because a name such as "end" is a word of the language. It fails as [DOT] does.
func Mermaid(w io.Writer, g Graph) error {
	ends, err := g.endpoints()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "flowchart %s\n", direction(g))
	for i, n := range g.Nodes {
		shape := mermaidShapes[n.role()]
		fmt.Fprintf(&b, "    n%d%s%s%s:::%s\n", i, shape[0],
			mermaidQuote(append([]string{n.Name, n.Kind}, n.Notes...)), shape[1], n.role())
		if c, ok := stateColours[n.State]; ok && n.State != OK {
			fmt.Fprintf(&b, "    style n%d stroke:%s,stroke-width:2px\n", i, c)
		}
	}
	for i, e := range g.Edges {
		arrow := "-->"
		if e.Rejects {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "    n%d %s", ends[i][0], arrow)
		if label := labelLines(e, labelWidth); len(label) > 0 {
			fmt.Fprintf(&b, "|%s|", mermaidQuote(label))
		}
		fmt.Fprintf(&b, " n%d\n", ends[i][1])
	}
	for i, e := range g.Edges {
		if e.Rejects {
			fmt.Fprintf(&b, "    linkStyle %d stroke:%s,color:%s\n", i, rejectColour, rejectColour)
		}
	}
	for _, role := range []string{Source, Row, Model, Combine, Global, Sink} {
		fmt.Fprintf(&b, "    classDef %s fill:%s,stroke:#57606a,color:#1f2328\n", role, fills[role])
	}
	_, err = w.Write(b.Bytes())
	return err
}

// mermaidQuote makes a quoted label of lines. Whatever might mean something to
// Mermaid, or to the browser it hands the label to, is written as a number.
func mermaidQuote(lines []string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, s := range lines {
		if i > 0 {
			b.WriteString("<br/>")
		}
		for _, r := range clean(s) {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" _-.,:+→·…", r) {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
