package models

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Recover turns a panic of the graph library into an error; to be deferred.
func Recover(err *error, what string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: %v", what, p)
	}
}

// OpenDevice is the process's compute backend, for the packages below this one that build
// graphs of their own, and how many executions at a time make use of it.
func OpenDevice() (backend compute.Backend, callers int, err error) {
	backend, err = device()
	if err != nil {
		return nil, 0, err
	}
	return backend, traitsOf(backend).callers(), nil
}

// NewProgram compiles a graph function of several inputs and outputs lazily, once the
// inputs' shapes. Finalize frees it.
func NewProgram(backend compute.Backend, name string, build func(inputs []*graph.Node) []*graph.Node) (p *graph.Exec, err error) {
	defer Recover(&err, name)
	exec, err := graph.NewExec(backend, func(nodes []*graph.Node) []*graph.Node {
		defer panicWithError()
		return build(nodes)
	})
	if err != nil {
		return nil, err
	}
	// Shapes are bucketed, so their number is bounded without a limit here.
	return exec.WithName(name).SetMaxCache(-1), nil
}

// program is a compiled graph function and the weights it is fed after its inputs.
type program struct {
	exec    *graph.Exec
	weights []*tensors.Tensor
}

// newProgram compiles build lazily, once an input shape. build gets one input and the
// weights' nodes in order.
func newProgram(backend compute.Backend, name string, weights []*tensors.Tensor, build func(input *graph.Node, weights []*graph.Node) *graph.Node) (*program, error) {
	exec, err := NewProgram(backend, name, func(nodes []*graph.Node) []*graph.Node {
		return []*graph.Node{build(nodes[0], nodes[1:])}
	})
	if err != nil {
		return nil, err
	}
	return &program{exec: exec, weights: weights}, nil
}

// panicWithError makes a panic of any value one of an error; to be deferred. The graph
// library recovers errors only: past any other value, callers that wait for the same
// shape to compile would wait for ever.
func panicWithError() {
	switch p := recover().(type) {
	case nil:
	case error:
		panic(p)
	default:
		panic(fmt.Errorf("%v", p))
	}
}

// run executes the graph on one input and hands the flat result to use, which must
// not keep it.
func (p *program) run(input *tensors.Tensor, use func(flat []float32)) (err error) {
	defer input.FinalizeAll()
	return p.call([]*tensors.Tensor{input}, use)
}

// call is run with several inputs, which stay the caller's.
func (p *program) call(inputs []*tensors.Tensor, use func(flat []float32)) (err error) {
	defer Recover(&err, p.exec.Name())
	arguments := make([]any, 0, len(inputs)+len(p.weights))
	for _, t := range inputs {
		arguments = append(arguments, t)
	}
	for _, w := range p.weights {
		arguments = append(arguments, w)
	}
	output, err := p.exec.Call1(arguments...)
	if err != nil {
		return err
	}
	defer output.FinalizeAll()
	return tensors.ConstFlatData(output, use)
}

func (p *program) close() { p.exec.Finalize() }

// upload puts the values of a parameter on the device, a matrix in the given precision.
func upload(backend compute.Backend, values []float32, p parameter, precision Precision) (t *tensors.Tensor, err error) {
	defer Recover(&err, "upload")
	shape, number := p.shape, dtypes.Float32
	if p.transpose {
		shape = []int{shape[1], shape[0]}
	}
	if len(shape) == 2 {
		number = precision.dtype()
	}
	t, err = tensors.FromShapeForBackend(backend, 0, shapes.Make(number, shape...))
	if err != nil {
		return nil, err
	}
	if number == dtypes.Float32 {
		err = tensors.MutableFlatData(t, func(flat []float32) { p.arrange(flat, values) })
		return t, err
	}
	arranged := make([]float32, len(values))
	p.arrange(arranged, values)
	err = tensors.MutableFlatData(t, func(flat []bfloat16.BFloat16) {
		for i, v := range arranged {
			flat[i] = bfloat16.FromFloat32(v)
		}
	})
	return t, err
}

// arrange copies stored values to where the device wants them.
func (p parameter) arrange(dst, src []float32) {
	if p.transpose {
		transposeInto(dst, src, p.shape[0], p.shape[1])
		return
	}
	copy(dst, src)
}

// transposeInto writes the transpose of the row-major rows x columns matrix src to
// dst, in tiles so that both sides stay in cache.
func transposeInto(dst, src []float32, rows, columns int) {
	const tile = 32
	for top := 0; top < rows; top += tile {
		for left := 0; left < columns; left += tile {
			for r := top; r < min(top+tile, rows); r++ {
				for c := left; c < min(left+tile, columns); c++ {
					dst[c*rows+r] = src[r*columns+c]
				}
			}
		}
	}
}
