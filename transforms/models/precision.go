package models

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Precision is the number type in which a model multiplies matrices. Everything else,
// sums of products included, is float32.
type Precision string

// The precisions. Half keeps 8 bits of each factor: a text's mean log-probability moves by
// some thousandths. It is for GPUs; processors are slower with it.
const (
	Single Precision = "float32"
	Half   Precision = "bfloat16"
)

func (p Precision) check(backend compute.Backend) error {
	switch p {
	case "", Single:
		return nil
	case Half:
		if backend.Name() != onXLA {
			return fmt.Errorf("precision %s needs XLA (`make xla`, --backend xla), or leave it at %s", p, Single)
		}
		return nil
	}
	return fmt.Errorf("no precision %q (%s or %s)", p, Single, Half)
}

func (p Precision) dtype() dtypes.DType {
	if p == Half {
		return dtypes.BFloat16
	}
	return dtypes.Float32
}

// dot is the product of a and b in the precision of b, in float32: axes are those of
// graph.DotGeneral.
func dot(a *graph.Node, aContract, aBatch []int, b *graph.Node, bContract, bBatch []int) *graph.Node {
	if b.DType() == dtypes.Float32 {
		return graph.DotGeneral(a, aContract, aBatch, b, bContract, bBatch)
	}
	return graph.Dot(graph.ConvertDType(a, b.DType()), b).
		WithAccumulatorDType(dtypes.Float32).WithOutputDType(dtypes.Float32).
		General(aContract, aBatch, bContract, bBatch)
}

// single is x in float32.
func single(x *graph.Node) *graph.Node {
	if x.DType() == dtypes.Float32 {
		return x
	}
	return graph.ConvertDType(x, dtypes.Float32)
}

// as is x in the precision of a weight.
func as(weight, x *graph.Node) *graph.Node {
	if x.DType() == weight.DType() {
		return x
	}
	return graph.ConvertDType(x, weight.DType())
}
