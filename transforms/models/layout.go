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

// parameters lists the tensors of the architecture in the order they are fed to its
// graph; the last is the head, [vocab, width], when it is not tied.
func (c *config) parameters() []parameter {
	var list []parameter
	add := func(transpose bool, name string, shape ...int) {
		list = append(list, parameter{name, shape, transpose})
	}
	switch c.Architecture {
	case "llama":
		c.llamaParameters(add)
	case "gpt2":
		c.gpt2Parameters(add)
	}
	if !c.TiedHead {
		add(false, headName, c.Vocab, c.Width)
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

func (c *config) llamaParameters(add func(bool, string, ...int)) {
	d, q, kv := c.Width, c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	add(false, "embed_tokens.weight", c.Vocab, d)
	for i := range c.Layers {
		layer := fmt.Sprintf("layers.%d.", i)
		add(false, layer+"input_layernorm.weight", d)
		add(true, layer+"self_attn.q_proj.weight", q, d)
		add(true, layer+"self_attn.k_proj.weight", kv, d)
		add(true, layer+"self_attn.v_proj.weight", kv, d)
		add(true, layer+"self_attn.o_proj.weight", d, q)
		if c.QKVBias {
			add(false, layer+"self_attn.q_proj.bias", q)
			add(false, layer+"self_attn.k_proj.bias", kv)
			add(false, layer+"self_attn.v_proj.bias", kv)
		}
		if c.OutBias {
			add(false, layer+"self_attn.o_proj.bias", d)
		}
		if c.QKNorm {
			add(false, layer+"self_attn.q_norm.weight", c.HeadDim)
			add(false, layer+"self_attn.k_norm.weight", c.HeadDim)
		}
		add(false, layer+"post_attention_layernorm.weight", d)
		add(true, layer+"mlp.gate_proj.weight", c.Hidden, d)
		add(true, layer+"mlp.up_proj.weight", c.Hidden, d)
		add(true, layer+"mlp.down_proj.weight", d, c.Hidden)
	}
	add(false, "norm.weight", d)
}

// gpt2Parameters: GPT-2 stores its linear layers [in, out] already.
func (c *config) gpt2Parameters(add func(bool, string, ...int)) {
	d := c.Width
	add(false, "wte.weight", c.Vocab, d)
	add(false, "wpe.weight", c.Context, d)
	for i := range c.Layers {
		layer := fmt.Sprintf("h.%d.", i)
		add(false, layer+"ln_1.weight", d)
		add(false, layer+"ln_1.bias", d)
		add(false, layer+"attn.c_attn.weight", d, 3*d)
		add(false, layer+"attn.c_attn.bias", 3*d)
		add(false, layer+"attn.c_proj.weight", d, d)
		add(false, layer+"attn.c_proj.bias", d)
		add(false, layer+"ln_2.weight", d)
		add(false, layer+"ln_2.bias", d)
		add(false, layer+"mlp.c_fc.weight", d, c.Hidden)
		add(false, layer+"mlp.c_fc.bias", c.Hidden)
		add(false, layer+"mlp.c_proj.weight", c.Hidden, d)
		add(false, layer+"mlp.c_proj.bias", d)
	}
	add(false, "ln_f.weight", d)
	add(false, "ln_f.bias", d)
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
