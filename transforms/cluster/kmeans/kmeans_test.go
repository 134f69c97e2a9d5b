package kmeans

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// normal are n vectors of independent normal values.
func normal(seed uint64, n, width int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n*width)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func fitted(t testing.TB, x []float32, width int, o Options) *Result {
	t.Helper()
	r, err := Fit(t.Context(), x, width, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// At the end every vector is nearest to its centroid, and every centroid is the mean of
// its vectors.
func TestFixedPoint(t *testing.T) {
	for _, k := range []int{1, 7, 16, 40} {
		const n, width = 300, 11
		x := normal(uint64(k), n, width)
		r := fitted(t, x, width, Options{K: k, Iterations: 1000, Seed: 3})
		if !r.Converged {
			t.Fatalf("k %d: not converged", k)
		}
		sums, sizes := make([]float64, k*width), make([]float64, k)
		inertia := 0.0
		for i, label := range r.Labels {
			v := x[i*width : (i+1)*width]
			own := SquaredDistance(v, r.Centroids[label*width:(label+1)*width])
			for c := range k {
				if d := SquaredDistance(v, r.Centroids[c*width:(c+1)*width]); d < own-1e-4 {
					t.Errorf("k %d: vector %d is in cluster %d at %g, but %d is at %g", k, i, label, own, c, d)
				}
			}
			if math.Abs(own-r.Squares[i]) > 1e-9 {
				t.Errorf("k %d: square %g, want %g", k, r.Squares[i], own)
			}
			inertia += own
			sizes[label]++
			for j, value := range v {
				sums[label*width+j] += float64(value)
			}
		}
		for i, sum := range sums {
			if want := sum / sizes[i/width]; math.Abs(float64(r.Centroids[i])-want) > 1e-5 {
				t.Errorf("k %d: centroid value %d is %g, want %g", k, i, r.Centroids[i], want)
			}
		}
		if math.Abs(inertia-r.Inertia) > 1e-6 {
			t.Errorf("k %d: inertia %g, want %g", k, r.Inertia, inertia)
		}
	}
}

// The best of a few seeds is the best division there is, by trying all, or a local one
// close to it.
func TestOptimum(t *testing.T) {
	const n, width, k = 9, 2, 3
	exact := 0
	for seed := range uint64(20) {
		x := normal(seed, n, width)
		best := math.Inf(1)
		labels := make([]int, n)
		for code := range int(math.Pow(k, n)) {
			for i := range labels {
				labels[i] = code % k
				code /= k
			}
			best = min(best, inertiaOf(x, width, k, labels))
		}
		found := math.Inf(1)
		for s := range int64(20) {
			found = min(found, fitted(t, x, width, Options{K: k, Iterations: 100, Seed: s}).Inertia)
		}
		if found > 1.01*best || found < best-1e-5 {
			t.Errorf("data %d: inertia %g, want %g", seed, found, best)
		}
		if found < best+1e-5 {
			exact++
		}
	}
	if exact < 15 {
		t.Errorf("%d of 20 are the best", exact)
	}
}

func inertiaOf(x []float32, width, k int, labels []int) (sum float64) {
	means, sizes := make([]float64, k*width), make([]float64, k)
	for i, label := range labels {
		sizes[label]++
		for j := range width {
			means[label*width+j] += float64(x[i*width+j])
		}
	}
	for i, label := range labels {
		for j := range width {
			d := float64(x[i*width+j]) - means[label*width+j]/sizes[label]
			sum += d * d
		}
	}
	return sum
}

// Each iteration lowers the inertia.
func TestIterationsDescend(t *testing.T) {
	const n, width, k = 500, 5, 30
	x := normal(1, n, width)
	before := math.Inf(1)
	for i := 1; i < 30; i++ {
		r := fitted(t, x, width, Options{K: k, Iterations: i, Seed: 1})
		if r.Inertia > before+1e-6 {
			t.Errorf("iteration %d: inertia %g after %g", i, r.Inertia, before)
		}
		before = r.Inertia
	}
}

// The number of processors does not matter.
func TestProcessors(t *testing.T) {
	x := normal(4, 1000, 8)
	o := Options{K: 50, Iterations: 20, Seed: 2}
	want := fitted(t, x, 8, o)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := fitted(t, x, 8, o)
	if !slices.Equal(one.Labels, want.Labels) || !slices.Equal(one.Centroids, want.Centroids) || one.Inertia != want.Inertia {
		t.Error("one processor gives another result")
	}
}

// Vectors of which many are equal leave no cluster empty as long as there are enough
// different ones, and as many clusters as vectors leave no distance.
func TestEqualVectors(t *testing.T) {
	x := make([]float32, 100)
	for i := range 10 {
		x[i] = float32(i)
	}
	for seed := range int64(10) {
		r := fitted(t, x, 1, Options{K: 10, Iterations: 50, Seed: seed})
		if r.Inertia != 0 {
			t.Errorf("seed %d: inertia %g", seed, r.Inertia)
		}
	}
	if r := fitted(t, x, 1, Options{K: 100, Iterations: 5}); r.Inertia != 0 {
		t.Errorf("inertia %g", r.Inertia)
	}
}

// Products are those of plain sums, for any number of vectors and centroids.
func TestProducts(t *testing.T) {
	for _, shape := range [][3]int{{1, 1, 1}, {3, 5, 7}, {4, 16, 8}, {9, 33, 20}, {130, 17, 384}} {
		rows, k, width := shape[0], shape[1], shape[2]
		x, c := normal(1, rows, width), normal(2, k, width)
		packed := pack(c, width)
		columns := len(packed) / width
		out, scalar := make([]float32, rows*columns), make([]float32, rows*columns)
		products(out, x, packed, width)
		productsScalar(scalar, x, packed, width)
		for i := range rows {
			for j := range columns {
				want := 0.0
				if j < k {
					for l := range width {
						want += float64(x[i*width+l]) * float64(c[j*width+l])
					}
				}
				for _, got := range []float32{out[i*columns+j], scalar[i*columns+j]} {
					if math.Abs(float64(got)-want) > 1e-4 {
						t.Fatalf("%v: product %d, %d is %g, want %g", shape, i, j, got, want)
					}
				}
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	good := []float32{1, 2, 3, 4}
	for want, fit := range map[string]func() (*Result, error){
		"4 values are not vectors of 3": func() (*Result, error) { return Fit(t.Context(), good, 3, Options{K: 1, Iterations: 1}) },
		"3 clusters of 2 vectors":       func() (*Result, error) { return Fit(t.Context(), good, 2, Options{K: 3, Iterations: 1}) },
		"0 clusters":                    func() (*Result, error) { return Fit(t.Context(), good, 2, Options{K: 0, Iterations: 1}) },
		"no iterations":                 func() (*Result, error) { return Fit(t.Context(), good, 2, Options{K: 1}) },
		"value 1 of vector 0 is NaN": func() (*Result, error) {
			return Fit(t.Context(), []float32{1, float32(math.NaN())}, 2, Options{K: 1, Iterations: 1})
		},
	} {
		if _, err := fit(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Fit(ended, normal(1, 100, 2), 2, Options{K: 10, Iterations: 10}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func BenchmarkFit(b *testing.B) {
	const n, width = 5183, 384
	x := normal(1, n, width)
	for b.Loop() {
		fitted(b, x, width, Options{K: 1000, Iterations: 10})
	}
}
