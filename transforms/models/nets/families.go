package nets

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// firstPadding is that of a ConvNet's first convolution: images of 28 pixels a side
// grow to 32, as the field has it, so that pooling divides them evenly.
func (n Net) firstPadding() int {
	if n.Image.Height == 28 && n.Image.Width == 28 {
		return 3
	}
	return 1
}

func (n Net) convnetLayout() []parameter {
	var all []parameter
	in := n.Image.Channels
	grown := 2 * (n.firstPadding() - 1)
	height, width := n.Image.Height+grown, n.Image.Width+grown
	for i := range n.Depth {
		all = append(all, convParameters(block("conv", i), 3, in, n.Width)...)
		all = append(all, normParameters(block("norm", i), n.Width)...)
		in, height, width = n.Width, height/2, width/2
	}
	return append(all, denseParameters("head", height*width*n.Width, n.Classes)...)
}

func (n Net) convnet(x *graph.Node, w weights, relu *rectifier) *graph.Node {
	padding := n.firstPadding()
	for i := range n.Depth {
		x = conv(x, w, block("conv", i), padding)
		x = meanPool(relu.apply(instanceNorm(x, w, block("norm", i))))
		padding = 1
	}
	return flatten(x)
}

func (n Net) mlpLayout() []parameter {
	var all []parameter
	in := n.Image.Size()
	for i := range n.Depth {
		all = append(all, denseParameters(block("dense", i), in, n.Width)...)
		in = n.Width
	}
	return append(all, denseParameters("head", in, n.Classes)...)
}

func (n Net) mlp(x *graph.Node, w weights, relu *rectifier) *graph.Node {
	x = flatten(x)
	for i := range n.Depth {
		x = relu.apply(dense(x, w, block("dense", i)))
	}
	return x
}

// Sizes of LeNet-5: maps of the two convolutions, units of the two hidden layers.
const (
	lenetFirst, lenetSecond = 6, 16
	lenetThird, lenetFourth = 120, 84
	lenetKernel             = 5
)

func (n Net) lenetLayout() []parameter {
	height, width := (n.Image.Height/2-lenetKernel+1)/2, (n.Image.Width/2-lenetKernel+1)/2
	all := convParameters("conv0", lenetKernel, n.Image.Channels, lenetFirst)
	all = append(all, convParameters("conv1", lenetKernel, lenetFirst, lenetSecond)...)
	all = append(all, denseParameters("dense0", max(0, height)*max(0, width)*lenetSecond, lenetThird)...)
	all = append(all, denseParameters("dense1", lenetThird, lenetFourth)...)
	return append(all, denseParameters("head", lenetFourth, n.Classes)...)
}

func (n Net) lenet(x *graph.Node, w weights, relu *rectifier) *graph.Node {
	x = meanPool(relu.apply(conv(x, w, "conv0", lenetKernel/2)))
	x = meanPool(relu.apply(conv(x, w, "conv1", 0)))
	x = relu.apply(dense(flatten(x), w, "dense0"))
	return relu.apply(dense(x, w, "dense1"))
}

func block(layer string, i int) string { return fmt.Sprintf("%s%d", layer, i) }
