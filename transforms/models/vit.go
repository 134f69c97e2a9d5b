package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// visionConfig is the config.json of a vision transformer.
type visionConfig struct {
	Type       string  `json:"model_type"`
	Layers     int     `json:"num_hidden_layers"`
	Width      int     `json:"hidden_size"`
	Heads      int     `json:"num_attention_heads"`
	Image      int     `json:"image_size"` // pixels it was trained on, a square
	Patch      int     `json:"patch_size"`
	Channels   *int    `json:"num_channels"`
	NormEps    float64 `json:"layer_norm_eps"`
	Activation string  `json:"hidden_act"`
	QKVBias    *bool   `json:"qkv_bias"`
	Hidden     int     `json:"intermediate_size"`   // vit
	Ratio      float64 `json:"mlp_ratio"`           // dinov2
	SwiGLU     bool    `json:"use_swiglu_ffn"`      // dinov2
	Registers  int     `json:"num_register_tokens"` // dinov2_with_registers
}

const positionsName = "embeddings.position_embeddings"

// visionTypes are the vision encoders, as configurations name them.
var visionTypes = []string{"dinov2", "dinov2_with_registers", "vit"}

func (c *visionConfig) check() error {
	if !slices.Contains(visionTypes, c.Type) {
		return fmt.Errorf("architecture %q is not supported (supported: %s)", c.Type, strings.Join(visionTypes, ", "))
	}
	if c.isViT() {
		c.Registers, c.SwiGLU = 0, false
	} else if c.Ratio == 0 {
		c.Ratio = 4
	}
	for _, p := range []struct {
		name  string
		value int
	}{{"num_hidden_layers", c.Layers}, {"hidden_size", c.Width}, {"num_attention_heads", c.Heads}, {"image_size", c.Image}, {"patch_size", c.Patch}, {"feed-forward size", c.hidden()}} {
		if p.value <= 0 || p.value > maxDimension {
			return fmt.Errorf("%s is %d", p.name, p.value)
		}
	}
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%d layers are more than %d", c.Layers, maxLayers)
	case c.Width%c.Heads != 0:
		return fmt.Errorf("hidden size %d is not a multiple of %d heads", c.Width, c.Heads)
	case c.Image < c.Patch || c.Image > 1<<14 || c.Patch > 1<<10:
		return fmt.Errorf("an image of %d pixels in patches of %d", c.Image, c.Patch)
	case c.Registers < 0 || c.Registers > 1<<10:
		return fmt.Errorf("num_register_tokens is %d", c.Registers)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("layer_norm_eps is %v", c.NormEps)
	case c.Activation != "gelu" && c.Activation != "":
		return fmt.Errorf("hidden_act %q is not supported (gelu)", c.Activation)
	case c.Channels != nil && *c.Channels != 3:
		return fmt.Errorf("num_channels is %d, want 3", *c.Channels)
	case c.QKVBias != nil && !*c.QKVBias:
		return fmt.Errorf("qkv_bias=false is not supported")
	}
	return nil
}

func (c *visionConfig) isViT() bool { return c.Type == "vit" }

// stored is the grid of the stored position embeddings.
func (c *visionConfig) stored() grid { return grid{c.Image / c.Patch, c.Image / c.Patch} }

// hidden is the width of the feed-forward layer.
func (c *visionConfig) hidden() int {
	if c.isViT() {
		return c.Hidden
	}
	hidden := int(float64(c.Width) * c.Ratio)
	if c.SwiGLU { // two thirds, rounded up to a multiple of 8
		hidden = (hidden*2/3 + 7) / 8 * 8
	}
	return hidden
}

// names of the parts of a block, which ViT and DINOv2 have under different names.
type vitNames struct{ before, after, up, down string }

func (c *visionConfig) names() vitNames {
	switch {
	case c.isViT():
		return vitNames{"layernorm_before", "layernorm_after", "intermediate.dense", "output.dense"}
	case c.SwiGLU:
		return vitNames{"norm1", "norm2", "mlp.weights_in", "mlp.weights_out"}
	}
	return vitNames{"norm1", "norm2", "mlp.fc1", "mlp.fc2"}
}

