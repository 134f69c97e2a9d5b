package calibration

import "math"

// Drift watches whether live rows could still come from what the references came
// from.
//
// Who wrote a live row is not known. Where there are machine references, the live
// statistics are compared with the mixture of human and machine references that is
// nearest to them, whatever its proportion: only what no mixture explains is a
// drift. Where there are none, the rows less machine-like than the median of the
// human references are compared with the references below it; then many machine
// rows look like a drift too. Either way, humans who have come to look like the
// machine references are not told from machines: a calibration is to be renewed
// with labelled rows from time to time.
type Drift struct {
	counts   []int64 // of live rows by rank: how many human references are at least as high
	machines []int64 // of the machine references, likewise; nil if there are none
}

// NewDrift watches a group.
func NewDrift(g *Group) *Drift {
	d := &Drift{counts: make([]int64, len(g.Human)+1)}
	if len(g.Machine) > 0 {
		d.machines = make([]int64, len(d.counts))
		for _, x := range g.Machine {
			d.machines[atLeast(g.Human, x)]++
		}
	}
	return d
}

// Add takes a live row's Verdict.Rank.
func (d *Drift) Add(rank int) { d.counts[rank]++ }

// leastRows is how many rows each side of a comparison needs.
const leastRows = 20

// Distance is the greatest difference of the two distribution functions (the
// statistic of Kolmogorov and Smirnov), with the bound that chance exceeds once in
// a hundred times (two-sample form, Smirnov 1948; conservative for the nearest
// mixture, whose proportion is fitted). ok is false when there are too few rows to
// tell.
func (d *Drift) Distance() (distance, bound float64, ok bool) {
	references := len(d.counts) - 1
	if d.machines != nil {
		live, n := cumulative(d.counts, 0)
		machine, m := cumulative(d.machines, 0)
		human := uniform(references, 0)
		if n < leastRows || m < leastRows || references < leastRows {
			return 0, 0, false
		}
		return nearestMixture(live, human, machine), smirnov(n, min(m, float64(references))), true
	}
	first := references/2 + 1 // ranks of the half that looks human
	live, n := cumulative(d.counts, first)
	half := references - first + 1
	if n < leastRows || half < leastRows {
		return 0, 0, false
	}
	return greatest(live, uniform(references, first)), smirnov(n, float64(half)), true
}

// smirnov is the 0.99 quantile of the two-sample statistic for n and m rows.
func smirnov(n, m float64) float64 { return 1.6276 * math.Sqrt((n+m)/(n*m)) }

// cumulative are the shares of rows up to each rank from first on, and how many
// rows those are.
func cumulative(counts []int64, first int) (shares []float64, rows float64) {
	for _, c := range counts[first:] {
		rows += float64(c)
		shares = append(shares, rows)
	}
	for i := range shares {
		shares[i] /= max(rows, 1)
	}
	return shares, rows
}

// uniform is cumulative of the human references themselves: one at each rank from
// 1 on.
func uniform(references, first int) []float64 {
	counts := make([]int64, references+1)
	for rank := 1; rank <= references; rank++ {
		counts[rank] = 1
	}
	shares, _ := cumulative(counts, first)
	return shares
}

func greatest(a, b []float64) (distance float64) {
	for i := range a {
		distance = max(distance, math.Abs(a[i]-b[i]))
	}
	return distance
}

// nearestMixture is the smallest distance to (1-π) human + π machine over the
// proportions π, in steps of a hundredth.
func nearestMixture(live, human, machine []float64) float64 {
	best := math.Inf(1)
	mixture := make([]float64, len(live))
	for step := range 101 {
		p := float64(step) / 100
		for i := range mixture {
			mixture[i] = (1-p)*human[i] + p*machine[i]
		}
		best = min(best, greatest(live, mixture))
	}
	return best
}
