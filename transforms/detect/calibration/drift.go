package calibration

import "math"

// Drift watches whether the rows that look human still look like the human
// references.
//
// Who wrote a live row is not known, so the rows that may be machines are left
// out: of the rows less machine-like than the references' median (p-value above
// 0.5), and of the references below the median, the distributions are compared by
// the statistic of Kolmogorov and Smirnov. It finds a change of shape or of place
// within that half. It cannot find a change that only moves rows across the
// median, for more machines look the same.
type Drift struct {
	references int
	counts     []int64 // of live rows by rank, for ranks in the human half
	rows       int64
}

// NewDrift watches a group.
func NewDrift(g *Group) *Drift {
	n := len(g.Human)
	return &Drift{references: n, counts: make([]int64, n+1)}
}

// Add takes a live row's Verdict.Rank: how many references are at least as
// machine-like.
func (d *Drift) Add(rank int) {
	if 2*rank > d.references {
		d.counts[rank]++
		d.rows++
	}
}

// Distance is the statistic, the greatest difference of the two distribution
// functions, with the bound that chance exceeds once in a hundred times
// (asymptotic two-sample form; Smirnov 1948). ok is false when there are too few
// rows, fewer than 20 on a side, to tell.
func (d *Drift) Distance() (distance, bound float64, ok bool) {
	first := d.references/2 + 1 // ranks of the human half: first … references
	half := d.references - first + 1
	if d.rows < 20 || half < 20 {
		return 0, 0, false
	}
	var live int64
	for rank := first; rank <= d.references; rank++ {
		live += d.counts[rank]
		share := float64(live) / float64(d.rows)
		// Of the half references, those of rank first … rank are passed.
		distance = max(distance, math.Abs(share-float64(rank-first+1)/float64(half)))
	}
	n, m := float64(d.rows), float64(half)
	return distance, 1.6276 * math.Sqrt((n+m)/(n*m)), true
}
