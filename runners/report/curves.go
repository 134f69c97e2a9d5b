package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"penstock.dev/transforms"
)

// distribution draws how a score is distributed in the two classes. Each is
// scaled to its own total, so that a small class can be seen beside a large one.
// threshold is marked unless it is NaN.
func distribution(e transforms.ScoreEvaluation, threshold float64, label string) template.HTML {
	const width, height, bottom, top = 240, 92, 16, 4
	c := newCanvas(width, height, "chart", label)
	edges := e.HistEdges
	if len(edges) < 2 || len(e.HistPositive) != len(edges)-1 || len(e.HistNegative) != len(edges)-1 || !(edges[len(edges)-1] > edges[0]) || math.IsInf(edges[len(edges)-1]-edges[0], 0) {
		c.text("tick", width/2, height/2, "middle", "no figures")
		return c.done()
	}
	low, high := edges[0], edges[len(edges)-1]
	x := func(v float64) float64 { return (v - low) / (high - low) * width }
	floor := float64(height - bottom)
	most := max(peak(e.HistPositive), peak(e.HistNegative))
	for _, class := range []struct {
		name   string
		counts []int64
	}{{"negative", e.HistNegative}, {"positive", e.HistPositive}} {
		fmt.Fprintf(c, `<path class="%s" d="%s"/>`, class.name, steps(edges, class.counts, most, floor, top, x))
	}
	if threshold > low && threshold < high {
		c.line("threshold", x(threshold), top, x(threshold), floor)
	}
	c.line("axis", 0, floor, width, floor)
	for _, v := range ticks(low, high) {
		c.line("axis", x(v), floor, x(v), floor+3)
		c.text("tick", min(max(x(v), 10), width-10), height-3, "middle", number(v))
	}
	return c.done()
}

// ticks are at most seven round numbers between low and high, low < high.
func ticks(low, high float64) []float64 {
	step := math.Pow(10, math.Floor(math.Log10(high-low))-1)
	for _, factor := range []float64{2, 2.5, 2, 2} { // 2, 5, 10, 20 times
		if (high-low)/step <= 6 {
			break
		}
		step *= factor
	}
	var all []float64
	for k := math.Ceil(low / step); k*step <= high && len(all) < 7; k++ {
		all = append(all, k*step)
	}
	return all
}

// steps is the outline of a histogram, closed along the floor. The bins are
// equally wide in the chart only if they are in the score.
func steps(edges []float64, counts []int64, most, floor, top float64, x func(float64) float64) string {
	var total int64
	for _, n := range counts {
		total += n
	}
	if total == 0 || most == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "M%s %s", px(x(edges[0])), px(floor))
	last := floor
	for i, n := range counts {
		y := floor - float64(n)/float64(total)/most*(floor-top)
		if y != last {
			fmt.Fprintf(&b, "H%sV%s", px(x(edges[i])), px(y))
			last = y
		}
	}
	fmt.Fprintf(&b, "H%sV%sZ", px(x(edges[len(edges)-1])), px(floor))
	return b.String()
}

// peak is the share of the fullest bin.
func peak(counts []int64) float64 {
	var most, total int64
	for _, n := range counts {
		most, total = max(most, n), total+n
	}
	return float64(most) / float64(max(1, total))
}

