package nets

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
)

// Shape is that of an image.
type Shape struct {
	Height   int `json:"height"`
	Width    int `json:"width"`
	Channels int `json:"channels"`
}

// Size is the number of values of an image.
func (s Shape) Size() int { return s.Height * s.Width * s.Channels }

// String is the shape as messages show it: "28x28x1".
func (s Shape) String() string { return fmt.Sprintf("%dx%dx%d", s.Height, s.Width, s.Channels) }

// Families of networks.
const (
	ConvNet = "convnet" // depth blocks of 3x3 convolution, instance norm, ReLU, 2x2 mean pooling (Gidaris and Komodakis, CVPR 2018)
	MLP     = "mlp"     // depth hidden layers of width units
	LeNet   = "lenet"   // LeNet-5 with ReLU (LeCun et al., Proceedings of the IEEE 86, 1998)
)

// Families lists them.
var Families = []string{ConvNet, MLP, LeNet}

// Net is a network. Width and depth mean nothing to LeNet.
type Net struct {
	Family  string `json:"family"`
	Width   int    `json:"width"` // channels of a convolution, units of a hidden layer
	Depth   int    `json:"depth"`
	Image   Shape  `json:"image"`
	Classes int    `json:"classes"`
}

// String names the network: "convnet-3 of width 128".
func (n Net) String() string {
	if n.Family == LeNet {
		return LeNet
	}
	return fmt.Sprintf("%s-%d of width %d", n.Family, n.Depth, n.Width)
}

// Bounds of a network.
const (
	mostWidth      = 4096
	mostDepth      = 8
	mostParameters = 1 << 28
)

// Check reports why there is no such network.
func (n Net) Check() error {
	switch {
	case !slices.Contains(Families, n.Family):
		return fmt.Errorf("no network %q, want convnet, mlp or lenet", n.Family)
	case n.Image.Height < 1 || n.Image.Width < 1 || n.Image.Channels < 1:
		return fmt.Errorf("images of %s", n.Image)
	case n.Classes < 2:
		return fmt.Errorf("%d classes, want at least 2", n.Classes)
	case n.Family != LeNet && (n.Width < 1 || n.Width > mostWidth || n.Depth < 1 || n.Depth > mostDepth):
		return fmt.Errorf("width %d and depth %d, want up to %d and %d", n.Width, n.Depth, mostWidth, mostDepth)
	}
	side, least := min(n.Image.Height, n.Image.Width), 1
	switch n.Family {
	case ConvNet:
		least = 1 << n.Depth
	case LeNet:
		least = 12
	}
	if side < least {
		return fmt.Errorf("images of %s are too small for %s, which wants %d pixels a side", n.Image, n, least)
	}
	if p := n.Parameters(); p > mostParameters {
		return fmt.Errorf("%s has %d parameters, more than %d", n, p, mostParameters)
	}
	return nil
}

// parameter is a section of the flat vector.
type parameter struct {
	name  string
	shape []int
	fanIn int  // inputs of a unit, which bound the first draw
	gain  bool // a factor that starts at 1
	shift bool // a summand that starts at 0
}

func (p parameter) size() int {
	n := 1
	for _, extent := range p.shape {
		n *= extent
	}
	return n
}

// layout lists the parameters in the order of the flat vector.
func (n Net) layout() []parameter {
	switch n.Family {
	case MLP:
		return n.mlpLayout()
	case LeNet:
		return n.lenetLayout()
	}
	return n.convnetLayout()
}

// Parameters is the length of the parameter vector.
func (n Net) Parameters() int {
	total := 0
	for _, p := range n.layout() {
		total += p.size()
	}
	return total
}

// Draw draws a fresh network as PyTorch does by default: weights and biases uniform
// within ±1/sqrt(inputs of a unit), gains 1, shifts 0.
func (n Net) Draw(r *rand.Rand) []float32 {
	theta := make([]float32, 0, n.Parameters())
	for _, p := range n.layout() {
		bound := 1 / math.Sqrt(float64(p.fanIn))
		for range p.size() {
			switch {
			case p.gain:
				theta = append(theta, 1)
			case p.shift:
				theta = append(theta, 0)
			default:
				theta = append(theta, float32(bound*(2*r.Float64()-1)))
			}
		}
	}
	return theta
}

// features builds the network without its last layer: [n, features].
func (n Net) features(x *graph.Node, w weights, relu *rectifier) *graph.Node {
	switch n.Family {
	case MLP:
		return n.mlp(x, w, relu)
	case LeNet:
		return n.lenet(x, w, relu)
	}
	return n.convnet(x, w, relu)
}

// logits builds the whole network: [n, classes].
func (n Net) logits(x *graph.Node, theta *graph.Node, relu *rectifier) *graph.Node {
	w := n.weights(theta)
	return dense(n.features(x, w, relu), w, "head")
}

// weights are the nodes of the parameters by name.
type weights map[string]*graph.Node

// weights cuts the flat vector up.
func (n Net) weights(theta *graph.Node) weights {
	w, at := weights{}, 0
	for _, p := range n.layout() {
		w[p.name] = graph.Reshape(graph.Slice(theta, graph.AxisRange(at, at+p.size())), p.shape...)
		at += p.size()
	}
	return w
}
