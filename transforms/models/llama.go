package models

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// llamaHidden builds the hidden states of Llama-shaped models: RMS normalisation
// before each block, rotary positions, grouped-query attention and a gated
// feed-forward layer (Touvron et al. 2023, arXiv:2302.13971; RoPE: Su et al. 2021,
// arXiv:2104.09864, in the half-rotation layout of published weights). Mistral adds a
// sliding window, Qwen2 biases, Qwen3 normalised heads, Llama 3.1 slower rotations.
//
// ids is [rows, length] of int32; the result is [rows*length, width], normalised and
// ready for the head.
func llamaHidden(c *config, ids *graph.Node, w weights) *graph.Node {
	rotate := newRotation(ids.Graph(), c, ids.Shape().Dimensions[1])
	return llamaBlocks(c, ids, w, rotate, func(_ int, q, k, v *graph.Node) *graph.Node {
		return causalAttention(q, k, v, c.Window)
	})
}

// llamaBlocks is llamaHidden with other rotations and another attention, which gets the
// number of the layer.
func llamaBlocks(c *config, ids *graph.Node, w weights, rotate func(*graph.Node) *graph.Node, attention func(layer int, q, k, v *graph.Node) *graph.Node) *graph.Node {
	rows := ids.Shape().Dimensions[0]
	x := embedTokens(w["embed_tokens.weight"], ids)
	for i := range c.Layers {
		w := w.under(fmt.Sprintf("layers.%d.", i))

		h := rmsNorm(x, w["input_layernorm.weight"], c.NormEps)
		q := headNorm(affine(h, w, "self_attn.q_proj"), w["self_attn.q_norm.weight"], c)
		k := headNorm(affine(h, w, "self_attn.k_proj"), w["self_attn.k_norm.weight"], c)
		v := splitHeads(affine(h, w, "self_attn.v_proj"), rows, c.KVHeads)
		q, k = rotate(splitHeads(q, rows, c.Heads)), rotate(splitHeads(k, rows, c.KVHeads))
		k, v = as(w["self_attn.o_proj.weight"], k), as(w["self_attn.o_proj.weight"], v)
		x = graph.Add(x, affine(attention(i, q, k, v), w, "self_attn.o_proj"))

		h = rmsNorm(x, w["post_attention_layernorm.weight"], c.NormEps)
		gate := silu(linear(h, w["mlp.gate_proj.weight"]))
		up := linear(h, w["mlp.up_proj.weight"])
		x = graph.Add(x, linear(graph.Mul(gate, up), w["mlp.down_proj.weight"]))
	}
	return rmsNorm(x, w["norm.weight"], c.NormEps)
}

// rmsNorm scales each row of x [n, width] to unit root mean square, then by gain.
func rmsNorm(x, gain *graph.Node, epsilon float64) *graph.Node {
	square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, -1)
	scale := graph.Reciprocal(graph.Sqrt(graph.AddScalar(square, epsilon)))
	return graph.Mul(graph.Mul(x, scale), graph.ExpandLeftToRank(gain, 2))
}

// headNorm normalises each head of x [n, heads*dim] where the architecture does
// (Qwen3).
func headNorm(x, gain *graph.Node, c *config) *graph.Node {
	if gain == nil {
		return x
	}
	n, width := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	return graph.Reshape(rmsNorm(graph.Reshape(x, n*width/c.HeadDim, c.HeadDim), gain, c.NormEps), n, width)
}

// newRotation returns the rotary embedding of heads [rows, heads, length, dim]: value i
// of the first half and value i of the second are a pair, turned by
// position * base^(-2i/dim).
//
// The tables are repeated over rows and heads once, for all layers: products of equal
// shapes are several times faster than broadcasts.
func newRotation(g *graph.Graph, c *config, length int) func(*graph.Node) *graph.Node {
	half := c.HeadDim / 2
	cosTable, sinTable := rotationTables(c, length)
	cos, sin := graph.Const(g, cosTable), graph.Const(g, sinTable)
	return func(x *graph.Node) *graph.Node {
		d := x.Shape().Dimensions
		repeated := func(table *graph.Node) *graph.Node {
			return graph.Reshape(graph.BroadcastPrefix(table, d[0]*d[1]), d[0], d[1], length, half)
		}
		return turned(x, repeated(cos), repeated(sin))
	}
}

// turned rotates heads [rows, heads, length, dim] by angles [rows, heads, length, dim/2].
func turned(x, cos, sin *graph.Node) *graph.Node {
	half := x.Shape().Dimensions[3] / 2
	a := graph.SliceAxis(x, -1, graph.AxisRange(0, half))
	b := graph.SliceAxis(x, -1, graph.AxisRange(half, 2*half))
	return graph.Concatenate([]*graph.Node{
		graph.Sub(graph.Mul(a, cos), graph.Mul(b, sin)),
		graph.Add(graph.Mul(b, cos), graph.Mul(a, sin)),
	}, -1)
}

// rotationTables gives cosine and sine by position and pair.
func rotationTables(c *config, length int) (cos, sin [][]float32) {
	for position := range length {
		cosRow, sinRow := rotationAt(c, position)
		cos, sin = append(cos, cosRow), append(sin, sinRow)
	}
	return cos, sin
}

// rotationAt gives cosine and sine at a position by pair. The angle is rounded to
// float32 on the way, as in the implementations the weights were trained with.
func rotationAt(c *config, position int) (cos, sin []float32) {
	half := c.HeadDim / 2
	cos, sin = make([]float32, half), make([]float32, half)
	for i := range half {
		frequency := float32(1 / math.Pow(c.RopeBase, float64(2*i)/float64(c.HeadDim)))
		if c.RopeDivisors != nil {
			frequency = float32(float64(frequency) / c.RopeDivisors[i])
		}
		angle := float64(float32(position) * frequency)
		cos[i], sin[i] = float32(math.Cos(angle)), float32(math.Sin(angle))
	}
	return cos, sin
}
