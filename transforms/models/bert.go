package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// bertConfig is the config.json of a BERT-shaped text encoder (Devlin et al. 2018,
// arXiv:1810.04805), MiniLM among them.
type bertConfig struct {
	Type       string  `json:"model_type"`
	Vocab      int     `json:"vocab_size"`
	Layers     int     `json:"num_hidden_layers"`
	Width      int     `json:"hidden_size"`
	Heads      int     `json:"num_attention_heads"`
	Hidden     int     `json:"intermediate_size"`
	Positions  int     `json:"max_position_embeddings"`
	Types      int     `json:"type_vocab_size"`
	NormEps    float64 `json:"layer_norm_eps"`
	Activation string  `json:"hidden_act"`
	Embedding  string  `json:"position_embedding_type"`
	Padding    int     `json:"pad_token_id"`
}

// bertTypes are the text encoders, as configurations name them.
var bertTypes = []string{"bert", "roberta", "xlm-roberta"}

func (c *bertConfig) check() error {
	if !slices.Contains(bertTypes, c.Type) {
		return fmt.Errorf("architecture %q is not supported (supported: %s)", c.Type, strings.Join(bertTypes, ", "))
	}
	for _, p := range []struct {
		name  string
		value int
	}{{"vocab_size", c.Vocab}, {"num_hidden_layers", c.Layers}, {"hidden_size", c.Width}, {"num_attention_heads", c.Heads}, {"intermediate_size", c.Hidden}, {"max_position_embeddings", c.Positions}, {"type_vocab_size", c.Types}} {
		if p.value <= 0 || p.value > maxDimension {
			return fmt.Errorf("%s is %d", p.name, p.value)
		}
	}
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%d layers are more than %d", c.Layers, maxLayers)
	case c.Width%c.Heads != 0:
		return fmt.Errorf("hidden size %d is not a multiple of %d heads", c.Width, c.Heads)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("layer_norm_eps is %v", c.NormEps)
	case c.Activation != "gelu" && c.Activation != "":
		return fmt.Errorf("hidden_act %q is not supported (gelu)", c.Activation)
	case c.Embedding != "absolute" && c.Embedding != "":
		return fmt.Errorf("position_embedding_type %q is not supported (absolute)", c.Embedding)
	case c.firstPosition() < 0 || c.context() <= 0:
		return fmt.Errorf("max_position_embeddings is %d with pad_token_id %d", c.Positions, c.Padding)
	}
	return nil
}

// firstPosition is the position of the first token: RoBERTa counts from behind the
// padding's.
func (c *bertConfig) firstPosition() int {
	if c.Type == "bert" {
		return 0
	}
	return c.Padding + 1
}

func (c *bertConfig) context() int { return c.Positions - c.firstPosition() }

func (c *bertConfig) parameters() []parameter {
	var list parameters
	d := c.Width
	list.plain("embeddings.word_embeddings.weight", c.Vocab, d)
	list.plain("embeddings.position_embeddings.weight", c.Positions, d)
	list.plain("embeddings.token_type_embeddings.weight", c.Types, d)
	list.norm("embeddings.LayerNorm", d)
	for i := range c.Layers {
		layer := fmt.Sprintf("encoder.layer.%d.", i)
		for _, part := range []string{"query", "key", "value"} {
			list.affine(layer+"attention.self."+part, d, d)
		}
		list.affine(layer+"attention.output.dense", d, d)
		list.norm(layer+"attention.output.LayerNorm", d)
		list.affine(layer+"intermediate.dense", c.Hidden, d)
		list.affine(layer+"output.dense", d, c.Hidden)
		list.norm(layer+"output.LayerNorm", d)
	}
	return list
}

// bertHidden builds the hidden states [rows*length, width] of ids [rows, length], of
// which padding is negative and on the right. valid, [rows, length], is 1 where there
// is a token. States at padding mean nothing.
func bertHidden(c *bertConfig, ids *graph.Node, w weights) (states, valid *graph.Node) {
	rows, length := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	g := ids.Graph()
	zero := graph.ScalarZero(g, dtypes.Int32)
	there := graph.GreaterOrEqual(ids, zero)
	valid = graph.ConvertDType(there, dtypes.Float32)

	first := c.firstPosition()
	positions := graph.Slice(w["embeddings.position_embeddings.weight"], graph.AxisRange(first, first+length), graph.AxisRange())
	kind := graph.Slice(w["embeddings.token_type_embeddings.weight"], graph.AxisRange(0, 1), graph.AxisRange())
	fixed := graph.Add(single(positions), graph.BroadcastToDims(single(kind), length, c.Width))
	x := graph.Add(
		embedTokens(w["embeddings.word_embeddings.weight"], graph.Max(ids, zero)),
		graph.Reshape(graph.BroadcastPrefix(fixed, rows), rows*length, c.Width))
	x = norm(x, w, "embeddings.LayerNorm", c.NormEps)

	// 0 where the key is a token, else a number whose exponential is exactly 0.
	hidden := graph.MulScalar(graph.SubScalar(valid, 1), 1e30)
	bias := graph.BroadcastToDims(graph.Reshape(hidden, rows, 1, 1, length), rows, c.Heads, length, length)
	for i := range c.Layers {
		w := w.under(fmt.Sprintf("encoder.layer.%d.", i))

		q := splitHeads(affine(x, w, "attention.self.query"), rows, c.Heads)
		k := splitHeads(affine(x, w, "attention.self.key"), rows, c.Heads)
		v := splitHeads(affine(x, w, "attention.self.value"), rows, c.Heads)
		k, v = as(w["attention.output.dense.weight"], k), as(w["attention.output.dense.weight"], v)
		x = norm(graph.Add(x, affine(attention(q, k, v, bias), w, "attention.output.dense")), w, "attention.output.LayerNorm", c.NormEps)

		h := affine(exactGELU(affine(x, w, "intermediate.dense")), w, "output.dense")
		x = norm(graph.Add(x, h), w, "output.LayerNorm", c.NormEps)
	}
	return x, valid
}

// norm is layerNorm with the named gain and bias.
func norm(x *graph.Node, w weights, name string, epsilon float64) *graph.Node {
	return layerNorm(x, w[name+".weight"], w[name+".bias"], epsilon)
}
