// Package kmeans divides vectors into clusters around their means: Lloyd's algorithm
// (Lloyd 1982), begun with k-means++ (Arthur and Vassilvitskii 2007) in its greedy form,
// with 2 + ln k draws for each centroid.
//
// The result depends on the vectors, their order and the seed alone, not on the number
// of processors: ties go to the lowest index, and sums are taken in the order of the
// vectors.
package kmeans

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"penstock.dev/data"
)

// Options say how to cluster.
type Options struct {
	K          int // clusters, from 1 to the number of vectors
	Iterations int // at most; 1 or more
	Seed       int64
}

// Result is a division of n vectors into k clusters, none of them empty unless there
// are fewer different vectors.
type Result struct {
	Centroids  []float32 // [k, width]
	Labels     []int     // [n], the cluster of each vector
	Squares    []float64 // [n], squared distance of each vector to its centroid
	Inertia    float64   // sum of Squares
	Iterations int
	Converged  bool // no vector changed its cluster in the last iteration
}

// Fit clusters the vectors x, [n, width]. It takes about 100 bytes a vector and
// 12 bytes for each of k*width values beyond x, and n*k*width multiply-adds an iteration.
func Fit(ctx context.Context, x []float32, width int, o Options) (*Result, error) {
	if width < 1 || len(x)%width != 0 {
		return nil, fmt.Errorf("kmeans: %d values are not vectors of %d", len(x), width)
	}
	n := len(x) / width
	if o.K < 1 || o.K > n {
		return nil, fmt.Errorf("kmeans: %d clusters of %d vectors", o.K, n)
	}
	if o.Iterations < 1 {
		return nil, errors.New("kmeans: no iterations")
	}
	for i, v := range x {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("kmeans: value %d of vector %d is %g", i%width, i/width, v)
		}
	}
	f := newFit(x, width, o)
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	return f.run(ctx)
}

// fit is a computation under way.
type fit struct {
	Options
	x         []float32
	n, width  int
	norms     []float64 // squared, of the vectors
	centroids []float32
	labels    []int
	squares   []float64
}

func newFit(x []float32, width int, o Options) *fit {
	n := len(x) / width
	f := &fit{
		Options: o, x: x, n: n, width: width,
		norms: make([]float64, n), labels: make([]int, n), squares: make([]float64, n),
		centroids: make([]float32, 0, o.K*width),
	}
	for i := range n {
		f.norms[i] = square(f.vector(i))
		f.labels[i] = -1
	}
	return f
}

func (f *fit) vector(i int) []float32 { return f.x[i*f.width : (i+1)*f.width] }

func square(v []float32) (sum float64) {
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return sum
}

// begin draws the first centroids among the vectors, each with a probability that grows
// with the squared distance from those drawn before: of a few draws the one that leaves
// the least inertia is taken.
func (f *fit) begin(ctx context.Context) error {
	rng := data.Draw(data.KeyID("k-means++"), f.Seed, 0)
	nearest := make([]float64, f.n)
	for i := range nearest {
		nearest[i] = math.MaxFloat64
	}
	f.approach(nearest, []int{rng.IntN(f.n)})
	candidates := make([]int, 2+int(math.Log(float64(f.K))))
	for len(f.centroids) < cap(f.centroids) {
		if err := ctx.Err(); err != nil {
			return err
		}
		total := 0.0
		for _, d := range nearest {
			total += d
		}
		for c := range candidates {
			candidates[c] = pick(nearest, rng.Float64()*total)
		}
		f.approach(nearest, candidates)
	}
	return nil
}

// approach makes a centroid of that candidate, an index of a vector, which lowers the
// squared distances to the nearest centroid most, and lowers them.
func (f *fit) approach(nearest []float64, candidates []int) {
	var vectors []float32
	for _, c := range candidates {
		vectors = append(vectors, f.vector(c)...)
	}
	packed := pack(vectors, f.width)
	columns := len(packed) / f.width
	close := make([]float32, f.n*columns)
	f.blocks(func(first, last int) {
		products(close[first*columns:last*columns], f.x[first*f.width:last*f.width], packed, f.width)
	})
	square := func(i, c int) float64 {
		if i == candidates[c] {
			return 0
		}
		return max(0, f.norms[i]+f.norms[candidates[c]]-2*float64(close[i*columns+c]))
	}
	best, least := 0, math.Inf(1)
	for c := range candidates {
		sum := 0.0
		for i, d := range nearest {
			sum += min(d, square(i, c))
		}
		if sum < least {
			best, least = c, sum
		}
	}
	for i, d := range nearest {
		nearest[i] = min(d, square(i, best))
	}
	f.centroids = append(f.centroids, f.vector(candidates[best])...)
}

