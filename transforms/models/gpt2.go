package models

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// gpt2Hidden builds the hidden states of GPT-2: learnt positions, layer
// normalisation before each block, and a feed-forward layer with the tanh form of
// GELU (Radford et al. 2019).
//
// ids is [rows, length] of int32; the result is [rows*length, width], normalised and
// ready for the head.
func gpt2Hidden(c *config, ids *graph.Node, w weights) *graph.Node {
	rows, length := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	positions := single(graph.Slice(w["wpe.weight"], graph.AxisRange(0, length), graph.AxisRange()))
	positions = graph.Reshape(graph.BroadcastPrefix(positions, rows), rows*length, c.Width)

	x := graph.Add(embedTokens(w["wte.weight"], ids), positions)
	for i := range c.Layers {
		w := w.under(fmt.Sprintf("h.%d.", i))

		h := layerNorm(x, w["ln_1.weight"], w["ln_1.bias"], c.NormEps)
		qkv := splitHeads(affine(h, w, "attn.c_attn"), rows, 3*c.Heads)
		parts := graph.Split(as(w["attn.c_attn.weight"], qkv), 1, 3)
		x = graph.Add(x, affine(causalAttention(single(parts[0]), parts[1], parts[2], 0), w, "attn.c_proj"))

		h = layerNorm(x, w["ln_2.weight"], w["ln_2.bias"], c.NormEps)
		x = graph.Add(x, affine(gelu(affine(h, w, "mlp.c_fc")), w, "mlp.c_proj"))
	}
	return layerNorm(x, w["ln_f.weight"], w["ln_f.bias"], c.NormEps)
}

// affine is x [n, in] times the named [in, out] weight plus its bias, if it has one.
func affine(x *graph.Node, w weights, name string) *graph.Node {
	x = linear(x, w[name+".weight"])
	if bias, ok := w[name+".bias"]; ok {
		x = graph.Add(x, graph.ExpandLeftToRank(bias, 2))
	}
	return x
}

// layerNorm normalises each row of x [n, width] to mean 0 and variance 1, then
// applies gain and bias.
func layerNorm(x, gain, bias *graph.Node, epsilon float64) *graph.Node {
	fused := func() *graph.Node { return graph.BackendFusedLayerNorm(x, []int{1}, epsilon, gain, bias) }
	plain := func() *graph.Node {
		centred := graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, -1))
		variance := graph.ReduceAndKeep(graph.Square(centred), graph.ReduceMean, -1)
		scaled := graph.Mul(centred, graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, epsilon))))
		return graph.Add(graph.Mul(scaled, graph.ExpandLeftToRank(gain, 2)), graph.ExpandLeftToRank(bias, 2))
	}
	out, _ := graph.InternalFusedOpCaller(fused, plain, false)
	return out
}

// gelu is the tanh approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415).
func gelu(x *graph.Node) *graph.Node {
	const sqrt2OverPi = 0.7978845608028654
	cubic := graph.Mul(x, graph.AddScalar(graph.MulScalar(graph.Square(x), 0.044715), 1))
	return graph.Mul(graph.MulScalar(x, 0.5), graph.AddScalar(graph.Tanh(graph.MulScalar(cubic, sqrt2OverPi)), 1))
}
