package cluster

import (
	"context"

	"penstock.dev/transforms/cluster/kmeans"
)

// elbow clusters with each number of clusters there are enough rows for and returns the
// result of that at the elbow of the errors.
func elbow(ctx context.Context, v *vectors, o kmeans.Options, candidates []int) (*kmeans.Result, error) {
	var results []*kmeans.Result
	var ks, errs []float64
	for _, k := range candidates {
		if k > v.n() && len(results) > 0 {
			break
		}
		o.K = min(k, v.n())
		r, err := kmeans.Fit(ctx, v.values, v.width, o)
		if err != nil {
			return nil, err
		}
		results, ks, errs = append(results, r), append(ks, float64(o.K)), append(errs, spread(v, r))
	}
	return results[knee(ks, errs)], nil
}

// spread is the sum of (1 - cosine)² of the vectors and their centroids.
func spread(v *vectors, r *kmeans.Result) (sum float64) {
	for i, label := range r.Labels {
		d := 1 - cosine(v.at(i), r.Centroids[label*v.width:(label+1)*v.width])
		sum += d * d
	}
	return sum
}

// sensitivity of the knee, as DUQGen has it.
const sensitivity = 0.01

// knee is the index of the point after which a falling, convex curve ceases to fall
// fast: Kneedle (Satopää et al. 2011) without smoothing. Where there is none it is the
// point farthest below the line from the first to the last.
func knee(x, y []float64) int {
	last := len(x) - 1
	if last < 2 || y[0] <= y[last] {
		return last
	}
	// Both axes run from 0 to 1, and the curve is turned to rise: what it is above
	// the diagonal is its difference.
	low, high := y[last], y[0]
	for _, v := range y {
		low, high = min(low, v), max(high, v)
	}
	difference := make([]float64, len(x))
	best := 0
	for i := range x {
		difference[i] = (high-y[i])/(high-low) - (x[i]-x[0])/(x[last]-x[0])
		if difference[i] > difference[best] {
			best = i
		}
	}
	step := 1 / float64(last) // the mean distance of neighbours
	peak, threshold := -1, 0.0
	for i := 1; i <= last; i++ {
		if i < last && difference[i] > difference[i-1] && difference[i] >= difference[i+1] {
			peak, threshold = i, difference[i]-sensitivity*step
			continue
		}
		if peak >= 0 && difference[i] < threshold {
			return peak
		}
	}
	return best
}
