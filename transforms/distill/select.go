package distill

import (
	"context"
	"math"
	"slices"

	"penstock.dev/transforms/cluster/kmeans"
)

// herd picks n of the points [any, width] one after the other, each so that the mean of
// those picked comes as near to the mean of all as it can (Welling, Herding Dynamical
// Weights to Learn, ICML 2009).
func herd(points []float32, width, n int) []int {
	mean := make([]float64, width)
	for p := range slices.Chunk(points, width) {
		for k, v := range p {
			mean[k] += float64(v) * float64(width) / float64(len(points))
		}
	}
	sum := make([]float64, width)
	return pickEach(points, width, n, func(pick int, p []float32) float64 {
		distance := 0.0
		for k, v := range p {
			d := (sum[k]+float64(v))/float64(pick+1) - mean[k]
			distance += d * d
		}
		return distance
	}, func(p []float32) {
		for k, v := range p {
			sum[k] += float64(v)
		}
	})
}

// mostRounds bounds k-means.
const mostRounds = 100

// centres picks the points nearest to the n centres of k-means, each point once.
func centres(ctx context.Context, points []float32, width, n int, seed int64) ([]int, error) {
	clusters, err := kmeans.Fit(ctx, points, width, kmeans.Options{K: n, Iterations: mostRounds, Seed: seed})
	if err != nil {
		return nil, err
	}
	return pickEach(points, width, n, func(pick int, p []float32) float64 {
		distance := 0.0
		for k, v := range clusters.Centroids[pick*width : (pick+1)*width] {
			d := float64(p[k]) - float64(v)
			distance += d * d
		}
		return distance
	}, func([]float32) {}), nil
}

// pickEach picks n points one after the other: the one with the least cost of those that
// are left, the first of equals.
func pickEach(points []float32, width, n int, cost func(pick int, p []float32) float64, took func(p []float32)) []int {
	var picked []int
	taken := make([]bool, len(points)/width)
	for pick := range n {
		best, least := -1, math.Inf(1)
		for i := range taken {
			if taken[i] {
				continue
			}
			if c := cost(pick, points[i*width:(i+1)*width]); best < 0 || c < least {
				best, least = i, c
			}
		}
		taken[best] = true
		picked = append(picked, best)
		took(points[best*width : (best+1)*width])
	}
	return picked
}
