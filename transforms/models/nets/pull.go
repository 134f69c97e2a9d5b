package nets

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Form is how the gradient of a gradient's product with a vector is formed.
type Form string

// The forms of [Learner.Pull].
const (
	// Hessian differentiates twice.
	Hessian Form = "hessian"
	// Differences takes ordinary gradients at both sides of the point, along the
	// vector, with every ReLU held to its pattern at the point. The loss is smooth
	// along this line, so the error falls with the square of the distance; without
	// the pattern the kinks would spoil it.
	Differences Form = "differences"
)

// reach is the distance of the points of [Differences] from the middle, as a share of
// the parameters' norm. Ten times as far, the curvature of LeNet shows in the fourth digit
// of a gradient's length; half as far, the rounding of float32 does.
const reach = 2e-4

// Pulled is a gradient of s = g · v, where g is the loss's gradient by the parameters.
type Pulled[T Number] struct {
	Images  []T // [n, height, width, channels]
	Targets []T // [n, classes]
	Theta   []T // the Hessian's product with v
}

// Pull differentiates s = g(theta, images, targets) · v by all three.
func (l *Learner[T]) Pull(form Form, theta, v, images, targets []T) (*Pulled[T], error) {
	build := l.pullTwice
	switch form {
	case Hessian:
	case Differences:
		build = l.pullDifferences
	default:
		return nil, fmt.Errorf("no form of gradient %q, want hessian or differences", form)
	}
	out, err := l.call("pull by "+string(form), build, l.vector(theta), l.vector(v), l.images(images), l.targets(targets))
	if err != nil {
		return nil, err
	}
	return &Pulled[T]{Images: out[0], Targets: out[1], Theta: out[2]}, nil
}

// pullTwice takes the gradient of the product with the gradient.
func (l *Learner[T]) pullTwice(in []*graph.Node) []*graph.Node {
	theta, v, images, targets := in[0], in[1], in[2], in[3]
	loss := crossEntropy(l.Net.logits(images, theta, &rectifier{}), targets)
	s := graph.ReduceAllSum(graph.Mul(graph.Gradient(loss, theta)[0], v))
	return graph.Gradient(s, images, targets, theta)
}

// pullDifferences takes the gradient of (loss(theta + e v) - loss(theta - e v)) / 2e.
func (l *Learner[T]) pullDifferences(in []*graph.Node) []*graph.Node {
	theta, v, images, targets := in[0], in[1], in[2], in[3]
	pattern := &rectifier{}
	l.Net.logits(images, theta, pattern)
	tiny := graph.Scalar(theta.Graph(), theta.DType(), 1e-30)
	e := graph.StopGradient(graph.Div(graph.MulScalar(norm(theta), reach), graph.Max(norm(v), tiny)))
	step := graph.Mul(v, e)
	ahead := crossEntropy(l.Net.logits(images, graph.Add(theta, step), pattern.freeze()), targets)
	behind := crossEntropy(l.Net.logits(images, graph.Sub(theta, step), pattern.freeze()), targets)
	gradients := graph.Gradient(graph.Sub(ahead, behind), images, targets, theta)
	for i, g := range gradients {
		gradients[i] = graph.Div(g, graph.MulScalar(e, 2))
	}
	return gradients
}

func norm(x *graph.Node) *graph.Node { return graph.Sqrt(graph.ReduceAllSum(graph.Square(x))) }
