package models

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// config is what an architecture needs to know of a model, whichever file it was
// read from.
type config struct {
	Architecture string // "llama" or "gpt2"

	Layers   int
	Width    int // d, the length of a hidden state
	Heads    int
	KVHeads  int // = Heads without grouped-query attention
	HeadDim  int
	Hidden   int // width of the feed-forward layer
	Vocab    int
	Context  int // longest sequence in tokens
	NormEps  float64
	TiedHead bool // the output layer is the token embedding

	// Of the Llama family.
	RopeBase     float64
	RopeDivisors []float64 // of the frequencies, one for each pair; nil divides by 1
	Window       int       // how many positions a position sees, itself included; 0 is all
	QKVBias      bool
	OutBias      bool // of attention's output
	QKNorm       bool // queries and keys are normalised head by head
}

const supported = "supported: llama (also smollm), mistral, qwen2, qwen3, gpt2"

// Sanity bounds of a configuration. Sizes that are merely wrong are found when they are
// compared with the weights; these keep the list of weights and products small.
const (
	maxLayers    = 1 << 10
	maxDimension = 1 << 24
)

func (c *config) check() error {
	positive := []struct {
		name  string
		value int
	}{
		{"layers", c.Layers}, {"hidden size", c.Width}, {"attention heads", c.Heads},
		{"key-value heads", c.KVHeads}, {"head dimension", c.HeadDim},
		{"feed-forward size", c.Hidden}, {"vocabulary", c.Vocab}, {"context length", c.Context},
	}
	for _, p := range positive {
		if p.value <= 0 || p.value > maxDimension {
			return fmt.Errorf("%s is %d", p.name, p.value)
		}
	}
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%d layers are more than %d", c.Layers, maxLayers)
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%d attention heads are not a multiple of %d key-value heads", c.Heads, c.KVHeads)
	case c.Architecture == "llama" && c.HeadDim%2 != 0:
		return fmt.Errorf("head dimension %d is odd, rotation needs pairs", c.HeadDim)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("normalisation epsilon is %v", c.NormEps)
	case c.Window < 0:
		return fmt.Errorf("sliding_window is %d", c.Window)
	case c.RopeDivisors != nil && len(c.RopeDivisors) != c.HeadDim/2:
		return fmt.Errorf("%d divisors of rotation frequencies for %d pairs", len(c.RopeDivisors), c.HeadDim/2)
	case c.Architecture == "llama" && !(c.RopeBase > 1):
		return fmt.Errorf("rope_theta is %v", c.RopeBase)
	}
	return nil
}

// hubConfig is config.json as model hubs publish it, in both dialects: rope_theta at
// the top level, and transformers 5's rope_parameters.
type hubConfig struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	Vocab         int      `json:"vocab_size"`

	Width       int      `json:"hidden_size"`
	Hidden      int      `json:"intermediate_size"`
	Layers      int      `json:"num_hidden_layers"`
	Heads       int      `json:"num_attention_heads"`
	KVHeads     *int     `json:"num_key_value_heads"`
	HeadDim     *int     `json:"head_dim"`
	Context     int      `json:"max_position_embeddings"`
	NormEps     float64  `json:"rms_norm_eps"`
	Activation  string   `json:"hidden_act"`
	Tied        *bool    `json:"tie_word_embeddings"`
	Window      *int     `json:"sliding_window"`
	UseWindow   bool     `json:"use_sliding_window"`
	AttnBias    bool     `json:"attention_bias"`
	MLPBias     bool     `json:"mlp_bias"`
	RopeTheta   *float64 `json:"rope_theta"`
	RopeScaling *rope    `json:"rope_scaling"`
	Rope        *rope    `json:"rope_parameters"`

	GPTWidth       int     `json:"n_embd"`
	GPTLayers      int     `json:"n_layer"`
	GPTHeads       int     `json:"n_head"`
	GPTContext     int     `json:"n_positions"`
	GPTHidden      *int    `json:"n_inner"`
	GPTEps         float64 `json:"layer_norm_epsilon"`
	GPTActivation  string  `json:"activation_function"`
	ScaleAttention *bool   `json:"scale_attn_weights"`
	ScaleByLayer   bool    `json:"scale_attn_by_inverse_layer_idx"`
}

