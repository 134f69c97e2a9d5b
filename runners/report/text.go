package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Text writes the lines that close a run on a terminal of the given width:
// how it ended, rows, speed, reasons of rejects, where the outputs and the page
// are. Lines are broken between words; paths stay whole, to be copied.
func Text(w io.Writer, r *Run, width int) error {
	var b strings.Builder
	b.WriteString(printable(r.Graph) + " " + ended(r) + "\n")
	if r.Error != "" {
		entry(&b, "error", strings.Fields(printable(strings.ReplaceAll(r.Error, "\n", " "))), " ", width)
	}
	entry(&b, "rows", rowParts(r), " · ", width)
	entry(&b, "speed", speedParts(r), " · ", width)
	for _, n := range r.Nodes {
		var parts []string
		for _, c := range n.Rejects {
			parts = append(parts, grouped(c.Rows)+" "+printable(c.Class))
		}
		if len(parts) > 0 {
			entry(&b, "rejects", append([]string{printable(n.Name) + ": " + parts[0]}, parts[1:]...), ", ", width)
		}
	}
	for _, o := range r.Outputs {
		about := counted(o.Rows, "row")
		if o.Bytes > 0 {
			about += ", " + fileSize(o.Bytes)
		}
		entry(&b, "output", []string{printable(o.Path), "(" + about + ")"}, "  ", width)
	}
	for _, note := range r.Notes {
		entry(&b, "note", strings.Fields(printable(note)), " ", width)
	}
	if r.Report != "" {
		entry(&b, "report", []string{printable(r.Report)}, "", width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func ended(r *Run) string {
	switch r.State {
	case Succeeded:
		return "succeeded in " + duration(r.Seconds)
	case Interrupted:
		return "was interrupted after " + duration(r.Seconds)
	}
	return "failed after " + duration(r.Seconds)
}

func rowParts(r *Run) []string {
	t := r.Totals()
	parts := []string{grouped(t.In) + " in"}
	if hasSink(r) {
		parts = append(parts, grouped(t.Out)+" out")
	}
	rejected := grouped(t.Rejected) + " rejected"
	if t.Rejected > 0 && t.In > 0 {
		rejected += " (" + percent(float64(t.Rejected)/float64(t.In)) + ")"
	}
	return append(parts, grouped(t.Filtered)+" filtered", rejected)
}

func speedParts(r *Run) []string {
	parts := []string{perSecond(r.Totals().In, r.Seconds)}
	if s := r.DeviceShare(); !math.IsNaN(s) {
		parts = append(parts, "device "+percent(s))
	}
	if f := r.BatchFill(); !math.IsNaN(f) {
		parts = append(parts, "batch fill "+percent(f))
	}
	return parts
}

// entry writes a name and its parts, on as many lines as they need.
func entry(b *strings.Builder, name string, parts []string, separator string, width int) {
	const indent = 11
	fmt.Fprintf(b, "  %-*s", indent-2, name)
	at := indent
	for i, part := range parts {
		n := utf8.RuneCountInString(part)
		gap := utf8.RuneCountInString(separator)
		switch {
		case i == 0:
		case at+gap+n > width:
			fmt.Fprintf(b, "%s\n%*s", strings.TrimRight(separator, " ·"), indent, "")
			at = indent
		default:
			b.WriteString(separator)
			at += gap
		}
		b.WriteString(part)
		at += n
	}
	b.WriteByte('\n')
}
