package progress

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const barWidth = 16

// part is a piece of the line. Pieces of low rank are the first to go when the
// terminal is narrow.
type part struct {
	text string
	rank int
}

// format makes a line of at most width columns.
func format(s Snapshot, rate float64, left time.Duration, known bool, width int) string {
	return fit(parts(s, rate, left, known), width)
}

func parts(s Snapshot, rate float64, left time.Duration, known bool) []part {
	rows := thousands(s.Rows) + " rows"
	var out []part
	if s.Expected > 0 {
		share := min(1, float64(s.Rows)/float64(s.Expected))
		full := int(share * barWidth)
		out = append(out,
			part{strings.Repeat("█", full) + strings.Repeat("░", barWidth-full), 1},
			part{fmt.Sprintf("%d %%", int(share*100)), 8})
		rows = thousands(s.Rows) + " of " + thousands(s.Expected) + " rows"
	}
	out = append(out, part{rows, 9}, part{perSecond(rate), 6})
	if s.Rejected > 0 {
		out = append(out, part{thousands(s.Rejected) + " rejected", 5})
	}
	if !math.IsNaN(s.BatchFill) {
		out = append(out, part{fmt.Sprintf("fill %.0f %%", 100*s.BatchFill), 3})
	}
	if known {
		out = append(out, part{short(left) + " left", 7})
	} else {
		out = append(out, part{short(s.Elapsed.Truncate(time.Second)), 4})
	}
	if s.Busiest != "" {
		out = append(out, part{"slowest " + printable(s.Busiest), 2})
	}
	return out
}

// fit joins the parts, without those for which there is no room.
func fit(parts []part, width int) string {
	const gap = "  "
	for {
		total, lowest := 0, 0
		for i, p := range parts {
			total += columns(p.text)
			if i > 0 {
				total += len(gap)
			}
			if p.rank < parts[lowest].rank {
				lowest = i
			}
		}
		if total <= width || len(parts) == 0 {
			break
		}
		parts = append(parts[:lowest:lowest], parts[lowest+1:]...)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.text
	}
	return strings.Join(texts, gap)
}

// columns is the width of s on a terminal, or somewhat more.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if n++; r >= 0x1100 && r != '█' && r != '░' {
			n++
		}
	}
	return n
}

// printable replaces what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func perSecond(rate float64) string {
	switch {
	case rate >= 10:
		return thousands(int64(rate)) + " rows/s"
	case rate > 0:
		return fmt.Sprintf("%.1f rows/s", rate)
	}
	return "0 rows/s"
}

// short writes a duration without the zeros of time.Duration: 2h5m, 1m20s, 8s.
func short(d time.Duration) string {
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h > 0:
		return fmt.Sprintf("%dh%02dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%02ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