// pick finds the index at which the running sum of weights passes a point.
func pick(weights []float64, point float64) int {
	last := 0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		if last = i; point < w {
			return i
		}
		point -= w
	}
	return last
}

// block is the number of vectors whose products with all centroids are held at once by
// one goroutine.
const block = 128

// blocks calls work for ranges of vectors, on all processors.
func (f *fit) blocks(work func(first, last int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), (f.n+block-1)/block) {
		wait.Go(func() {
			for first := range next {
				work(first, min(first+block, f.n))
			}
		})
	}
	for first := 0; first < f.n; first += block {
		next <- first
	}
	close(next)
	wait.Wait()
}

func (f *fit) run(ctx context.Context) (*Result, error) {
	r := &Result{}
	for r.Iterations < f.Iterations && !r.Converged {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Converged = !f.assign()
		if !r.Converged {
			f.move()
		}
		r.Iterations++
	}
	if !r.Converged {
		f.assign()
	}
	r.Centroids, r.Labels, r.Squares = f.centroids, f.labels, f.squares
	for i, label := range f.labels {
		f.squares[i] = SquaredDistance(f.vector(i), f.centroid(label))
		r.Inertia += f.squares[i]
	}
	return r, nil
}

func (f *fit) centroid(k int) []float32 { return f.centroids[k*f.width : (k+1)*f.width] }

// SquaredDistance is that of two vectors of one length, without the cancellation of the
// form that assign uses.
func SquaredDistance(a, b []float32) (sum float64) {
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum
}

// assign gives every vector the cluster of its nearest centroid, and reports whether
// any changed.
func (f *fit) assign() bool {
	half := make([]float32, f.K)
	for k := range half {
		half[k] = float32(square(f.centroid(k)) / 2)
	}
	packed := pack(f.centroids, f.width)
	columns := len(packed) / f.width
	var mutex sync.Mutex
	changed := false
	f.blocks(func(first, last int) {
		close := make([]float32, (last-first)*columns)
		products(close, f.x[first*f.width:last*f.width], packed, f.width)
		moved := false
		for i := range last - first {
			best, label := float32(math.Inf(-1)), 0
			for k, p := range close[i*columns:][:f.K] {
				if closeness := p - half[k]; closeness > best {
					best, label = closeness, k
				}
			}
			moved = moved || f.labels[first+i] != label
			f.labels[first+i] = label
			f.squares[first+i] = f.norms[first+i] - 2*float64(best)
		}
		if moved {
			mutex.Lock()
			changed = true
			mutex.Unlock()
		}
	})
	return changed
}

// move puts every centroid at the mean of its vectors; one that has none takes the
// vector that is farthest from its own.
func (f *fit) move() {
	sums := make([]float64, f.K*f.width)
	sizes := make([]int, f.K)
	for i, label := range f.labels {
		sizes[label]++
		sum := sums[label*f.width : (label+1)*f.width]
		for j, v := range f.vector(i) {
			sum[j] += float64(v)
		}
	}
	for k, size := range sizes {
		if size == 0 {
			f.fill(k, sums, sizes)
		}
	}
	for k, size := range sizes {
		for j := range f.width {
			f.centroids[k*f.width+j] = float32(sums[k*f.width+j] / float64(size))
		}
	}
}

// fill moves the farthest vector of a cluster that has others to an empty one.
func (f *fit) fill(k int, sums []float64, sizes []int) {
	farthest := -1
	for i, d := range f.squares {
		if sizes[f.labels[i]] > 1 && (farthest < 0 || d > f.squares[farthest]) {
			farthest = i
		}
	}
	from := f.labels[farthest]
	for j, v := range f.vector(farthest) {
		sums[from*f.width+j] -= float64(v)
		sums[k*f.width+j] = float64(v)
	}
	sizes[from]--
	sizes[k] = 1
	f.labels[farthest], f.squares[farthest] = k, 0
}
