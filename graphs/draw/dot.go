package draw

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

var dotShapes = map[string]string{
	Source:  "oval",
	Row:     "box",
	Model:   "hexagon",
	Combine: "invtrapezium",
	Global:  "box3d",
	Sink:    "cylinder",
}

// DOT writes g in the language of Graphviz. It fails if two nodes have one
// name or an edge has an end that is no node.
func DOT(w io.Writer, g Graph) error {
	if _, err := g.endpoints(); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "digraph %s {\n", dotQuote(g.Name))
	fmt.Fprintf(&b, "\trankdir=%s\n", direction(g))
	b.WriteString("\tnode [fontname=\"Helvetica\" fontsize=11 style=\"filled\" color=\"#57606a\"]\n")
	b.WriteString("\tedge [fontname=\"Helvetica\" fontsize=9 color=\"#57606a\"]\n")
	for _, n := range g.Nodes {
		label := append([]string{n.Name, n.Kind}, n.Notes...)
		fmt.Fprintf(&b, "\t%s [label=%s shape=%s fillcolor=%q", dotQuote(n.Name), dotQuote(label...), dotShapes[n.role()], fills[n.role()])
		if c, ok := stateColours[n.State]; ok && n.State != OK {
			fmt.Fprintf(&b, " color=%q penwidth=2", c)
		}
		b.WriteString("]\n")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "\t%s -> %s [label=%s tooltip=%s", dotQuote(e.From), dotQuote(e.To),
			dotQuote(labelLines(e, labelWidth)...), dotQuote(strings.Split(e.describe(), "\n")...))
		if e.Rejects {
			fmt.Fprintf(&b, " style=dashed color=%q fontcolor=%q", rejectColour, rejectColour)
		}
		b.WriteString("]\n")
	}
	b.WriteString("}\n")
	_, err := w.Write(b.Bytes())
	return err
}

// dotQuote makes a quoted string of lines. Doubling backslashes keeps Graphviz
// from reading escapes such as \N, the node's name, out of the text.
func dotQuote(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	out := make([]string, len(lines))
	for i, s := range lines {
		out[i] = escape.Replace(clean(s))
	}
	return `"` + strings.Join(out, `\n`) + `"`
}

// direction is LR or TB, the way the SVG of the same graph runs.
func direction(g Graph) string {
	if l, err := arrange(g); err == nil && l.down {
		return "TB"
	}
	return "LR"
}
