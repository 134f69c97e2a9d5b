package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock.dev/graphs/draw"
	"penstock.dev/transforms"
)

//go:embed page.html
var pageText string

//go:embed style.css
var style string

//go:embed script.js
var script string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"grouped":  grouped,
	"duration": duration,
	"percent":  percent,
	"tidy":     tidyPercent,
	"fileSize": fileSize,
	"cut":      cut,
}).Parse(pageText))

// HTML writes the run as a page.
func HTML(w io.Writer, r *Run) error {
	p := &page{Run: r, Style: template.CSS(style), Script: template.JS(script), Policy: policy(script)}
	if err := p.fill(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(bytes.Map(visible, b.Bytes()))
	return err
}

// visible replaces control characters, which have no place in a page.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\n' && r != '\t' {
		return utf8.RuneError
	}
	return r
}

// policy lets the browser run our script, by its hash, and load nothing.
func policy(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
}

// page is a run with what the page says of it.
type page struct {
	*Run
	Style       template.CSS
	Script      template.JS
	Policy      string
	Outcome     string
	Tiles       []tile
	Drawing     template.HTML
	Balanced    bool
	Timings     []timing
	Histograms  []figureView
	Figures     []nodeFigure
	Evaluated   []*evaluationView
	Rejecting   []Node
	Sampled     []Node
	SourceLines []string
}

type tile struct{ Label, Value, Detail string }

// timing is a bar of the timings chart.
type timing struct {
	Name, Kind   string
	Busy, Device string
	Share        string // of the wall time
	Bar          string // width, as a CSS percentage of the longest
	DeviceBar    string
}

type nodeFigure struct{ Node, Name, Value string }

func (p *page) fill() error {
	p.Outcome = outcome(p.Run)
	p.Tiles = tiles(p.Run)
	if len(p.Picture.Nodes) > 0 {
		var b strings.Builder
		if err := draw.SVG(&b, p.Picture); err != nil {
			return fmt.Errorf("report: %w", err)
		}
		p.Drawing = template.HTML(b.String())
	}
	p.Balanced = !slices.ContainsFunc(p.Nodes, func(n Node) bool { return !n.Balanced() })
	p.Timings = timings(p.Run)
	for _, n := range p.Nodes {
		p.measured(n)
		if len(n.Rejects) > 0 {
			p.Rejecting = append(p.Rejecting, n)
		}
		if len(n.Samples) > 0 {
			p.Sampled = append(p.Sampled, n)
		}
	}
	for _, e := range p.Evaluations {
		if len(e.Scores) > 0 {
			p.Evaluated = append(p.Evaluated, viewEvaluation(e))
		}
	}
	if p.Source != "" {
		p.SourceLines = strings.Split(strings.TrimRight(p.Source, "\n"), "\n")
	}
	return nil
}

// outcome is the run in a sentence.
func outcome(r *Run) string {
	t := r.Totals()
	var s string
	switch r.State {
	case Succeeded:
		s = "Succeeded in " + duration(r.Seconds)
	case Interrupted:
		s = "Interrupted after " + duration(r.Seconds)
	default:
		s = "Failed after " + duration(r.Seconds)
	}
	s += ": " + counted(t.In, "row") + " read"
	switch {
	case !hasSink(r):
	case r.State == Succeeded:
		s += ", " + grouped(t.Out) + " written"
	default: // sinks show their files only at the end
		s += ", " + grouped(t.Out) + " had reached a sink"
	}
	return s + fmt.Sprintf(", %s filtered, %s rejected.", grouped(t.Filtered), grouped(t.Rejected))
}

func hasSink(r *Run) bool {
	return slices.ContainsFunc(r.Nodes, func(n Node) bool { return n.Role == draw.Sink })
}

func tiles(r *Run) []tile {
	t := r.Totals()
	share := func(n int64) string {
		if t.In == 0 {
			return ""
		}
		return percent(float64(n)/float64(t.In)) + " of rows read"
	}
	all := []tile{{"Rows read", grouped(t.In), perSecond(t.In, r.Seconds)}}
	switch {
	case !hasSink(r):
	case r.State == Succeeded:
		all = append(all, tile{"Rows written", grouped(t.Out), "to " + counted(int64(len(r.Outputs)), "output")})
	default:
		all = append(all, tile{"Reached sinks", grouped(t.Out), "before the run ended"})
	}
	all = append(all,
		tile{"Filtered", grouped(t.Filtered), share(t.Filtered)},
		tile{"Rejected", grouped(t.Rejected), share(t.Rejected)},
		tile{"Time", duration(r.Seconds), "wall clock"})
	if s := r.DeviceShare(); !math.IsNaN(s) {
		all = append(all, tile{"Device share", percent(s), "of the time, a model ran"})
	}
	if f := r.BatchFill(); !math.IsNaN(f) {
		all = append(all, tile{"Batch fill", percent(f), "of the device's work, not padding"})
	}
	return all
}

func timings(r *Run) []timing {
	longest := 0.0
	for _, n := range r.Nodes {
		longest = max(longest, n.Busy, orZero(n.metric(transforms.DeviceSeconds)))
	}
	if longest == 0 {
		return nil
	}
	nodes := slices.Clone(r.Nodes)
	slices.SortStableFunc(nodes, func(a, b Node) int { return cmp.Compare(b.Busy, a.Busy) })
	var all []timing
	for _, n := range nodes {
		t := timing{Name: n.Name, Kind: n.Kind, Busy: duration(n.Busy), Bar: width(n.Busy / longest)}
		if r.Seconds > 0 {
			t.Share = percent(n.Busy / r.Seconds)
		}
		if s := n.metric(transforms.DeviceSeconds); !math.IsNaN(s) {
			t.Device, t.DeviceBar = duration(s), width(s/longest)
		}
		all = append(all, t)
	}
	return all
}

func orZero(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func width(share float64) string { return fmt.Sprintf("%.2f%%", 100*min(1, max(0, share))) }

// measured takes up a node's metrics: histograms are drawn, all are listed.
func (p *page) measured(n Node) {
	for _, m := range n.Metrics {
		p.Figures = append(p.Figures, nodeFigure{n.Name, m.Name, figure(m.Value, m.Unit)})
		if len(m.Counts) > 0 {
			title := n.Name + ": " + m.Name
			unit := m.Unit
			if unit == "1" {
				unit = ""
			}
			p.Histograms = append(p.Histograms, figureView{
				Title:  title,
				Detail: "mean " + figure(m.Value, m.Unit),
				SVG:    histogram(title, m.Edges, m.Counts, unit),
			})
		}
	}
}

// Lengths of sample values, in characters: shown at once, and shown at all.
const (
	glance = 140
	whole  = 20000
)

// cutText is a value whose beginning is shown, the rest on demand.
type cutText struct {
	Head, Rest string
	Short      bool // fits a narrow column
}

func cut(s string) cutText {
	if n := utf8.RuneCountInString(s); n > whole {
		s = s[:runes(s, whole)] + fmt.Sprintf(" … (%s more characters)", grouped(int64(n-whole)))
	}
	if n := utf8.RuneCountInString(s); n <= glance {
		return cutText{Head: s, Short: n <= 24 && !strings.Contains(s, "\n")}
	}
	at := runes(s, glance-20)
	return cutText{Head: s[:at], Rest: s[at:]}
}

// runes is the length of the first n characters of s in bytes.
func runes(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}