// parameters lists the weights. The position embeddings are among them so that they
// are checked; the graph gets them stretched, and as its last weight.
func (c *visionConfig) parameters() []parameter {
	var list parameters
	d := c.Width
	list.plain("embeddings.cls_token", 1, 1, d)
	list.plain(positionsName, 1, 1+c.stored().patches(), d)
	list.plain("embeddings.patch_embeddings.projection.weight", d, 3, c.Patch, c.Patch)
	list.plain("embeddings.patch_embeddings.projection.bias", d)
	if c.Registers > 0 {
		list.plain("embeddings.register_tokens", 1, c.Registers, d)
	}
	names := c.names()
	for i := range c.Layers {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		list.norm(layer+names.before, d)
		for _, part := range []string{"query", "key", "value"} {
			list.affine(layer+"attention.attention."+part, d, d)
		}
		list.affine(layer+"attention.output.dense", d, d)
		list.norm(layer+names.after, d)
		if c.SwiGLU {
			list.affine(layer+names.up, 2*c.hidden(), d)
		} else {
			list.affine(layer+names.up, c.hidden(), d)
		}
		list.affine(layer+names.down, d, c.hidden())
		if !c.isViT() {
			list.plain(layer+"layer_scale1.lambda1", d)
			list.plain(layer+"layer_scale2.lambda1", d)
		}
	}
	list.norm("layernorm", d)
	return list
}

// vitClassToken builds the normalised class tokens [rows, width] of patches
// [rows, n, 3*size*size].
func vitClassToken(c *visionConfig, patches *graph.Node, w weights) *graph.Node {
	d := patches.Shape().Dimensions
	rows, n, values := d[0], d[1], d[2]
	project := graph.Transpose(graph.Reshape(w["embeddings.patch_embeddings.projection.weight"], c.Width, values), 0, 1)
	x := linear(graph.Reshape(patches, rows*n, values), project)
	x = graph.Add(x, graph.ExpandLeftToRank(w["embeddings.patch_embeddings.projection.bias"], 2))
	x = graph.Reshape(x, rows, n, c.Width)

	positions := w[positionsName]
	class := graph.Add(graph.Reshape(w["embeddings.cls_token"], 1, c.Width), graph.Slice(positions, graph.AxisRange(0, 1), graph.AxisRange()))
	x = graph.Add(x, graph.BroadcastPrefix(graph.Slice(positions, graph.AxisRange(1), graph.AxisRange()), rows))
	tokens := []*graph.Node{graph.BroadcastPrefix(class, rows)}
	if c.Registers > 0 {
		tokens = append(tokens, graph.BroadcastPrefix(graph.Reshape(w["embeddings.register_tokens"], c.Registers, c.Width), rows))
	}
	length := 1 + c.Registers + n
	x = graph.Reshape(graph.Concatenate(append(tokens, x), 1), rows*length, c.Width)

	names := c.names()
	for i := range c.Layers {
		w := w.under(fmt.Sprintf("encoder.layer.%d.", i))

		h := layerNorm(x, w[names.before+".weight"], w[names.before+".bias"], c.NormEps)
		q := splitHeads(affine(h, w, "attention.attention.query"), rows, c.Heads)
		k := splitHeads(affine(h, w, "attention.attention.key"), rows, c.Heads)
		v := splitHeads(affine(h, w, "attention.attention.value"), rows, c.Heads)
		k, v = as(w["attention.output.dense.weight"], k), as(w["attention.output.dense.weight"], v)
		h = affine(attention(q, k, v, nil), w, "attention.output.dense")
		x = graph.Add(x, layerScale(h, w["layer_scale1.lambda1"]))

		h = layerNorm(x, w[names.after+".weight"], w[names.after+".bias"], c.NormEps)
		h = affine(h, w, names.up)
		if c.SwiGLU {
			parts := graph.Split(h, 1, 2)
			h = graph.Mul(silu(parts[0]), parts[1])
		} else {
			h = exactGELU(h)
		}
		x = graph.Add(x, layerScale(affine(h, w, names.down), w["layer_scale2.lambda1"]))
	}
	first := graph.Slice(graph.Reshape(x, rows, length, c.Width), graph.AxisRange(), graph.AxisRange(0, 1), graph.AxisRange())
	return layerNorm(graph.Reshape(first, rows, c.Width), w["layernorm.weight"], w["layernorm.bias"], c.NormEps)
}

// layerScale multiplies the columns of x [n, width], where the architecture does.
func layerScale(x, scale *graph.Node) *graph.Node {
	if scale == nil {
		return x
	}
	return graph.Mul(x, graph.ExpandLeftToRank(scale, 2))
}

// exactGELU is x Φ(x) (Hendrycks and Gimpel 2016, arXiv:1606.08415).
func exactGELU(x *graph.Node) *graph.Node {
	fused := func() *graph.Node { return graph.BackendFusedGelu(x, true) }
	plain := func() *graph.Node {
		const halfRoot2 = 0.7071067811865476
		return graph.Mul(graph.MulScalar(x, 0.5), graph.AddScalar(graph.Erf(graph.MulScalar(x, halfRoot2)), 1))
	}
	out, _ := graph.InternalFusedOpCaller(fused, plain, false)
	return out
}
