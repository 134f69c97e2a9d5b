package cluster

import (
	"cmp"
	"slices"
)

// quotas says how many rows to pick from clusters of the given sizes, n in all or as
// many as there are: one from each cluster that is not empty as long as there are
// enough, the rest in proportion to the sizes, the largest remainders first. A cluster
// never gives more than it has; ties go to the larger cluster, then to the first.
func quotas(sizes []int, n int) []int {
	total, filled := 0, 0
	for _, size := range sizes {
		total += size
		filled += min(size, 1)
	}
	left := min(n, total)
	shared := max(0, left-filled) // beyond one for each
	quota := make([]int, len(sizes))
	for c, size := range sizes {
		if n >= filled && size > 0 {
			quota[c] = min(size, 1+shared*size/max(total, 1))
			left -= quota[c]
		}
	}
	// short is what a cluster's quota falls short of its share, times the total.
	short := func(c int) int { return shared*sizes[c] - (quota[c]-1)*total }
	for ; left > 0; left-- {
		best := -1
		for c, size := range sizes {
			if quota[c] == size {
				continue
			}
			if best < 0 || cmp.Or(cmp.Compare(short(c), short(best)), cmp.Compare(size, sizes[best])) > 0 {
				best = c
			}
		}
		quota[best]++
	}
	return quota
}

// referenceQuotas is what DUQGen's published code computes, but for quotas above the
// size of their cluster and below none, where it fails: 1 + floor((n-k)*size/total)
// from each of k clusters, and the rest one each from the largest. A rest of none tops
// up every cluster.
func referenceQuotas(sizes []int, n int) []int {
	total, k := 0, 0
	for _, size := range sizes {
		total += size
		k += min(size, 1)
	}
	quota := make([]int, len(sizes))
	var filled []int
	rest := n
	for c, size := range sizes {
		if size > 0 {
			quota[c] = 1 + floorDiv((n-k)*size, total)
			rest -= quota[c]
			filled = append(filled, c)
		}
	}
	if n != k {
		slices.SortStableFunc(filled, func(a, b int) int { return cmp.Compare(sizes[a], sizes[b]) })
		if rest > 0 && rest < len(filled) {
			filled = filled[len(filled)-rest:]
		}
		for _, c := range filled {
			quota[c]++
		}
	}
	for c, size := range sizes {
		quota[c] = max(0, min(quota[c], size))
	}
	return quota
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
