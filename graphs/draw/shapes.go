package draw

import (
	"bytes"
	"fmt"
)

// Colours on white paper, for DOT and Mermaid, which know no scheme.
var fills = map[string]string{
	Source:  "#dcefe2",
	Row:     "#eef0f3",
	Model:   "#e3e0fb",
	Combine: "#fbecc9",
	Global:  "#fbe0d6",
	Sink:    "#d8eaf8",
}

const rejectColour = "#b3261e"

var stateColours = map[string]string{OK: "#1a7f37", Warn: "#9a6700", Failed: "#b3261e"}

// marks are the signs in the corner of a node, drawn from its centre.
var marks = map[string]string{
	OK:     "m-3.5 0.3l2.5 2.5l4.5 -5",
	Warn:   "m0 -4v4.5m0 2.6v0.6",
	Failed: "m-3 -3l6 6m0 -6l-6 6",
}

// outline draws the shape of a role: round ends for a source, cut corners for a
// model, slanted sides for an aggregation, a doubled line for a node that needs
// all rows at once, a drum for a sink.
func outline(b *bytes.Buffer, role string, x, y, w, h float64) {
	switch role {
	case Source:
		fmt.Fprintf(b, `<rect class="box" x="%s" y="%s" width="%s" height="%s" rx="%s"/>`, num(x), num(y), num(w), num(h), num(min(22, h/2)))
	case Model:
		const cut = 9
		fmt.Fprintf(b, `<path class="box" d="M%s %sh%sl9 9v%sl-9 9h%sl-9 -9v%sz"/>`,
			num(x+cut), num(y), num(w-2*cut), num(h-2*cut), num(2*cut-w), num(2*cut-h))
	case Combine:
		const slant = 8
		fmt.Fprintf(b, `<path class="box" d="M%s %sh%sl-8 %sh%sz"/>`, num(x), num(y), num(w), num(h), num(2*slant-w))
	case Global:
		fmt.Fprintf(b, `<rect class="box" x="%s" y="%s" width="%s" height="%s" rx="4"/><rect class="inner" x="%s" y="%s" width="%s" height="%s" rx="2"/>`,
			num(x), num(y), num(w), num(h), num(x+3), num(y+3), num(w-6), num(h-6))
	case Sink:
		fmt.Fprintf(b, `<path class="box" d="M%s %sa%s 5 0 0 1 %s 0v%sa%s 5 0 0 1 %s 0z"/><path class="inner" d="M%s %sa%s 5 0 0 0 %s 0"/>`,
			num(x), num(y+lid), num(w/2), num(w), num(h-2*lid), num(w/2), num(-w),
			num(x), num(y+lid), num(w/2), num(w))
	default:
		fmt.Fprintf(b, `<rect class="box" x="%s" y="%s" width="%s" height="%s" rx="6"/>`, num(x), num(y), num(w), num(h))
	}
}

// style is the picture's style sheet. It speaks of .penstock-graph only, since
// inside a page it is in force everywhere.
const style = `
.penstock-graph{--ink:var(--draw-ink,#1f2328);--muted:var(--draw-muted,#57606a);--line:var(--draw-line,#768390);--surface:var(--draw-surface,#fff);--reject:var(--draw-reject,#b3261e);--good:var(--draw-ok,#1a7f37);--warn:var(--draw-warn,#9a6700);font-family:Helvetica,Arial,"Liberation Sans",sans-serif;background:var(--surface)}
.penstock-graph .source{--fill:var(--draw-source,#dcefe2);--edge:#2e7d4f}
.penstock-graph .row{--fill:var(--draw-row,#eef0f3);--edge:#6b7785}
.penstock-graph .model{--fill:var(--draw-model,#e3e0fb);--edge:#6652c9}
.penstock-graph .combine{--fill:var(--draw-combine,#fbecc9);--edge:#a3790a}
.penstock-graph .global{--fill:var(--draw-global,#fbe0d6);--edge:#b65a33}
.penstock-graph .sink{--fill:var(--draw-sink,#d8eaf8);--edge:#2b77b5}
@media (prefers-color-scheme:dark){
.penstock-graph{--ink:var(--draw-ink,#e6edf3);--muted:var(--draw-muted,#a5b0bb);--line:var(--draw-line,#7d8794);--surface:var(--draw-surface,#0f1419);--reject:var(--draw-reject,#ff8a80);--good:var(--draw-ok,#57c278);--warn:var(--draw-warn,#e0ac3b)}
.penstock-graph .source{--fill:var(--draw-source,#16341f);--edge:#4da56f}
.penstock-graph .row{--fill:var(--draw-row,#232a32);--edge:#8590a0}
.penstock-graph .model{--fill:var(--draw-model,#2a2552);--edge:#9c8cf0}
.penstock-graph .combine{--fill:var(--draw-combine,#3a2f10);--edge:#c99b2e}
.penstock-graph .global{--fill:var(--draw-global,#44261a);--edge:#dd8560}
.penstock-graph .sink{--fill:var(--draw-sink,#133049);--edge:#5aa5dd}
}
.penstock-graph text{text-anchor:middle;fill:var(--ink);font-size:11px}
.penstock-graph .name{font-size:14px;font-weight:700}
.penstock-graph .kind{font-size:12px;fill:var(--muted)}
.penstock-graph .columns,.penstock-graph .records{fill:var(--muted)}
.penstock-graph .port{fill:var(--ink);font-weight:700}
.penstock-graph .box{fill:var(--fill);stroke:var(--edge);stroke-width:1.4}
.penstock-graph .inner{fill:none;stroke:var(--edge);stroke-width:1}
.penstock-graph .warn .box{stroke:var(--warn);stroke-width:2.2}
.penstock-graph .failed .box{stroke:var(--reject);stroke-width:2.6}
.penstock-graph .badge{fill:var(--good);stroke:var(--surface);stroke-width:1.5}
.penstock-graph .warn .badge{fill:var(--warn)}
.penstock-graph .failed .badge{fill:var(--reject)}
.penstock-graph .mark{fill:none;stroke:var(--surface);stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.penstock-graph .edge path{fill:none;stroke:var(--line);stroke-width:1.5}
.penstock-graph .edge .tip{fill:var(--line);stroke:none}
.penstock-graph .edge:hover path{stroke-width:2.5}
.penstock-graph .label{fill:var(--surface)}
.penstock-graph .rejects path{stroke:var(--reject);stroke-dasharray:5 4}
.penstock-graph .rejects .tip{fill:var(--reject)}
.penstock-graph .rejects text{fill:var(--reject)}
`
