package models

import (
	"math"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// weights are a model's tensors by name, as nodes of one graph.
type weights map[string]*graph.Node

// under gives the weights whose name starts with prefix, without it.
func (w weights) under(prefix string) weights {
	out := weights{}
	for name, node := range w {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			out[rest] = node
		}
	}
	return out
}

// embedTokens looks ids [rows, length] up in table [vocab, width]; the result is
// [rows*length, width]. Ids are checked on the host: the lookup clamps silently.
func embedTokens(table, ids *graph.Node) *graph.Node {
	return graph.Gather(table, graph.Reshape(ids, -1, 1))
}

// linear is x [n, in] times weight [in, out].
func linear(x, weight *graph.Node) *graph.Node {
	return graph.DotGeneral(x, []int{1}, nil, weight, []int{0}, nil)
}

// splitHeads turns [rows*length, heads*dim] into [rows, heads, length, dim].
func splitHeads(x *graph.Node, rows, heads int) *graph.Node {
	n, width := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	return graph.TransposeAllAxes(graph.Reshape(x, rows, n/rows, heads, width/heads), 0, 2, 1, 3)
}

// causalAttention is scaled dot-product attention in which a position sees itself and
// what is before it. Padding on the right needs no mask of its own: no valid position
// sees it.
//
// q is [rows, heads, length, dim], k and v [rows, kvHeads, length, dim] where each
// key-value head serves heads/kvHeads successive query heads. The result is
// [rows*length, heads*dim].
func causalAttention(q, k, v *graph.Node) *graph.Node {
	d := q.Shape().Dimensions
	rows, heads, length, dim := d[0], d[1], d[2], d[3]
	kvHeads := k.Shape().Dimensions[1]
	group := heads / kvHeads

	// Heads that share keys are stacked, so keys are never repeated.
	batch := rows * kvHeads
	q = graph.Reshape(graph.MulScalar(q, 1/math.Sqrt(float64(dim))), batch, group*length, dim)
	k = graph.Reshape(k, batch, length, dim)
	v = graph.Reshape(v, batch, length, dim)

	scores := graph.DotGeneral(q, []int{2}, []int{0}, k, []int{2}, []int{0})
	scores = graph.Reshape(scores, batch*group, length, length)
	scores = graph.Add(scores, causalMask(q.Graph(), length))
	shares := graph.Reshape(graph.Softmax(scores, -1), batch, group*length, length)
	out := graph.DotGeneral(shares, []int{2}, []int{0}, v, []int{1}, []int{0})

	out = graph.Reshape(out, rows, heads, length, dim)
	return graph.Reshape(graph.TransposeAllAxes(out, 0, 2, 1, 3), rows*length, heads*dim)
}

// causalMask is [1, length, length]: 0 where the column is not after the row, else a
// number whose exponential is exactly 0.
func causalMask(g *graph.Graph, length int) *graph.Node {
	shape := shapes.Make(dtypes.Int32, length, length)
	seen := graph.GreaterOrEqual(graph.Iota(g, shape, 0), graph.Iota(g, shape, 1))
	zero := graph.ScalarZero(g, dtypes.Float32)
	hidden := graph.Scalar(g, dtypes.Float32, -1e30)
	mask := graph.Where(seen, graph.BroadcastToDims(zero, length, length), graph.BroadcastToDims(hidden, length, length))
	return graph.ExpandLeftToRank(mask, 3)
}
