package models

import (
	"runtime"
	"strings"

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
	// share bounds the tokens of one execution when there are total to be run by callers.
	share func(total, callers int) int
	// height is how many rows an execution has that could have most and gets n, of which
	// rows are left over for the next if it is less and empty if it is more.
	height func(n, most int) int
	// moments says that the device reduces logits to moments itself where nobody wants
	// more of them.
	moments bool
}

// traitsOf a compute backend.
func traitsOf(backend compute.Backend) *traits {
	switch {
	case backend.Name() != onXLA:
		return &goTraits
	case onGPU(backend):
		return &gpuTraits
	}
	return &xlaTraits
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
	share:        cachedShare,
	height:       func(n, most int) int { return floorPowerOfTwo(n) },
}

// cachedTokens is how many tokens a processor's execution has at most: beyond, matrix
// products gain nothing and activations leave the cache.
const cachedTokens = 1024

// cachedShare divides what there is among all callers.
func cachedShare(total, callers int) int {
	return min(cachedTokens, (total+callers-1)/callers)
}

// xlaTraits suit XLA: operations use all cores, and a new shape costs seconds.
var xlaTraits = traits{
	queryBlock:     1 << 20,
	batchTolerance: 1e-4,
	logistic:       graph.Sigmoid,
	callers:        func() int { return 1 },
	bucket:         halfSteps,
	joins:          func(n, length int) bool { return 3*n > 2*length },
	share:          cachedShare,
	height: func(n, most int) int { // a length has two shapes
		if full := floorPowerOfTwo(most); n >= full {
			return full
		}
		return 1
	},
}

// gpuTraits suit XLA on a GPU: executions must be large to fill it, a new shape costs
// seconds and an empty row next to nothing, so a length has two shapes. Logits stay on
// the device, for the way to the host takes longer than everything else. A second
// execution is prepared while one runs.
var gpuTraits = traits{
	queryBlock:     1 << 20,
	batchTolerance: 1e-4,
	logistic:       graph.Sigmoid,
	callers:        func() int { return 2 },
	bucket:         quarterSteps,
	joins:          func(n, length int) bool { return 3*n > 2*length },
	share:          func(int, int) int { return 8192 },
	height: func(n, most int) int {
		if few := max(1, most/8); n <= few {
			return few
		}
		return most
	},
	moments: true,
}

// onGPU reports whether XLA runs on one, as go-xla does by the name of the plugin.
func onGPU(backend compute.Backend) bool {
	about := strings.ToLower(backend.Description())
	return strings.Contains(about, "cuda") || strings.Contains(about, "nvidia")
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
