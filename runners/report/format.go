package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// grouped writes n with a comma before every third digit.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// counted is a number with its noun: 1 row, 12,480 rows.
func counted(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// percent writes a share with as many digits as tell it from nothing and from
// everything.
func percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(p) || math.IsInf(p, 0):
		return "–"
	case p == 0 || p == 100:
		return fmt.Sprintf("%.0f %%", p)
	case p < 0.01:
		return "< 0.01 %"
	case p < 1 || p > 99 && p < 100:
		return fmt.Sprintf("%.2f %%", p)
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	}
	return fmt.Sprintf("%.0f %%", p)
}

// oneDecimal writes a share so that a column of them lines up: 68.0 %.
func oneDecimal(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// tidyPercent writes a round share such as a false-positive rate: 5 %, 0.1 %.
func tidyPercent(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e8)/1e6, 'g', -1, 64) + " %"
}

func duration(seconds float64) string {
	switch {
	case math.IsNaN(seconds) || math.IsInf(seconds, 0) || seconds < 0:
		return "–"
	case seconds < 0.0995:
		return fmt.Sprintf("%.0f ms", seconds*1000)
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 59.5:
		return fmt.Sprintf("%.0f s", seconds)
	}
	s := int64(math.Round(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
}

// fileSize writes a number of bytes.
func fileSize(n int64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, 0
	for v >= 999.5 && unit < len(units)-1 {
		v, unit = v/1000, unit+1
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %cB", v, units[unit])
	}
	return fmt.Sprintf("%.0f %cB", v, units[unit])
}

// figure writes a metric's value in its unit.
func figure(v float64, unit string) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case unit == "1":
		return percent(v)
	case unit == "s":
		return duration(v)
	}
	return strings.TrimSpace(number(v) + " " + unit)
}

// number writes v with about four digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 1000 && a < 1e15, a < 1e15 && v == math.Trunc(v):
		return grouped(int64(math.Round(v)))
	case a >= 1e15, a < 1e-4:
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// perSecond is a rate of rows.
func perSecond(rows int64, seconds float64) string {
	if !(seconds > 0) {
		return "–"
	}
	rate := float64(rows) / seconds
	if rate < 10 {
		return fmt.Sprintf("%.1f rows/s", rate)
	}
	return grouped(int64(rate)) + " rows/s"
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
