package roc

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// normal returns n normal scores, rounded to a step when it is above 0.
func normal(seed uint64, n int, mean, step float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 5))
	x := make([]float64, n)
	for i := range x {
		if x[i] = mean + random.NormFloat64(); step > 0 {
			x[i] = math.Round(x[i]/step) * step
		}
	}
	return x
}

func TestNewRefuses(t *testing.T) {
	good := []float64{1, 2}
	for _, c := range []struct {
		name     string
		pos, neg []float64
		text     string
	}{
		{"no positives", nil, good, "no positive scores"},
		{"no negatives", good, []float64{}, "no negative scores"},
		{"NaN", []float64{0, math.NaN()}, good, "positive score 1 is NaN"},
		{"infinity", good, []float64{math.Inf(-1)}, "negative score 0 is -Inf"},
	} {
		if _, err := New(c.pos, c.neg); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.text)
		}
	}
	unsorted := []float64{3, 1, 2}
	newScores(t, unsorted, good)
	if !slices.Equal(unsorted, []float64{3, 1, 2}) {
		t.Error("New sorted its argument")
	}
}

func TestExactAreas(t *testing.T) {
	for _, c := range []struct {
		pos, neg []float64
		want     float64
	}{
		{[]float64{1}, []float64{0}, 1},
		{[]float64{0}, []float64{1}, 0},
		{[]float64{0, 0}, []float64{0, 0, 0}, 0.5},
		{[]float64{1, 2}, []float64{1}, 0.75},
		{[]float64{0.1, 0.4, 0.35, 0.8}, []float64{0.3, 0.4}, 4.5 / 8},
	} {
		got, err := AUROC(c.pos, c.neg)
		if err != nil || got != c.want {
			t.Errorf("AUROC(%v, %v) = %v, %v; want %v", c.pos, c.neg, got, err, c.want)
		}
	}
}

func TestSwappingClassesMirrorsTheArea(t *testing.T) {
	pos, neg := normal(1, 70, 0.6, 0.25), normal(2, 110, 0, 0.25)
	there, back := newScores(t, pos, neg).DeLong(), newScores(t, neg, pos).DeLong()
	near(t, "AUROC", back.AUROC, 1-there.AUROC)
	near(t, "variance", back.Variance, there.Variance)
	near(t, "low", back.Low, 1-there.High)
	near(t, "high", back.High, 1-there.Low)
}

func TestIncreasingMapLeavesRanksUnchanged(t *testing.T) {
	pos, neg := normal(3, 60, 1, 0.1), normal(4, 60, 0, 0.1)
	mapped := func(x []float64) []float64 {
		y := make([]float64, len(x))
		for i := range x {
			y[i] = math.Exp(x[i])
		}
		return y
	}
	a, b := newScores(t, pos, neg), newScores(t, mapped(pos), mapped(neg))
	if a.DeLong() != b.DeLong() || a.AveragePrecision() != b.AveragePrecision() || !slices.Equal(a.Curve(), b.Curve()) {
		t.Error("an increasing map of the scores changed the area, precision or curve")
	}
}

func TestIntervalWithoutVariance(t *testing.T) {
	// Wilson's interval of 10 in 10 is 0.7225 to 1, of 5 in 10 0.2366 to 0.7634.
	separated := newScores(t, normal(1, 10, 100, 0), normal(2, 30, 0, 0)).DeLong()
	if separated.AUROC != 1 || separated.Variance != 0 || math.Abs(separated.Low-0.7225) > 5e-5 || separated.High != 1 {
		t.Errorf("separated: %+v", separated)
	}
	equal := newScores(t, make([]float64, 10), make([]float64, 30)).DeLong()
	if equal.AUROC != 0.5 || equal.Variance != 0 || math.Abs(equal.Low-0.2366) > 5e-5 || math.Abs(equal.High-0.7634) > 5e-5 {
		t.Errorf("equal: %+v", equal)
	}
	single := newScores(t, []float64{0.5}, []float64{0, 1, 2}).DeLong()
	if !(single.Low >= 0 && single.Low < 0.1 && single.High > 0.8 && single.High <= 1) {
		t.Errorf("a single positive row: %+v", single)
	}
}

