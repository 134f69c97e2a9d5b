package nets

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// rectifier is the ReLU of a pass through a network. It keeps which units were active;
// frozen, it lets the same units through again whatever their values are, so that the
// loss has no kinks between the two passes.
type rectifier struct {
	active []*graph.Node // of each layer, in order
	frozen bool
	layer  int
}

func (r *rectifier) apply(x *graph.Node) *graph.Node {
	zero := graph.ZerosLike(x)
	if !r.frozen {
		r.active = append(r.active, graph.GreaterThan(x, zero))
	}
	active := r.active[r.layer]
	r.layer++
	return graph.Where(active, x, zero)
}

// freeze is a rectifier with the pattern of r.
func (r *rectifier) freeze() *rectifier { return &rectifier{active: r.active, frozen: true} }

// denseParameters are those of a layer from in to out units.
func denseParameters(name string, in, out int) []parameter {
	return []parameter{
		{name: name + ".weight", shape: []int{in, out}, fanIn: in},
		{name: name + ".bias", shape: []int{out}, fanIn: in},
	}
}

// dense is x W + b.
func dense(x *graph.Node, w weights, name string) *graph.Node {
	return withBias(graph.DotGeneral(x, []int{1}, nil, w[name+".weight"], []int{0}, nil), w[name+".bias"])
}

// convParameters are those of a convolution with size by size kernels.
func convParameters(name string, size, in, out int) []parameter {
	return []parameter{
		{name: name + ".weight", shape: []int{size, size, in, out}, fanIn: size * size * in},
		{name: name + ".bias", shape: []int{out}, fanIn: size * size * in},
	}
}

// conv is a convolution of stride 1 of x [n, h, w, in] with zeros around it: a matrix
// product with the neighbourhoods of all points, which are slices of x side by side.
// Unlike the native convolution it has gradients of every order, and on CPUs
// those are faster.
func conv(x *graph.Node, w weights, name string, padding int) *graph.Node {
	kernel := w[name+".weight"]
	size, in, out := kernel.Shape().Dim(0), kernel.Shape().Dim(2), kernel.Shape().Dim(3)
	x = pad(x, padding)
	rows, height, width := x.Shape().Dim(0), x.Shape().Dim(1)-size+1, x.Shape().Dim(2)-size+1
	var neighbours []*graph.Node
	for dy := range size {
		for dx := range size {
			neighbours = append(neighbours, graph.Slice(x,
				graph.AxisRange(), graph.AxisRange(dy, dy+height), graph.AxisRange(dx, dx+width)))
		}
	}
	columns := graph.Reshape(graph.Concatenate(neighbours, -1), rows*height*width, size*size*in)
	y := graph.DotGeneral(columns, []int{1}, nil, graph.Reshape(kernel, size*size*in, out), []int{0}, nil)
	return graph.Reshape(withBias(y, w[name+".bias"]), rows, height, width, out)
}

// pad puts zeros around images.
func pad(x *graph.Node, by int) *graph.Node {
	if by == 0 {
		return x
	}
	around := graph.PadAxis{Start: by, End: by}
	return graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()), graph.PadAxis{}, around, around, graph.PadAxis{})
}

// meanPool is the mean of blocks of 2 by 2 points; an odd last row or column is left
// out.
func meanPool(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	height, width := d[1]/2, d[2]/2
	if 2*height != d[1] || 2*width != d[2] {
		x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, 2*height), graph.AxisRange(0, 2*width))
	}
	return graph.ReduceMean(graph.Reshape(x, d[0], height, 2, width, 2, d[3]), 2, 4)
}

// normParameters are those of an instance norm.
func normParameters(name string, channels int) []parameter {
	return []parameter{
		{name: name + ".weight", shape: []int{channels}, gain: true, fanIn: 1},
		{name: name + ".bias", shape: []int{channels}, shift: true, fanIn: 1},
	}
}

// normEpsilon is PyTorch's.
const normEpsilon = 1e-5

// instanceNorm brings every channel of every image to mean 0 and variance 1, then
// scales and shifts it (Ulyanov et al., arXiv:1607.08022).
func instanceNorm(x *graph.Node, w weights, name string) *graph.Node {
	centred := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, 1, 2))
	variance := graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, 1, 2)
	y := graph.Div(centred, graph.Sqrt(graph.AddScalar(variance, normEpsilon)))
	return graph.Add(graph.Mul(y, graph.ExpandLeftToRank(w[name+".weight"], 4)), graph.ExpandLeftToRank(w[name+".bias"], 4))
}

func withBias(x, bias *graph.Node) *graph.Node {
	return graph.Add(x, graph.ExpandLeftToRank(bias, x.Rank()))
}

// flatten makes each image a row.
func flatten(x *graph.Node) *graph.Node { return graph.Reshape(x, x.Shape().Dim(0), -1) }

// crossEntropy is the mean over rows of -sum targets log softmax(logits).
func crossEntropy(logits, targets *graph.Node) *graph.Node {
	if !logits.Shape().Equal(targets.Shape()) {
		panic(fmt.Errorf("targets of shape %v for logits of shape %v", targets.Shape().Dimensions, logits.Shape().Dimensions))
	}
	each := graph.Neg(graph.ReduceSum(graph.Mul(targets, graph.LogSoftmax(logits, -1)), -1))
	return graph.ReduceAllMean(each)
}
