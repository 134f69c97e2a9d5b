package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// canvas collects the elements of a chart. Text reaches it through [html.EscapeString].
type canvas struct{ strings.Builder }

// newCanvas begins a chart of the given size; label is what it shows, in words.
func newCanvas(width, height float64, class, label string) *canvas {
	c := new(canvas)
	fmt.Fprintf(c, `<svg class="%s" role="img" aria-label="%s" viewBox="0 0 %s %s" width="%s" height="%s">`,
		class, html.EscapeString(label), px(width), px(height), px(width), px(height))
	return c
}

func (c *canvas) done() template.HTML {
	c.WriteString("</svg>")
	return template.HTML(c.String())
}

func (c *canvas) rect(class string, x, y, w, h float64, title string) {
	fmt.Fprintf(c, `<rect class="%s" x="%s" y="%s" width="%s" height="%s">`, class, px(x), px(y), px(w), px(h))
	if title != "" {
		fmt.Fprintf(c, "<title>%s</title>", html.EscapeString(title))
	}
	c.WriteString("</rect>")
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<path class="%s" d="M%s %sL%s %s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

// text writes s at x, y; anchor is start, middle or end.
func (c *canvas) text(class string, x, y float64, anchor, s string) {
	fmt.Fprintf(c, `<text class="%s" x="%s" y="%s" text-anchor="%s">%s</text>`, class, px(x), px(y), anchor, html.EscapeString(s))
}

// px writes a coordinate, to a tenth of a pixel.
func px(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64) // + 0 makes -0 into 0
}

// histogram draws counts as bars of one width, whatever the bins' widths, and
// writes the edges beneath; unit is of the edges.
func histogram(label string, edges []float64, counts []int64, unit string) template.HTML {
	const width, height, left, bottom, top = 330, 132, 6, 18, 16
	c := newCanvas(width, height, "chart", label)
	if len(counts) == 0 || len(edges) != len(counts)+1 {
		c.text("tick", width/2, height/2, "middle", "no figures")
		return c.done()
	}
	var most, total int64
	for _, n := range counts {
		most, total = max(most, n), total+n
	}
	step := (width - 2*left) / float64(len(counts))
	floor := float64(height - bottom)
	marked := false
	for i, n := range counts {
		h := 0.0
		if most > 0 {
			h = float64(n) / float64(most) * (floor - top)
		}
		if n > 0 {
			h = max(h, 1) // a few rows are not none
		}
		title := fmt.Sprintf("%s to %s %s: %s (%s)", number(edges[i]), number(edges[i+1]), unit, grouped(n), percent(float64(n)/float64(max(1, total))))
		x := left + float64(i)*step
		c.rect("bar", x+0.5, floor-h, max(0.5, step-1), h, title)
		if n == most && n > 0 && !marked {
			marked = true
			c.text("tick", min(max(x+step/2, 24), width-24), floor-h-4, "middle", grouped(n))
		}
	}
	c.line("axis", left, floor, width-left, floor)
	every := (len(edges) + 7) / 8
	for i := 0; i < len(edges); i += every {
		anchor := "middle"
		switch i {
		case 0:
			anchor = "start"
		case len(edges) - 1:
			anchor = "end"
		}
		c.text("tick", left+float64(i)*step, height-5, anchor, number(edges[i]))
	}
	return c.done()
}