func TestThresholdNeverExceedsItsRate(t *testing.T) {
	for seed := range uint64(60) {
		neg := normal(seed, 5+int(seed)*7, 0, []float64{0, 0.2, 1}[seed%3])
		for _, fpr := range []float64{0.001, 0.01, 0.05, 0.1, 1. / 3, 0.5, 0.9, 0.999} {
			threshold, reachable, err := Threshold(neg, fpr)
			if err != nil {
				t.Fatal(err)
			}
			above, notBelow := 0, 0
			for _, v := range neg {
				if v > threshold {
					above++
				}
				if v >= threshold {
					notBelow++
				}
			}
			allowed := fpr*float64(len(neg)) + 1e-9
			if float64(above) > allowed {
				t.Errorf("%d of %d above the threshold for %g", above, len(neg), fpr)
			}
			if float64(notBelow) <= allowed && fpr < 0.9 {
				t.Errorf("a lower threshold would do for %g of %d", fpr, len(neg))
			}
			if reachable != (1/float64(len(neg)) <= fpr) {
				t.Errorf("reachable is %t for %g with n = %d", reachable, fpr, len(neg))
			}
		}
	}
}

func TestThresholdCountsExactly(t *testing.T) {
	// 0.29·100 is 28.999… in floating point; 29 rows are meant.
	ascending := make([]float64, 100)
	for i := range ascending {
		ascending[i] = float64(i)
	}
	for _, c := range []struct {
		fpr  float64
		want float64
	}{{0.29, 70}, {0.07, 92}, {0.01, 98}, {0.0099, 99}, {0.5, 49}} {
		if got, _, _ := Threshold(ascending, c.fpr); got != c.want {
			t.Errorf("threshold for %g is %g, want %g", c.fpr, got, c.want)
		}
	}
	for _, fpr := range []float64{0, 1, -0.1, 1.5, math.NaN()} {
		if _, _, err := Threshold(ascending, fpr); err == nil {
			t.Errorf("rate %g is accepted", fpr)
		}
		if _, err := newScores(t, ascending, ascending).TPRAt(fpr); err == nil {
			t.Errorf("rate %g is accepted", fpr)
		}
	}
}

func TestTPRRisesWithTheRate(t *testing.T) {
	s := newScores(t, normal(8, 90, 1, 0.3), normal(9, 90, 0, 0.3))
	before := TargetPoint{OperatingPoint: OperatingPoint{Threshold: math.Inf(1)}}
	for fpr := 0.005; fpr < 1; fpr += 0.005 {
		point, err := s.TPRAt(fpr)
		if err != nil {
			t.Fatal(err)
		}
		if point.TPR.Value < before.TPR.Value || point.FPR.Value < before.FPR.Value || point.Threshold > before.Threshold {
			t.Fatalf("at %g: %+v after %+v", fpr, point, before)
		}
		for _, p := range []Proportion{point.TPR, point.FPR} {
			if !(0 <= p.Low && p.Low <= p.Value && p.Value <= p.High && p.High <= 1) {
				t.Fatalf("interval out of order: %+v", p)
			}
		}
		before = point
	}
}

