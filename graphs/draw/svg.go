package draw

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// SVG writes g as a picture that stands alone or inside a page. Colours follow
// the reader's light or dark scheme; a page may set its own through the CSS
// variables --draw-ink, --draw-muted, --draw-line, --draw-surface,
// --draw-reject and --draw-ROLE. It fails as [DOT] does, and for a graph with a cycle.
func SVG(w io.Writer, g Graph) error {
	l, err := arrange(g)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	name := fmt.Sprintf("graph %s: %s, %s", clean(g.Name), count(len(g.Nodes), "node"), count(len(g.Edges), "edge"))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" class="penstock-graph" role="img" aria-label="%s" width="%s" height="%s" viewBox="0 0 %s %s">`,
		escape(name), num(l.width), num(l.height), num(l.width), num(l.height))
	fmt.Fprintf(&b, "\n<title>%s</title>\n<desc>%s</desc>\n<style>%s</style>\n", escape(name), escape(summary(g)), style)
	for i := range g.Edges {
		l.drawEdge(&b, i)
	}
	for _, t := range l.items {
		if t.node >= 0 {
			l.drawNode(&b, t)
		}
	}
	b.WriteString("</svg>\n")
	_, err = w.Write(b.Bytes())
	return err
}

// summary tells the graph in words, for those who cannot see it.
func summary(g Graph) string {
	var parts []string
	for i, e := range g.Edges {
		if i == 40 {
			parts = append(parts, fmt.Sprintf("and %d more", len(g.Edges)-i))
			break
		}
		s := clean(e.From) + " to " + clean(e.To)
		if p := e.ports(); p != "" {
			s += " by " + p
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

func (l *layout) drawEdge(b *bytes.Buffer, i int) {
	e, path := l.g.Edges[i], l.paths[i]
	class := "edge"
	if e.Rejects {
		class += " rejects"
	}
	fmt.Fprintf(b, "<g class=\"%s\"><title>%s</title>", class, escape(e.describe()))
	end := l.route(b, path)
	l.drawArrow(b, end)
	l.drawLabel(b, path[1], labelLines(e, labelWidth))
	b.WriteString("</g>\n")
}

// point is a place along and across.
type point struct{ along, across float64 }

// route draws the line of an edge and returns its end. Within a layer the line
// runs straight, between layers it swings.
func (l *layout) route(b *bytes.Buffer, path []*item) point {
	const arrow = 7
	first, last := path[0], path[len(path)-1]
	at := point{first.start + first.along, l.port(first, first.after, path[1])}
	fmt.Fprintf(b, `<path d="M%s`, l.xy(at))
	to := func(p point) {
		if math.Abs(p.across-at.across) < 0.05 {
			fmt.Fprintf(b, "L%s", l.xy(p))
		} else {
			middle := (at.along + p.along) / 2
			fmt.Fprintf(b, "C%s %s %s", l.xy(point{middle, at.across}), l.xy(point{middle, p.across}), l.xy(p))
		}
		at = p
	}
	to(point{l.begins[first.layer] + l.sizes[first.layer], at.across})
	for _, t := range path[1 : len(path)-1] {
		to(point{l.begins[t.layer], t.pos})
		to(point{l.begins[t.layer] + l.sizes[t.layer], t.pos})
	}
	end := point{last.start, l.port(last, last.before, path[len(path)-2])}
	to(point{l.begins[last.layer] - arrow, end.across})
	to(point{end.along - arrow, end.across})
	b.WriteString(`"/>`)
	return end
}

// port is where across an edge meets a node: the edges on one side are spread
// in the order of their neighbours.
func (l *layout) port(node *item, links []link, neighbour *item) float64 {
	if len(links) == 0 { // an edge too long for dummies
		return node.pos
	}
	sorted := slices.Clone(links)
	slices.SortStableFunc(sorted, func(a, b link) int { return cmp.Compare(a.item.pos, b.item.pos) })
	place := slices.IndexFunc(sorted, func(n link) bool { return n.item == neighbour })
	if place < 0 {
		return node.pos
	}
	if away := neighbour.pos - node.pos; len(sorted) == 1 && math.Abs(away) < 8 {
		return neighbour.pos // a straight edge reads better than a centred one
	}
	step := min(16, (node.across-20)/float64(len(sorted)))
	return node.pos + (float64(place)-float64(len(sorted)-1)/2)*step
}

func (l *layout) drawArrow(b *bytes.Buffer, tip point) {
	const length, half = 8, 4
	fmt.Fprintf(b, `<path class="tip" d="M%sL%sL%sZ"/>`, l.xy(tip),
		l.xy(point{tip.along - length, tip.across - half}), l.xy(point{tip.along - length, tip.across + half}))
}

func (l *layout) drawLabel(b *bytes.Buffer, t *item, lines []string) {
	if len(lines) == 0 {
		return
	}
	x, y := l.centre(t)
	fmt.Fprintf(b, `<rect class="label" x="%s" y="%s" width="%s" height="%s" rx="4"/>`,
		num(x-t.width/2), num(y-t.height/2), num(t.width), num(t.height))
	for k, s := range lines {
		class := "columns"
		switch {
		case k == 0 && l.g.Edges[t.edge].ports() != "":
			class = "port"
		case k == len(lines)-1 && l.g.Edges[t.edge].Records >= 0:
			class = "records"
		}
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%s">%s</text>`, class, num(x),
			num(y-t.height/2+labelLine*float64(k+1)-1), escape(s))
	}
}

func (l *layout) drawNode(b *bytes.Buffer, t *item) {
	n := l.g.Nodes[t.node]
	class := n.role()
	if _, known := stateColours[n.State]; known {
		class += " " + n.State
	}
	x, y := l.centre(t)
	left, top := x-t.width/2, y-t.height/2
	fmt.Fprintf(b, "<g class=\"node %s\"><title>%s</title>", class, escape(n.describe()))
	outline(b, n.role(), left, top, t.width, t.height)
	y = top + 1 + nameLine
	if n.role() == Sink {
		y += lid
	}
	text := func(class, s string, size float64) {
		fmt.Fprintf(b, `<text class="%s" x="%s" y="%s">%s</text>`, class, num(x), num(y), escape(nodeText(s, size)))
	}
	text("name", n.Name, nameSize*bold)
	y += kindLine
	text("kind", n.Kind, kindSize)
	for _, s := range n.Notes {
		y += noteLine
		text("note", s, noteSize)
	}
	if mark := marks[n.State]; mark != "" {
		fmt.Fprintf(b, `<circle class="badge" cx="%s" cy="%s" r="8"/><path class="mark" d="M%s %s%s"/>`,
			num(left+t.width-3), num(top+3), num(left+t.width-3), num(top+3), mark)
	}
	b.WriteString("</g>\n")
}

// centre is an item's centre in the picture.
func (l *layout) centre(t *item) (x, y float64) {
	if l.down {
		return t.pos, t.start + t.along/2
	}
	return t.start + t.along/2, t.pos
}

func (l *layout) xy(p point) string {
	if l.down {
		return num(p.across) + " " + num(p.along)
	}
	return num(p.along) + " " + num(p.across)
}

func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) // + 0 makes -0 into 0
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func escape(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
