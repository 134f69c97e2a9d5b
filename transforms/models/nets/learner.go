package nets

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"penstock.dev/transforms/models"
)

// Number is what a learner computes in: float32, or float64 to check it.
type Number interface{ float32 | float64 }

// Learner computes a network and its gradients on the process's device. Its methods
// may be called from several goroutines at once, and give the same bits however many.
type Learner[T Number] struct {
	Net     Net
	callers int
	backend compute.Backend

	mutex    sync.Mutex
	programs map[string]*graph.Exec
}

// NewLearner opens the device for a network. Close releases what was compiled.
func NewLearner[T Number](net Net) (*Learner[T], error) {
	if err := net.Check(); err != nil {
		return nil, err
	}
	backend, callers, err := models.OpenDevice()
	if err != nil {
		return nil, err
	}
	return &Learner[T]{Net: net, callers: callers, backend: backend, programs: map[string]*graph.Exec{}}, nil
}

// Callers is how many goroutines make use of the device.
func (l *Learner[T]) Callers() int { return l.callers }

// Close releases the compiled programs; no call may be under way.
func (l *Learner[T]) Close() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, p := range l.programs {
		p.Finalize()
	}
	clear(l.programs)
}

// Logits are [n, classes] of images.
func (l *Learner[T]) Logits(theta, images []T) ([]T, error) {
	out, err := l.call("logits", func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{l.Net.logits(in[1], in[0], &rectifier{})}
	}, l.vector(theta), l.images(images))
	return first(out), err
}

// Features are the inputs of the last layer, [n, features].
func (l *Learner[T]) Features(theta, images []T) ([]T, error) {
	out, err := l.call("features", func(in []*graph.Node) []*graph.Node {
		return []*graph.Node{l.Net.features(in[1], l.Net.weights(in[0]), &rectifier{})}
	}, l.vector(theta), l.images(images))
	return first(out), err
}

// PullFeatures is the gradient by the images of the product of their features with a
// cotangent [n, features].
func (l *Learner[T]) PullFeatures(theta, images, cotangent []T) ([]T, error) {
	out, err := l.call("pull features", func(in []*graph.Node) []*graph.Node {
		f := l.Net.features(in[1], l.Net.weights(in[0]), &rectifier{})
		return graph.Gradient(graph.ReduceAllSum(graph.Mul(f, in[2])), in[1])
	}, l.vector(theta), l.images(images), operand[T]{cotangent, []int{l.count(images), -1}})
	return first(out), err
}

// Gradient is the mean cross entropy of images with targets [n, classes], and its
// gradient by the parameters.
func (l *Learner[T]) Gradient(theta, images, targets []T) (loss T, gradient []T, err error) {
	out, err := l.call("gradient", func(in []*graph.Node) []*graph.Node {
		loss := crossEntropy(l.Net.logits(in[1], in[0], &rectifier{}), in[2])
		return []*graph.Node{loss, graph.Gradient(loss, in[0])[0]}
	}, l.vector(theta), l.images(images), l.targets(targets))
	if err != nil {
		return 0, nil, err
	}
	return out[0][0], out[1], nil
}

func first[T any](out [][]T) []T {
	if len(out) == 0 {
		return nil
	}
	return out[0]
}

// operand is an input of a program; an extent of -1 follows from the others.
type operand[T Number] struct {
	values []T
	shape  []int
}

func (l *Learner[T]) vector(v []T) operand[T] { return operand[T]{v, []int{len(v)}} }

func (l *Learner[T]) count(images []T) int { return len(images) / l.Net.Image.Size() }

func (l *Learner[T]) images(v []T) operand[T] {
	s := l.Net.Image
	return operand[T]{v, []int{l.count(v), s.Height, s.Width, s.Channels}}
}

func (l *Learner[T]) targets(v []T) operand[T] {
	return operand[T]{v, []int{len(v) / l.Net.Classes, l.Net.Classes}}
}

// tensor copies an operand for the device.
func (o operand[T]) tensor() (*tensors.Tensor, error) {
	shape, product, open := append([]int(nil), o.shape...), 1, -1
	for i, extent := range shape {
		if extent < 0 {
			open = i
			continue
		}
		product *= extent
	}
	if open >= 0 && product > 0 {
		shape[open] = len(o.values) / product
		product *= shape[open]
	}
	if product == 0 || product != len(o.values) {
		return nil, fmt.Errorf("%d values for a shape of %v", len(o.values), o.shape)
	}
	return tensors.FromFlatDataAndDimensions(o.values, shape...), nil
}

// call runs a program, compiled once a shape of its inputs, and copies its outputs.
func (l *Learner[T]) call(name string, build func([]*graph.Node) []*graph.Node, in ...operand[T]) (out [][]T, err error) {
	defer models.Recover(&err, l.Net.Family+" "+name)
	program, err := l.program(name, build)
	if err != nil {
		return nil, err
	}
	arguments := make([]any, len(in))
	for i, o := range in {
		t, err := o.tensor()
		if err != nil {
			return nil, err
		}
		defer t.FinalizeAll()
		arguments[i] = t
	}
	results, err := program.Call(arguments...)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		values, err := tensors.CopyFlatData[T](r)
		r.FinalizeAll()
		if err != nil {
			return nil, err
		}
		out = append(out, values)
	}
	return out, nil
}

func (l *Learner[T]) program(name string, build func([]*graph.Node) []*graph.Node) (*graph.Exec, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if p := l.programs[name]; p != nil {
		return p, nil
	}
	p, err := models.NewProgram(l.backend, name, build)
	if err != nil {
		return nil, err
	}
	l.programs[name] = p
	return p, nil
}
