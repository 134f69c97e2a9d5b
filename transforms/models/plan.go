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

// plan cuts rows of the given lengths into parts for a number of cores. Rows are
// grouped by bucketed length; a part has a power of two of rows, so the shapes that
// occur are few and no row is padding. Longest parts come first, to finish together.
func plan(lengths []int, context, cores int) []part {
	byLength := map[int][]int{}
	total := 0
	for row, n := range lengths {
		if n == 0 {
			continue
		}
		bucket := bucketLength(n, context)
		byLength[bucket] = append(byLength[bucket], row)
		total += bucket
	}
	buckets := make([]int, 0, len(byLength))
	for bucket := range byLength {
		buckets = append(buckets, bucket)
	}
	slices.SortFunc(buckets, func(a, b int) int { return cmp.Compare(b, a) })

	share := min(maxPartTokens, (total+cores-1)/cores)
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

// bucketLength rounds a length up to a multiple of a quarter of the power of two
// below it (16 at least), so at most a fifth of a row is padding.
func bucketLength(n, context int) int {
	step := max(16, floorPowerOfTwo(n-1)/4)
	return min((n+step-1)/step*step, max(context, n))
}

// floorPowerOfTwo is the largest power of two not above n; 1 for n < 1.
func floorPowerOfTwo(n int) int {
	power := 1
	for 2*power <= n {
		power *= 2
	}
	return power
}
