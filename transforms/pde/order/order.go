package order

import (
	"math"

	"penstock.dev/transforms/pde/field"
)

// Greedy orders points: the first is points[0], and each that follows is the nearest
// of those left; among equally near ones the one that comes first. A point whose
// distances are NaN comes after the others. It takes len(points)²/2 distances.
func Greedy(points [][]float64) []int {
	if len(points) == 0 {
		return nil
	}
	left := make([]int, len(points)-1)
	for i := range left {
		left[i] = i + 1
	}
	order := append(make([]int, 0, len(points)), 0)
	for len(left) > 0 {
		from := points[order[len(order)-1]]
		best, nearest := 0, math.Inf(1)
		for k, i := range left {
			if d := squared(from, points[i], nearest); d < nearest {
				best, nearest = k, d
			}
		}
		order = append(order, left[best])
		left = append(left[:best], left[best+1:]...)
	}
	return order
}

// squared is the squared distance, or anything not below limit once it is as much.
func squared(a, b []float64, limit float64) float64 {
	const step = 64
	sum := 0.0
	for len(a) > step {
		sum += part(a[:step], b)
		if sum >= limit {
			return sum
		}
		a, b = a[step:], b[step:]
	}
	return sum + part(a, b)
}

func part(a, b []float64) float64 {
	b = b[:len(a)]
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += d * d
	}
	return sum
}

// Chunks divides n systems into ranges of size, the last perhaps shorter. They depend
// on n and size alone, so what is carried along a chunk is the same whoever works
// on it.
func Chunks(n, size int) [][2]int {
	var chunks [][2]int
	for from := 0; from < n; from += size {
		chunks = append(chunks, [2]int{from, min(from+size, n)})
	}
	return chunks
}

// Blocked orders each of the Chunks of size on its own, and keeps the chunks in order.
func Blocked(points [][]float64, size int) []int {
	var order []int
	for _, c := range Chunks(len(points), size) {
		for _, i := range Greedy(points[c[0]:c[1]]) {
			order = append(order, c[0]+i)
		}
	}
	return order
}

// LowFrequencies are the first cosine coefficients of a field of a shape, at most
// count along each extent: the distance of two fields' is that of the fields without
// their finer parts, over the square root of the number of values.
func LowFrequencies(values []float64, shape []int, count int) []float64 {
	all := append([]float64(nil), values...)
	field.CosineCoefficients(all, shape)
	low := all[:0]
	for i, v := range all {
		rest, inside := i, true
		for d := len(shape) - 1; d >= 0; d-- {
			inside = inside && rest%shape[d] < count
			rest /= shape[d]
		}
		if inside {
			low = append(low, v)
		}
	}
	return low
}
