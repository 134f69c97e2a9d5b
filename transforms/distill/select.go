package distill

import "math"

// herd picks n points one after the other, each so that the mean of those picked comes
// as near to the mean of all as it can (Welling, Herding Dynamical Weights to Learn,
// ICML 2009).
func herd(points [][]float32, n int) []int {
	mean := meanPoint(points)
	sum := make([]float64, len(mean))
	var picked []int
	taken := make([]bool, len(points))
	for len(picked) < n {
		best, least := -1, math.Inf(1)
		for i, p := range points {
			if taken[i] {
				continue
			}
			distance := 0.0
			for k, v := range p {
				d := (sum[k]+float64(v))/float64(len(picked)+1) - mean[k]
				distance += d * d
			}
			if best < 0 || distance < least {
				best, least = i, distance
			}
		}
		taken[best] = true
		picked = append(picked, best)
		for k, v := range points[best] {
			sum[k] += float64(v)
		}
	}
	return picked
}

func meanPoint(points [][]float32) []float64 {
	mean := make([]float64, len(points[0]))
	for _, p := range points {
		for k, v := range p {
			mean[k] += float64(v) / float64(len(points))
		}
	}
	return mean
}

// mostRounds bounds Lloyd's algorithm.
const mostRounds = 100

// centres picks the points nearest to the n centres of k-means (Lloyd's algorithm, from
// the first n points, which come in random order), each point once.
func centres(points [][]float32, n int) []int {
	means := make([][]float64, n)
	for i := range means {
		means[i] = meanPoint(points[i : i+1])
	}
	member := make([]int, len(points))
	for range mostRounds {
		moved := false
		for i, p := range points {
			nearest := 0
			for c := range means {
				if squared(p, means[c]) < squared(p, means[nearest]) {
					nearest = c
				}
			}
			moved = moved || member[i] != nearest
			member[i] = nearest
		}
		if !moved {
			break
		}
		for c := range means {
			var own [][]float32
			for i, p := range points {
				if member[i] == c {
					own = append(own, p)
				}
			}
			if len(own) > 0 {
				means[c] = meanPoint(own)
			}
		}
	}
	return nearestEach(points, means)
}

// nearestEach is the point nearest to each centre that is not taken by one before.
func nearestEach(points [][]float32, means [][]float64) []int {
	taken := make([]bool, len(points))
	picked := make([]int, len(means))
	for c, mean := range means {
		best := -1
		for i, p := range points {
			if !taken[i] && (best < 0 || squared(p, mean) < squared(points[best], mean)) {
				best = i
			}
		}
		taken[best] = true
		picked[c] = best
	}
	return picked
}

func squared(p []float32, mean []float64) float64 {
	sum := 0.0
	for k, v := range p {
		d := float64(v) - mean[k]
		sum += d * d
	}
	return sum
}
