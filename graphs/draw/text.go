package draw

import (
	"fmt"
	"unicode"
)

// helvetica holds the advance widths of the printable ASCII characters, from
// the space on, in thousandths of the font size (Adobe's font metrics for
// Helvetica, which Arial and Liberation Sans share).
var helvetica = [95]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, // space to /
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, // 0 to ?
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, // @ to O
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, // P to _
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, // ` to o
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, // p to ~
}

// bold is how much wider bold text is, at most.
const bold = 1.08

// textWidth is the width of s at the given font size, in the unit of size.
// Outside ASCII it is an upper estimate.
func textWidth(s string, size float64) float64 {
	total := 0
	for _, r := range s {
		total += runeWidth(r)
	}
	return float64(total) * size / 1000
}

func runeWidth(r rune) int {
	switch {
	case r >= ' ' && r <= '~':
		return helvetica[r-' ']
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x250 && unicode.IsLower(r):
		return 611
	case unicode.In(r, unicode.Greek, unicode.Cyrillic) && unicode.IsLower(r):
		return 800
	case r == '·':
		return 333
	case r > 0xFFFF:
		return 1400 // emoji
	}
	return 1000
}

// shorten cuts s to the given width, ending it in an ellipsis if it had to.
func shorten(s string, size, width float64) string {
	if textWidth(s, size) <= width {
		return s
	}
	const ellipsis = "…"
	left := width - textWidth(ellipsis, size)
	for i, r := range s {
		if left -= float64(runeWidth(r)) * size / 1000; left < 0 {
			return s[:i] + ellipsis
		}
	}
	return s
}

const (
	labelSize  = 11.0  // font size of an edge's label
	labelWidth = 150.0 // widest line of it
	labelRows  = 2     // lines of column names
)

// labelLines is what stands beside an edge: ports, columns, records.
func labelLines(e Edge, width float64) []string {
	var lines []string
	if p := e.ports(); p != "" {
		lines = append(lines, shorten(p, labelSize, width))
	}
	lines = append(lines, columnLines(e.added(), e.Added != nil, width)...)
	if r := e.records(); r != "" {
		lines = append(lines, r)
	}
	return lines
}

// columnLines fills up to labelRows lines with names and says how many are left
// over. plus marks names as additions.
func columnLines(names []string, plus bool, width float64) []string {
	if len(names) == 0 {
		return nil
	}
	lead := ""
	if plus {
		lead = "+ "
	}
	lines := []string{lead + shorten(clean(names[0]), labelSize, width-textWidth(lead, labelSize))}
	for i, name := range names[1:] {
		left := len(names) - 1 - i
		more := fmt.Sprintf(" +%d more", left)
		last := &lines[len(lines)-1]
		name = shorten(clean(name), labelSize, width)
		with := *last + ", " + name
		reserve := 0.0
		if len(lines) == labelRows && left > 1 {
			reserve = textWidth(more, labelSize)
		}
		switch {
		case textWidth(with, labelSize)+reserve <= width:
			*last = with
		case len(lines) < labelRows:
			*last += ","
			lines = append(lines, name)
		default:
			*last += more
			return lines
		}
	}
	return lines
}