// rocPlot draws a score's ROC curves, one for each group; the one of all rows is
// strong, the others are coloured by their place in groups.
func rocPlot(all []transforms.ScoreEvaluation, groups []string, label string) template.HTML {
	const width, height, left, bottom, top, right = 264, 230, 38, 30, 8, 8
	c := newCanvas(width, height, "chart roc", label)
	x := func(v float64) float64 { return left + v*(width-left-right) }
	y := func(v float64) float64 { return height - bottom - v*(height-bottom-top) }
	for _, v := range []float64{0, 0.25, 0.5, 0.75, 1} {
		c.line("mesh", x(v), y(0), x(v), y(1))
		c.line("mesh", x(0), y(v), x(1), y(v))
	}
	for _, v := range []float64{0, 0.5, 1} {
		c.text("tick", x(v), y(0)+12, "middle", number(v))
		c.text("tick", x(0)-4, y(v)+4, "end", number(v))
	}
	c.text("tick", x(0.5), height-4, "middle", "false-positive rate")
	fmt.Fprintf(c, `<text class="tick" transform="translate(10 %s) rotate(-90)" text-anchor="middle">true-positive rate</text>`, px(y(0.5)))
	c.line("chance", x(0), y(0), x(1), y(1))
	for k := len(groups) - 1; k >= 0; k-- { // the first group, all rows, on top
		for _, e := range all {
			if e.Group != groups[k] || len(e.ROC) == 0 {
				continue
			}
			fmt.Fprintf(c, `<path class="curve %s" data-group="%d" d="%s"><title>%s</title></path>`, swatch(groups, k), k, rocPath(e.ROC, x, y),
				template.HTMLEscapeString(fmt.Sprintf("%s, %s: AUROC %s", groupName(e.Group), e.Score, auroc(e))))
		}
	}
	return c.done()
}

// rocPath draws a curve with no more points than can be seen.
func rocPath(curve []transforms.Point, x, y func(float64) float64) string {
	points := make([]transforms.Point, 0, len(curve))
	for _, p := range curve {
		q := transforms.Point{FPR: math.Round(x(p.FPR)*2) / 2, TPR: math.Round(y(p.TPR)*2) / 2}
		if len(points) == 0 || points[len(points)-1] != q {
			points = append(points, q)
		}
	}
	var b strings.Builder
	for i, p := range simplify(points, 0.4) {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(px(p.FPR) + " " + px(p.TPR))
	}
	return b.String()
}

// simplify leaves out points that lie within tolerance of the line through the
// ones kept (Douglas and Peucker 1973).
func simplify(points []transforms.Point, tolerance float64) []transforms.Point {
	if len(points) < 3 {
		return points
	}
	a, b := points[0], points[len(points)-1]
	dx, dy := b.FPR-a.FPR, b.TPR-a.TPR
	length := math.Hypot(dx, dy)
	far, at := 0.0, 0
	for i, p := range points[1 : len(points)-1] {
		d := math.Hypot(p.FPR-a.FPR, p.TPR-a.TPR)
		if length > 0 {
			d = math.Abs(dx*(p.TPR-a.TPR)-dy*(p.FPR-a.FPR)) / length
		}
		if d > far {
			far, at = d, i+1
		}
	}
	if far <= tolerance {
		return []transforms.Point{a, b}
	}
	left := simplify(points[:at+1], tolerance)
	return append(left[:len(left)-1:len(left)-1], simplify(points[at:], tolerance)...)
}

// whisker draws an interval of AUROC on an axis from lowest to 1.
func whisker(e transforms.ScoreEvaluation, lowest float64) template.HTML {
	const width, height, middle = 96, 14, 7
	c := newCanvas(width, height, "whisker", "AUROC "+auroc(e))
	x := func(v float64) float64 { return 3 + (min(1, max(lowest, v))-lowest)/(1-lowest)*(width-6) }
	c.line("axis", x(lowest), middle, x(1), middle)
	c.line("interval", x(e.AUROCLow), middle, x(e.AUROCHigh), middle)
	c.rect("value", x(e.AUROC)-1.5, 2, 3, height-4, "")
	return c.done()
}

// swatch is the class that gives a group its colour: all rows are apart, the
// others take turns.
func swatch(groups []string, k int) string {
	const colours = 10
	if groups[k] == "" {
		return "all"
	}
	if groups[0] == "" {
		k--
	}
	class := fmt.Sprintf("c%d", k%colours)
	if k >= colours {
		class += " dashed"
	}
	return class
}
