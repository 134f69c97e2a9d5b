package models

import (
	"cmp"
	"slices"
)

// maxPartTokens bounds the tokens of one execution; beyond this size the matrix
// products gain nothing and activations leave the cache.
const maxPartTokens = 1024

// part is rows of similar length that run as one execution, padded to length.
type part struct {
	rows   []int
	length int
}

// plan cuts rows of the given lengths into parts for all callers. Rows are
// grouped by bucketed length; a part has a power of two of rows, so the shapes that
// occur are few and no row is padding. Longest parts come first, to finish together.
func (t *traits) plan(lengths []int, context, callers int) []part {
	byLength := map[int][]int{}
	total := 0
	for row, n := range lengths {
		if n == 0 {
			continue
		}
		bucket := t.bucketLength(n, context)
		byLength[bucket] = append(byLength[bucket], row)
		total += bucket
	}
	buckets := make([]int, 0, len(byLength))
	for bucket := range byLength {
		buckets = append(buckets, bucket)
	}
	slices.SortFunc(buckets, func(a, b int) int { return cmp.Compare(b, a) })

	share := min(maxPartTokens, (total+callers-1)/callers)
	var parts []part
	for _, length := range buckets {
		rows := byLength[length]
		for len(rows) > 0 {
			n := floorPowerOfTwo(min(len(rows), max(1, share/length)))
			parts = append(parts, part{rows: rows[:n], length: length})
			rows = rows[n:]
		}
	}
	return parts
}

// bucketLength rounds a length up to one of few, within the context.
func (t *traits) bucketLength(n, context int) int {
	return min(t.bucket(n), max(context, n))
}

// floorPowerOfTwo is the largest power of two not above n; 1 for n < 1.
func floorPowerOfTwo(n int) int {
	power := 1
	for 2*power <= n {
		power *= 2
	}
	return power
}