func TestClopperPearsonRefuses(t *testing.T) {
	for _, c := range []struct {
		k, n       int
		confidence float64
	}{{1, 0, 0.95}, {-1, 5, 0.95}, {6, 5, 0.95}, {1, 5, 0}, {1, 5, 1}, {1, 5, math.NaN()}} {
		if _, _, err := ClopperPearson(c.k, c.n, c.confidence); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestThinnedCurveKeepsItsEnvelope(t *testing.T) {
	for _, n := range []int{1000, 20000} {
		s := newScores(t, normal(20, n, 0.8, 0), normal(21, n, 0, 0))
		points := s.Curve()
		if len(points) > MaxCurvePoints || len(points) < MaxCurvePoints/2 {
			t.Fatalf("%d points", len(points))
		}
		if points[0] != (Point{0, 0}) || points[len(points)-1] != (Point{1, 1}) {
			t.Errorf("the curve runs from %v to %v", points[0], points[len(points)-1])
		}
		kept := map[Point]bool{}
		for _, p := range points {
			kept[p] = true
		}
		full := append([]step{{0, 0}}, s.steps()...)
		for _, i := range envelope(full) {
			p := Point{float64(full[i].negatives) / float64(n), float64(full[i].positives) / float64(n)}
			if !kept[p] {
				t.Errorf("n = %d: corner %v of the envelope is missing", n, p)
			}
		}
		for _, k := range full {
			if d := distance(points, Point{float64(k.negatives) / float64(n), float64(k.positives) / float64(n)}); d > 0.005 {
				t.Fatalf("n = %d: a point of the curve is %g away from the drawn one", n, d)
			}
		}
	}
}

func TestAreaUnderAnUnthinnedCurveIsTheAUROC(t *testing.T) {
	s := newScores(t, normal(30, 90, 0.5, 0.2), normal(31, 40, 0, 0.2))
	points, area := s.Curve(), 0.0
	for i := 1; i < len(points); i++ {
		area += (points[i].FPR - points[i-1].FPR) * (points[i].TPR + points[i-1].TPR) / 2
	}
	near(t, "trapezoids", area, s.AUROC())
}

func TestHistogram(t *testing.T) {
	outlier := append(normal(40, 200, 0, 0), 1e12)
	for _, c := range []struct {
		name      string
		pos, neg  []float64
		bins      [2]int
		outside   [2]int
		rightmost float64
	}{
		{"two normals", normal(41, 200, 2, 0), normal(42, 200, 0, 0), [2]int{10, 40}, [2]int{0, 0}, 6},
		{"an outlier", outlier, normal(42, 200, 0, 0), [2]int{8, 40}, [2]int{1, 3}, 10},
		{"all equal", []float64{2, 2}, []float64{2}, [2]int{1, 1}, [2]int{0, 0}, 2.5},
		{"two values", []float64{1, 1, 1, 0}, []float64{0, 0, 0, 0, 1}, [2]int{5, 40}, [2]int{0, 0}, 1},
		{"neighbouring floats", []float64{1}, []float64{math.Nextafter(1, 2)}, [2]int{1, 1}, [2]int{0, 0}, 1.1},
		{"the whole range", []float64{-math.MaxFloat64, 0}, []float64{math.MaxFloat64, 0}, [2]int{5, 40}, [2]int{0, 0}, math.MaxFloat64},
		{"the greatest float", []float64{math.MaxFloat64}, []float64{math.MaxFloat64}, [2]int{1, 1}, [2]int{0, 0}, math.MaxFloat64},
	} {
		h := newScores(t, c.pos, c.neg).Histogram()
		checkHistogram(t, h, len(c.pos), len(c.neg))
		if n := len(h.Positive); n < c.bins[0] || n > c.bins[1] {
			t.Errorf("%s: %d bins, want %v", c.name, n, c.bins)
		}
		if h.Outside < c.outside[0] || h.Outside > c.outside[1] {
			t.Errorf("%s: %d outside, want %v", c.name, h.Outside, c.outside)
		}
		if last := h.Edges[len(h.Edges)-1]; last > c.rightmost {
			t.Errorf("%s: the last edge is %g, want at most %g", c.name, last, c.rightmost)
		}
	}
}

func TestHistogramPutsEdgesIntoTheUpperBin(t *testing.T) {
	h := Histogram{Edges: []float64{0, 1, 2}}
	bins := make([]int, 2)
	if outside := h.count(bins, []float64{-1, 0, 0.5, 1, 2, 3}); outside != 2 || bins[0] != 3 || bins[1] != 3 {
		t.Errorf("counts %v with %d outside, want [3 3] with 2", bins, outside)
	}
}

func checkHistogram(t *testing.T, h Histogram, positives, negatives int) {
	t.Helper()
	total := func(bins []int) (sum int) {
		for _, n := range bins {
			sum += n
		}
		return sum
	}
	if total(h.Positive) != positives || total(h.Negative) != negatives {
		t.Errorf("%d and %d rows counted, want %d and %d", total(h.Positive), total(h.Negative), positives, negatives)
	}
	if len(h.Positive) > MaxBins || len(h.Edges) != len(h.Positive)+1 || len(h.Negative) != len(h.Positive) {
		t.Errorf("%d edges, %d and %d bins", len(h.Edges), len(h.Positive), len(h.Negative))
	}
	for i, edge := range h.Edges {
		if math.IsNaN(edge) || math.IsInf(edge, 0) || i > 0 && edge <= h.Edges[i-1] {
			t.Errorf("edges %v do not ascend", h.Edges)
			return
		}
	}
}

func FuzzEverythingIsFinite(f *testing.F) {
	add := func(split uint8, scores ...float64) {
		var bits []byte
		for _, v := range scores {
			bits = binary.LittleEndian.AppendUint64(bits, math.Float64bits(v))
		}
		f.Add(bits, split, 0.05)
	}
	add(2, 1, 2, 3, 4)
	add(1, -math.MaxFloat64, math.MaxFloat64, 0, 5e-324)
	add(3, 1, 1, 1, 1, 1, math.Nextafter(1, 2))
	f.Fuzz(func(t *testing.T, bits []byte, split uint8, fpr float64) {
		var scores []float64
		for ; len(bits) >= 8 && len(scores) < 100; bits = bits[8:] {
			scores = append(scores, math.Float64frombits(binary.LittleEndian.Uint64(bits)))
		}
		at := min(int(split), len(scores))
		s, err := New(scores[:at], scores[at:])
		if err != nil {
			return
		}
		area := s.DeLong()
		if !(0 <= area.Low && area.Low <= area.AUROC && area.AUROC <= area.High && area.High <= 1) || !(area.Variance >= 0) {
			t.Errorf("%+v", area)
		}
		if ap := s.AveragePrecision(); !(ap > 0 && ap <= 1) {
			t.Errorf("average precision %g", ap)
		}
		for i, p := range s.Curve() {
			if !(0 <= p.FPR && p.FPR <= 1 && 0 <= p.TPR && p.TPR <= 1) {
				t.Errorf("point %d is %v", i, p)
			}
		}
		checkHistogram(t, s.Histogram(), at, len(scores)-at)
		if point, err := s.TPRAt(fpr); err == nil && point.FPR.Value > fpr+1e-9 {
			t.Errorf("%+v for %g", point, fpr)
		}
	})
}

func ExampleScores_TPRAt() {
	machine := []float64{0.4, 0.9, 1.3, 1.1, 0.7, 1.6}
	human := []float64{0.1, 0.5, 0.2, 0.8, 0.3, 0.2, 0.4, 0.1, 0.0, 0.3}
	scores, err := New(machine, human)
	if err != nil {
		fmt.Println(err)
		return
	}
	point, err := scores.TPRAt(0.1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("flag above %.1f: %d of %d machine, %d of %d human (95%% interval %.3f to %.3f)\n", point.Threshold,
		point.TPR.Count, point.TPR.Total, point.FPR.Count, point.FPR.Total, point.FPR.Low, point.FPR.High)
	point, _ = scores.TPRAt(0.01)
	fmt.Println("1 % reachable with 10 rows:", point.Reachable)
	// Output:
	// flag above 0.5: 5 of 6 machine, 1 of 10 human (95% interval 0.003 to 0.445)
	// 1 % reachable with 10 rows: false
}

func BenchmarkDeLong(b *testing.B) {
	s := newScores(b, normal(1, 100_000, 1, 0), normal(2, 100_000, 0, 0))
	for b.Loop() {
		s.DeLong()
	}
}

func BenchmarkCurve(b *testing.B) {
	s := newScores(b, normal(1, 100_000, 1, 0), normal(2, 100_000, 0, 0))
	for b.Loop() {
		s.Curve()
	}
}