type rope struct {
	Theta    *float64 `json:"rope_theta"`
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Partial  *float64 `json:"partial_rotary_factor"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original float64  `json:"original_max_position_embeddings"`
}

// parseHubConfig reads config.json. Anything that would change the arithmetic and is
// not known here is an error, never ignored.
func parseHubConfig(data []byte) (*config, error) {
	var h hubConfig
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	var c *config
	var err error
	switch h.ModelType {
	case "llama", "mistral", "qwen2", "qwen3":
		c, err = h.llama()
	case "gpt2":
		c, err = h.gpt2()
	default:
		return nil, fmt.Errorf("config.json: architecture %q is not supported (%s)", h.ModelType, supported)
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return c, nil
}

func (h *hubConfig) llama() (*config, error) {
	switch {
	case h.Activation != "silu" && h.Activation != "":
		return nil, fmt.Errorf("hidden_act %q is not supported (silu)", h.Activation)
	case h.MLPBias:
		return nil, fmt.Errorf("mlp_bias=true is not supported")
	case h.UseWindow:
		return nil, fmt.Errorf("use_sliding_window=true is not supported")
	}
	c := &config{
		Architecture: "llama", Layers: h.Layers, Width: h.Width, Heads: h.Heads, KVHeads: h.Heads,
		Hidden: h.Hidden, Vocab: h.Vocab, Context: h.Context, NormEps: h.NormEps,
		TiedHead: h.Tied != nil && *h.Tied,
		QKVBias:  h.AttnBias || h.ModelType == "qwen2", OutBias: h.AttnBias, QKNorm: h.ModelType == "qwen3",
	}
	if h.KVHeads != nil {
		c.KVHeads = *h.KVHeads
	}
	switch {
	case h.HeadDim != nil:
		c.HeadDim = *h.HeadDim
	case h.Heads > 0:
		c.HeadDim = h.Width / h.Heads
	}
	if h.ModelType == "mistral" && h.Window != nil {
		c.Window = *h.Window
	}
	return c, h.rotation(c)
}

// rotation reads base and scaling of the rotary positions.
func (h *hubConfig) rotation(c *config) error {
	c.RopeBase = 10000
	if h.RopeTheta != nil {
		c.RopeBase = *h.RopeTheta
	}
	for _, r := range []*rope{h.RopeScaling, h.Rope} {
		if r == nil {
			continue
		}
		if r.Partial != nil && *r.Partial != 1 {
			return fmt.Errorf("partial_rotary_factor %v is not supported (1)", *r.Partial)
		}
		if r.Theta != nil {
			c.RopeBase = *r.Theta
		}
		if err := r.scale(c); err != nil {
			return err
		}
	}
	return nil
}

// scale sets the divisors of the frequencies.
func (r *rope) scale(c *config) error {
	kind := r.Type
	if kind == "" {
		kind = r.OldType
	}
	switch kind {
	case "", "default":
		return nil
	case "linear", "llama3":
		if !(r.Factor >= 1) {
			return fmt.Errorf("rope factor is %v", r.Factor)
		}
	default:
		return fmt.Errorf("rope_type %q is not supported (default, linear, llama3)", kind)
	}
	if kind == "llama3" && !(r.Original > 0 && r.Low > 0 && r.High > r.Low) {
		return fmt.Errorf("rope_type llama3 with low_freq_factor %v, high_freq_factor %v and original_max_position_embeddings %v", r.Low, r.High, r.Original)
	}
	for i := range c.HeadDim / 2 {
		divisor := r.Factor
		if kind == "llama3" {
			// Turns within the original context: many keep their frequency, few are
			// slowed down, those between are blended (Llama 3.1).
			turns := r.Original / (2 * math.Pi) * math.Pow(c.RopeBase, -float64(2*i)/float64(c.HeadDim))
			blend := min(max((turns-r.Low)/(r.High-r.Low), 0), 1)
			divisor = 1 / ((1-blend)/r.Factor + blend)
		}
		c.RopeDivisors = append(c.RopeDivisors, divisor)
	}
	return nil
}

func (h *hubConfig) gpt2() (*config, error) {
	switch {
	case h.GPTActivation != "gelu_new" && h.GPTActivation != "gelu_pytorch_tanh" && h.GPTActivation != "":
		return nil, fmt.Errorf("activation_function %q is not supported (gelu_new)", h.GPTActivation)
	case h.ScaleAttention != nil && !*h.ScaleAttention, h.ScaleByLayer:
		return nil, fmt.Errorf("scale_attn_weights=false and scale_attn_by_inverse_layer_idx are not supported")
	}
	c := &config{
		Architecture: "gpt2", Layers: h.GPTLayers, Width: h.GPTWidth, Heads: h.GPTHeads, KVHeads: h.GPTHeads,
		Hidden: 4 * h.GPTWidth, Vocab: h.Vocab, Context: h.GPTContext, NormEps: h.GPTEps,
		TiedHead: h.Tied == nil || *h.Tied,
	}
	if h.GPTHidden != nil {
		c.Hidden = *h.GPTHidden
	}
	if c.NormEps == 0 {
		c.NormEps = 1e-5
	}
	if c.Heads > 0 {
		c.HeadDim = c.Width / c.Heads
		if c.HeadDim*c.Heads != c.Width {
			return nil, fmt.Errorf("hidden size %d is not a multiple of %d heads", c.Width, c.Heads)
		}
	}
	return c, nil
}

// parseGGUFConfig reads the configuration out of GGUF metadata. The vocabulary size
// and whether the head is tied are left to the tensors, which always tell.
func parseGGUFConfig(meta map[string]any) (*config, error) {
	architecture, _ := meta["general.architecture"].(string)
	switch architecture {
	case "llama", "qwen2", "qwen3":
	default:
		return nil, fmt.Errorf("architecture %q is not supported in GGUF files (llama, qwen2, qwen3)", architecture)
	}
	var missing []string
	number := func(key string) float64 {
		v, ok := ggufNumber(meta[architecture+"."+key])
		if !ok {
			missing = append(missing, architecture+"."+key)
		}
		return v
	}
	optional := func(key string, fallback float64) float64 {
		if v, ok := ggufNumber(meta[architecture+"."+key]); ok {
			return v
		}
		return fallback
	}
	integer := func(v float64) int { return int(min(v, math.MaxInt32)) }

	c := &config{
		Architecture: "llama",
		QKVBias:      architecture == "qwen2",
		QKNorm:       architecture == "qwen3",
		Layers:       integer(number("block_count")),
		Width:        integer(number("embedding_length")),
		Heads:        integer(number("attention.head_count")),
		Hidden:       integer(number("feed_forward_length")),
		Context:      integer(number("context_length")),
		NormEps:      number("attention.layer_norm_rms_epsilon"),
		RopeBase:     optional("rope.freq_base", 10000),
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("metadata lacks %s", strings.Join(missing, ", "))
	}
	c.KVHeads = integer(optional("attention.head_count_kv", float64(c.Heads)))
	headDim := 0.0
	if c.Heads > 0 {
		headDim = float64(c.Width / c.Heads)
	}
	c.HeadDim = integer(optional("attention.key_length", headDim))
	switch {
	case integer(optional("rope.dimension_count", float64(c.HeadDim))) != c.HeadDim:
		return nil, fmt.Errorf("rotation of part of a head (rope.dimension_count) is not supported")
	case optional("expert_count", 0) > 0:
		return nil, fmt.Errorf("mixture-of-experts models are not supported")
	}
	if kind, ok := meta[architecture+".rope.scaling.type"].(string); ok && kind != "none" {
		scaling := rope{Type: kind, Factor: optional("rope.scaling.factor", 1)}
		if kind != "linear" {
			return nil, fmt.Errorf("rope scaling %q is not supported in GGUF files (none, linear)", kind)
		}
		return c, scaling.scale(c)
	}
	return c, nil
}

func ggufNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case uint8:
		return float64(v), true
	case uint16:
		return float64(v), true
	case uint32:
		return float64(v), true
	case uint64:
		return float64(v), true
	case int8:
		return float64(v), true
	case int16:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
