package roc

import (
	"container/heap"
	"math"
)

// MaxCurvePoints is the most points that Curve returns.
const MaxCurvePoints = 200

// Point is one point of the curve, both rates in [0, 1].
type Point struct{ FPR, TPR float64 }

// Curve returns the curve from (0, 0) to (1, 1), to be joined by straight lines;
// a tie between the classes is a slanted line.
//
// Points on a line between their neighbours are left out. Should more than
// MaxCurvePoints remain, the corners of the curve's upper convex envelope are
// kept first, then the points farthest from what is kept, so that the envelope
// is that of the whole curve and the rest differs by less than a plot shows.
func (s *Scores) Curve() []Point {
	corners := []step{{0, 0}}
	for _, next := range s.steps() {
		for len(corners) >= 2 && turn(corners[len(corners)-2], corners[len(corners)-1], next) == 0 {
			corners = corners[:len(corners)-1]
		}
		corners = append(corners, next)
	}
	if len(corners) > MaxCurvePoints {
		corners = thin(corners, MaxCurvePoints)
	}
	points := make([]Point, len(corners))
	for i, c := range corners {
		points[i] = Point{
			FPR: float64(c.negatives) / float64(len(s.neg)),
			TPR: float64(c.positives) / float64(len(s.pos)),
		}
	}
	return points
}

// AveragePrecision returns Σ (R[k] - R[k-1])·P[k] over the distinct scores from
// the highest down, with R the recall and P the precision: the area under the
// precision-recall curve without interpolation.
func (s *Scores) AveragePrecision() float64 {
	sum, before := 0.0, 0
	for _, k := range s.steps() {
		precision := float64(k.positives) / float64(k.positives+k.negatives)
		sum += float64(k.positives-before) * precision
		before = k.positives
	}
	return sum / float64(len(s.pos))
}

// turn is positive when a, b, c bend to the left, with negatives to the right
// and positives upwards, 0 when they lie on a line.
func turn(a, b, c step) int {
	return (b.negatives-a.negatives)*(c.positives-a.positives) - (b.positives-a.positives)*(c.negatives-a.negatives)
}

// thin keeps limit of the corners: both ends, those of the upper envelope, and
// then by Douglas and Peucker's rule the one farthest from the kept line.
func thin(corners []step, limit int) []step {
	keep := envelope(corners)
	if len(keep) > limit {
		keep = []int{0, len(corners) - 1} // an envelope this rich is smooth: any chord is close to it
	}
	kept := make([]bool, len(corners))
	var gaps gapHeap
	for i, corner := range keep {
		kept[corner] = true
		if i > 0 {
			gaps.add(corners, keep[i-1], corner)
		}
	}
	for count := len(keep); count < limit && len(gaps) > 0; count++ {
		widest := heap.Pop(&gaps).(gap)
		kept[widest.farthest] = true
		gaps.add(corners, widest.from, widest.farthest)
		gaps.add(corners, widest.farthest, widest.to)
	}
	thinned := make([]step, 0, limit)
	for i, corner := range corners {
		if kept[i] {
			thinned = append(thinned, corner)
		}
	}
	return thinned
}

// envelope returns the indices of the corners on the upper convex hull.
func envelope(corners []step) []int {
	var hull []int
	for i := range corners {
		for len(hull) >= 2 && turn(corners[hull[len(hull)-2]], corners[hull[len(hull)-1]], corners[i]) >= 0 {
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, i)
	}
	return hull
}

// gap is a stretch of the curve between two kept corners.
type gap struct {
	from, to, farthest int
	distance           float64 // of the farthest corner from the chord
}

// gapHeap has the gap of the greatest distance on top, the leftmost of equals.
type gapHeap []gap

// add pushes the gap between two corners unless nothing lies between them.
func (h *gapHeap) add(corners []step, from, to int) {
	if to-from < 2 {
		return
	}
	g := gap{from: from, to: to, distance: -1}
	a, b := corners[from], corners[to]
	// Distances in the unit square, so that neither class's size matters.
	last := corners[len(corners)-1]
	length := math.Hypot(float64(b.negatives-a.negatives)/float64(last.negatives), float64(b.positives-a.positives)/float64(last.positives))
	area := float64(last.negatives) * float64(last.positives)
	for i := from + 1; i < to; i++ {
		if d := math.Abs(float64(turn(a, corners[i], b))) / (area * length); d > g.distance {
			g.farthest, g.distance = i, d
		}
	}
	heap.Push(h, g)
}

func (h gapHeap) Len() int { return len(h) }
func (h gapHeap) Less(i, j int) bool {
	if h[i].distance != h[j].distance {
		return h[i].distance > h[j].distance
	}
	return h[i].from < h[j].from
}
func (h gapHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *gapHeap) Push(x any)   { *h = append(*h, x.(gap)) }
func (h *gapHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
