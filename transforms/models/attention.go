package models

import (
	"math"
	"slices"
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
	return single(graph.Gather(table, graph.Reshape(ids, -1, 1)))
}

// linear is x [n, in] times weight [in, out].
func linear(x, weight *graph.Node) *graph.Node {
	n, in, out := x.Shape().Dimensions[0], weight.Shape().Dimensions[0], weight.Shape().Dimensions[1]
	x = extend(x, least(x.Graph(), in*out))
	return first(dot(x, []int{1}, nil, weight, []int{0}, nil), n)
}

// least is how many rows, or matrices, a product needs that takes the given number of
// multiplications for each; see [traits].
func least(g *graph.Graph, each int) int {
	total := traitsOf(g.Backend()).leastProduct
	if total == 0 {
		return 0
	}
	return total/each + 1
}

// extend appends zeros to the first axis until it has n elements.
func extend(x *graph.Node, n int) *graph.Node {
	d := slices.Clone(x.Shape().Dimensions)
	if d[0] >= n {
		return x
	}
	d[0] = n - d[0]
	return graph.Concatenate([]*graph.Node{x, graph.Zeros(x.Graph(), shapes.Make(x.DType(), d...))}, 0)
}

// first is the first n elements of the first axis.
func first(x *graph.Node, n int) *graph.Node {
	if x.Shape().Dimensions[0] == n {
		return x
	}
	return graph.SliceAxis(x, 0, graph.AxisRange(0, n))
}

// silu is x times the logistic function of x.
func silu(x *graph.Node) *graph.Node {
	return graph.Mul(x, traitsOf(x.Graph().Backend()).logistic(x))
}

// splitHeads turns [rows*length, heads*dim] into [rows, heads, length, dim].
func splitHeads(x *graph.Node, rows, heads int) *graph.Node {
	n, width := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	return graph.TransposeAllAxes(graph.Reshape(x, rows, n/rows, heads, width/heads), 0, 2, 1, 3)
}

// causalAttention is scaled dot-product attention in which a position sees itself and
// what is before it, window positions in all if window is not 0. Padding on the right
// needs no mask of its own: no valid position sees it.
//
// A block of positions attends together. Keys that none of them sees are left out, so
// about half of the scores of a long row are never computed.
//
// q is [rows, heads, length, dim], k and v [rows, kvHeads, length, dim] where each
// key-value head serves heads/kvHeads successive query heads. The result is
// [rows*length, heads*dim].
func causalAttention(q, k, v *graph.Node, window int) *graph.Node {
	d := q.Shape().Dimensions
	rows, heads, length, dim := d[0], d[1], d[2], d[3]
	q = graph.MulScalar(q, 1/math.Sqrt(float64(dim)))
	block := min(traitsOf(q.Graph().Backend()).queryBlock, length)
	var blocks []*graph.Node
	for start := 0; start < length; start += block {
		end, from := min(start+block, length), 0
		if window > 0 {
			from = max(0, start-window+1)
		}
		blocks = append(blocks, attendBlock(along(q, start, end), along(k, from, end), along(v, from, end), window))
	}
	out := blocks[0]
	if len(blocks) > 1 {
		out = graph.Concatenate(blocks, 2)
	}
	return graph.Reshape(graph.TransposeAllAxes(out, 0, 2, 1, 3), rows*length, heads*dim)
}

// along cuts positions start to end out of [rows, heads, length, dim].
func along(x *graph.Node, start, end int) *graph.Node {
	if start == 0 && end == x.Shape().Dimensions[2] {
		return x
	}
	return graph.SliceAxis(x, 2, graph.AxisRange(start, end))
}

// attendBlock lets the scaled queries of the last positions attend to all of k and v
// up to their own.
func attendBlock(q, k, v *graph.Node, window int) *graph.Node {
	d, keys, group := q.Shape().Dimensions, k.Shape().Dimensions[2], q.Shape().Dimensions[1]/k.Shape().Dimensions[1]
	return attend(q, k, v, func(scores []int) *graph.Node {
		return causalMask(q.Graph(), d[0]*k.Shape().Dimensions[1]*group, d[2], keys, window, scores)
	})
}

// attention is scaled dot-product attention of every position to every other, with
// bias, if there is one, added to the scores: [rows, heads, queries, keys]. Shapes are
// those of causalAttention.
func attention(q, k, v, bias *graph.Node) *graph.Node {
	d := q.Shape().Dimensions
	rows, heads, length, dim := d[0], d[1], d[2], d[3]
	q = graph.MulScalar(q, 1/math.Sqrt(float64(dim)))
	out := attend(q, k, v, func(scores []int) *graph.Node {
		if bias == nil {
			return nil
		}
		return extend(graph.Reshape(bias, rows*heads, length, length), scores[0])
	})
	return graph.Reshape(graph.TransposeAllAxes(out, 0, 2, 1, 3), rows*length, heads*dim)
}

// attend lets scaled queries attend to all of k and v. Heads that share keys are
// stacked, so keys are never repeated. Products have the precision of k and v. bias gives what is added to the scores, in
// their shape, nil for nothing.
func attend(q, k, v *graph.Node, bias func(scores []int) *graph.Node) *graph.Node {
	d, keys, kvHeads := q.Shape().Dimensions, k.Shape().Dimensions[2], k.Shape().Dimensions[1]
	rows, heads, queries, dim := d[0], d[1], d[2], d[3]
	batch, group := rows*kvHeads, heads/kvHeads
	q = graph.Reshape(q, batch, group*queries, dim)
	k = graph.Reshape(k, batch, keys, dim)
	v = graph.Reshape(v, batch, keys, dim)

	least := least(q.Graph(), group*queries*keys*dim)
	scores := first(dot(extend(q, least), []int{2}, []int{0}, extend(k, least), []int{2}, []int{0}), batch)
	if b := bias(scores.Shape().Dimensions); b != nil {
		scores = graph.Add(scores, b)
	}
	out := first(dot(extend(graph.Softmax(scores, -1), least), []int{2}, []int{0}, extend(v, least), []int{1}, []int{0}), batch)
	return graph.Reshape(out, rows, heads, queries, dim)
}

// causalMask is 0 where the key is not after the query, nor window or more before it if
// window is not 0, else a number whose exponential
// is exactly 0, for queries that are the last of the keys; one copy for each of a
// number of heads, in the shape of their scores. The copies cost memory but are shared
// by all layers, and sums of equal shapes are several times faster than broadcasts.
func causalMask(g *graph.Graph, copies, queries, keys, window int, scores []int) *graph.Node {
	shape := shapes.Make(dtypes.Int32, queries, keys)
	position := graph.AddScalar(graph.Iota(g, shape, 0), int32(keys-queries))
	key := graph.Iota(g, shape, 1)
	seen := graph.GreaterOrEqual(position, key)
	if window > 0 {
		near := graph.LessThan(graph.Sub(position, key), graph.Scalar(g, dtypes.Int32, int32(window)))
		seen = graph.LogicalAnd(seen, near)
	}
	zero := graph.ScalarZero(g, dtypes.Float32)
	hidden := graph.Scalar(g, dtypes.Float32, -1e30)
	mask := graph.Where(seen, graph.BroadcastToDims(zero, queries, keys), graph.BroadcastToDims(hidden, queries, keys))
	return graph.Reshape(graph.BroadcastPrefix(mask, copies), scores...)
}
