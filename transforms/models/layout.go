package models

import "fmt"

// parameter is one tensor an architecture needs. Names are those of the safetensors
// files model hubs publish, without the "model." or "transformer." prefix.
type parameter struct {
	name  string
	shape []int // as stored in the file
	// transpose turns a linear layer stored [out, in] into the [in, out] the
	// matrix product is fastest with.
	transpose bool
}

// parameters is a list of them in the order they are fed to a graph.
type parameters []parameter

// plain adds a tensor that is used as it is stored.
func (l *parameters) plain(name string, shape ...int) {
	*l = append(*l, parameter{name: name, shape: shape})
}

// linear adds the matrix of a linear layer, stored [out, in].
func (l *parameters) linear(name string, out, in int) {
	*l = append(*l, parameter{name: name, shape: []int{out, in}, transpose: true})
}

// affine adds a linear layer with its bias.
func (l *parameters) affine(name string, out, in int) {
	l.linear(name+".weight", out, in)
	l.plain(name+".bias", out)
}

// norm adds the scale and shift of a normalisation.
func (l *parameters) norm(name string, width int) {
	l.plain(name+".weight", width)
	l.plain(name+".bias", width)
}

// parameters lists the tensors of the architecture in the order they are fed to its
// graph; the last is the head, [vocab, width], when it is not tied.
func (c *config) parameters() []parameter {
	var list parameters
	switch c.Architecture {
	case "llama":
		c.llamaParameters(&list)
	case "gpt2":
		c.gpt2Parameters(&list)
	}
	if !c.TiedHead {
		list.plain(headName, c.Vocab, c.Width)
	}
	return list
}

const headName = "lm_head.weight"

func (c *config) embeddingName() string {
	if c.Architecture == "gpt2" {
		return "wte.weight"
	}
	return "embed_tokens.weight"
}

func (c *config) llamaParameters(list *parameters) {
	d, q, kv := c.Width, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	list.plain("embed_tokens.weight", c.Vocab, d)
	for i := range c.Layers {
		layer := fmt.Sprintf("layers.%d.", i)
		list.plain(layer+"input_layernorm.weight", d)
		list.linear(layer+"self_attn.q_proj.weight", q, d)
		list.linear(layer+"self_attn.k_proj.weight", kv, d)
		list.linear(layer+"self_attn.v_proj.weight", kv, d)
		list.linear(layer+"self_attn.o_proj.weight", d, q)
		if c.QKVBias {
			list.plain(layer+"self_attn.q_proj.bias", q)
			list.plain(layer+"self_attn.k_proj.bias", kv)
			list.plain(layer+"self_attn.v_proj.bias", kv)
		}
		if c.OutBias {
			list.plain(layer+"self_attn.o_proj.bias", d)
		}
		if c.QKNorm {
			list.plain(layer+"self_attn.q_norm.weight", c.HeadDim)
			list.plain(layer+"self_attn.k_norm.weight", c.HeadDim)
		}
		list.plain(layer+"post_attention_layernorm.weight", d)
		list.linear(layer+"mlp.gate_proj.weight", c.Hidden, d)
		list.linear(layer+"mlp.up_proj.weight", c.Hidden, d)
		list.linear(layer+"mlp.down_proj.weight", d, c.Hidden)
	}
	list.plain("norm.weight", d)
}

// gpt2Parameters: GPT-2 stores its linear layers [in, out] already.
func (c *config) gpt2Parameters(list *parameters) {
	d := c.Width
	list.plain("wte.weight", c.Vocab, d)
	list.plain("wpe.weight", c.Context, d)
	for i := range c.Layers {
		layer := fmt.Sprintf("h.%d.", i)
		list.norm(layer+"ln_1", d)
		list.plain(layer+"attn.c_attn.weight", d, 3*d)
		list.plain(layer+"attn.c_attn.bias", 3*d)
		list.plain(layer+"attn.c_proj.weight", d, d)
		list.plain(layer+"attn.c_proj.bias", d)
		list.norm(layer+"ln_2", d)
		list.plain(layer+"mlp.c_fc.weight", d, c.Hidden)
		list.plain(layer+"mlp.c_fc.bias", c.Hidden)
		list.plain(layer+"mlp.c_proj.weight", c.Hidden, d)
		list.plain(layer+"mlp.c_proj.bias", d)
	}
	list.norm("ln_f", d)
}

// ignorable reports tensors some files carry that the forward pass does not need:
// causal masks and rotation tables that are recomputed, and a tied head's copy.
func (c *config) ignorable(name string) bool {
	if name == headName {
		return c.TiedHead
	}
	for i := range c.Layers {
		switch name {
		case fmt.Sprintf("h.%d.attn.bias", i), fmt.Sprintf("h.%d.attn.masked_bias", i),
			fmt.Sprintf("layers.%d.self_attn.rotary_emb.inv_freq", i):
			return true
		}
	}
	return false
}

// elements is the number of values of the parameter.
func (p parameter) elements() int64 {
	n := int64(1)
	for _, d := range p.shape {
		n *= int64(d)
	}
	return n
}
