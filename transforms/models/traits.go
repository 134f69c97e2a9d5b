package models

import (
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
)

// traits are what graphs and plans do in one way on one backend and in another on the
// next. Everything else is the same everywhere.
type traits struct {
	// leastProduct is the number of multiplications below which matrix products are
	// filled up with zeros; 0 never does.
	leastProduct int
	// queryBlock is how many positions attend together; see causalAttention.
	queryBlock int
	// logistic is 1/(1+e^-x).
	logistic func(x *graph.Node) *graph.Node
	// callers is how many executions run at a time.
	callers func() int
	// batchTolerance bounds what the company of a row changes in a log-probability.
	batchTolerance float64
	// bucket rounds up a length, so that the shapes that occur are few.
	bucket func(n int) int
	// joins says whether a row of n tokens runs with rows padded to a length.
	joins func(n, length int) bool
}

// traitsOf a compute backend.
func traitsOf(backend compute.Backend) *traits {
	if backend.Name() == onXLA {
		return &xlaTraits
	}
	return &goTraits
}

// goTraits suit the pure-Go backend. Its kernel for large matrix products starts at 4 M
// multiplications. The one for small products sums in another order, so whether a row
// had company would show in its last digits; products are therefore never small. That
// costs less than a millisecond each. Operations run on one core, so there are as many
// executions as cores. A new shape costs milliseconds.
var goTraits = traits{
	leastProduct: 4 << 20,
	queryBlock:   128,
	logistic:     logisticBySoftmax,
	callers:      func() int { return runtime.GOMAXPROCS(0) },
	bucket:       quarterSteps,
	joins:        func(n, length int) bool { return quarterSteps(n) >= length },
}

// xlaTraits suit XLA: operations use all cores, and a new shape costs seconds.
var xlaTraits = traits{
	queryBlock:     1 << 20,
	batchTolerance: 1e-4,
	logistic:       graph.Sigmoid,
	callers:        func() int { return 1 },
	bucket:         halfSteps,
	joins:          func(n, length int) bool { return 3*n > 2*length },
}

// logisticBySoftmax is a softmax over x and 0. The Go backend's own logistic function
// calls math.Exp, whose mixture of VEX and SSE instructions is twenty times slower on
// Intel processors while the upper halves of vector registers are in use, as its matrix
// products leave them (Intel 64 and IA-32 Optimization Reference Manual, "Mixing AVX code
// with SSE code"); its softmax calls an exponential in plain Go.
func logisticBySoftmax(x *graph.Node) *graph.Node {
	x = graph.ExpandAxes(x, 0)
	pair := graph.Concatenate([]*graph.Node{x, graph.ZerosLike(x)}, 0)
	return graph.Squeeze(graph.SliceAxis(graph.Softmax(pair, 0), 0, graph.AxisRange(0, 1)), 0)
}

// quarterSteps rounds up to a multiple of a quarter of the power of two below (16 at
// least), so at most a fifth of a row is padding.
func quarterSteps(n int) int {
	step := max(16, floorPowerOfTwo(n-1)/4)
	return (n + step - 1) / step * step
}

// halfSteps rounds up to 16, 32, 64, 96, 128, 192, 256, 384, 512 and so on.
func halfSteps(n int) int {
	step := max(16, floorPowerOfTwo(n-1)/2)
	if n > 32 {
		step = max(32, step)
	}
	return (n + step - 1) / step * step
}
