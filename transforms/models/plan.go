package models

import (
	"cmp"
	"slices"
)

// part is rows of similar length that run as one execution of height rows, padded to
// length.
type part struct {
	rows   []int
	height int
	length int
}

// plan cuts rows of the given lengths into parts for all callers. A part takes the
// longest rows that are left, as long as they are near enough in length, and has one of
// few heights: the shapes that occur are few. Longest parts come first, to finish
// together.
func (t *traits) plan(lengths []int, context, callers int) []part {
	var left []int
	total := 0
	for row, n := range lengths {
		if n > 0 {
			left = append(left, row)
			total += t.bucketLength(n, context)
		}
	}
	slices.SortStableFunc(left, func(a, b int) int { return cmp.Compare(lengths[b], lengths[a]) })

	share := t.share(total, callers)
	var parts []part
	for len(left) > 0 {
		length := t.bucketLength(lengths[left[0]], context)
		most := min(len(left), max(1, share/length))
		near := 1
		for near < most && t.joins(lengths[left[near]], length) {
			near++
		}
		height := t.height(near, max(1, share/length))
		n := min(near, height)
		parts = append(parts, part{rows: left[:n], height: height, length: length})
		left = left[n:]
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
