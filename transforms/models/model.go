package models

import (
	"fmt"
	"runtime"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"penstock.dev/transforms/models/tokenizer"
)

// Info describes a model.
type Info struct {
	Architecture string
	Format       string // "safetensors" or "gguf"
	Parameters   int64
	Layers       int
	Width        int // length of a hidden state
	Heads        int
	KVHeads      int
	Vocabulary   int
	Context      int   // longest sequence in tokens
	WeightBytes  int64 // in the file
	// MemoryBytes estimates the memory in use while scoring: float32 weights, and
	// activations and logits of full batches on all cores.
	MemoryBytes int64
}

// model is what the users of one reference share.
type model struct {
	config    *config
	backend   compute.Backend
	traits    *traits
	info      Info
	hash      string
	tokenizer *tokenizer.Tokenizer
	weights   []*tensors.Tensor
	hidden    *program // hidden states of ids
	head      *program // logits of hidden states
	moments   *program // moments of ids, nil where the host makes them of logits
	batcher   *batcher[*sequence]
	generator *lazily
}

// load reads a model into memory and starts its batcher.
func load(open func() (*source, error), opts Options) (_ *model, err error) {
	s, err := open()
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.checkTensors(); err != nil {
		return nil, err
	}
	if s.tokenizer.Size() > s.config.Vocab {
		return nil, fmt.Errorf("tokenizer has %d tokens, the model's vocabulary %d", s.tokenizer.Size(), s.config.Vocab)
	}
	backend, err := device()
	if err != nil {
		return nil, err
	}
	m := &model{config: s.config, backend: backend, traits: traitsOf(backend), hash: s.hash, tokenizer: s.tokenizer, info: s.info(), generator: &lazily{}}
	defer func() {
		if err != nil {
			freeWeights(backend, m.weights, m.config.parameters())
		}
	}()
	if m.weights, err = s.loadWeights(backend, opts.Precision); err != nil {
		return nil, err
	}
	if m.hidden, err = newProgram(backend, "hidden states", m.weights, m.hiddenGraph); err != nil {
		return nil, err
	}
	if m.head, err = newProgram(backend, "head", m.headWeights(), headGraph); err != nil {
		return nil, err
	}
	if m.traits.moments {
		if m.moments, err = newProgram(backend, "moments", m.weights, m.momentsGraph); err != nil {
			return nil, err
		}
	}
	m.batcher = newBatcher(m.runAll, m.info.Parameters, opts)
	return m, nil
}

// hiddenGraph builds the hidden states [rows*length, width] of ids [rows, length].
func (m *model) hiddenGraph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	w := m.named(nodes)
	if m.config.Architecture == "gpt2" {
		return gpt2Hidden(m.config, ids, w)
	}
	return llamaHidden(m.config, ids, w)
}

// named are the nodes of the weights by name.
func (m *model) named(nodes []*graph.Node) weights {
	w := weights{}
	for i, p := range m.config.parameters() {
		w[p.name] = nodes[i]
	}
	return w
}

// headGraph turns hidden states [n, width] into logits [n, vocabulary].
func headGraph(hidden *graph.Node, nodes []*graph.Node) *graph.Node {
	return dot(hidden, []int{1}, nil, nodes[0], []int{1}, nil)
}

// momentsGraph builds the moments of ids [rows, length], in the order of the fields of
// Moments, [rows*length, 4]: of the distribution that each position predicts, with the
// next position's token as the target.
func (m *model) momentsGraph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	embedding, head := nodes[0], nodes[len(nodes)-1]
	if m.config.TiedHead {
		head = embedding
	}
	logits := headGraph(m.hiddenGraph(ids, nodes), []*graph.Node{head})
	n := logits.Shape().Dimensions[0]
	flat := graph.Reshape(ids, n, 1)
	next := graph.Concatenate([]*graph.Node{graph.Slice(flat, graph.AxisRange(1)), graph.Slice(flat, graph.AxisRange(0, 1))}, 0)
	row := graph.Iota(ids.Graph(), next.Shape(), 0)
	own := graph.Reshape(graph.Gather(logits, graph.Concatenate([]*graph.Node{row, next}, 1)), n, 1)

	// As in Position: with x = logit - highest and Z = sum e^x, ln p = x - ln Z.
	highest := graph.ReduceAndKeep(logits, graph.ReduceMax, -1)
	above := graph.ConvertDType(graph.GreaterThan(logits, own), dtypes.Float32)
	x := graph.Max(graph.Sub(logits, highest), graph.Scalar(ids.Graph(), dtypes.Float32, lowestExponent))
	e := graph.Exp(x)
	sum := func(x *graph.Node) *graph.Node { return graph.ReduceAndKeep(x, graph.ReduceSum, -1) }
	z := sum(e)
	first, second := graph.Div(sum(graph.Mul(x, e)), z), graph.Div(sum(graph.Mul(graph.Square(x), e)), z)
	logZ := graph.Log(z)
	return graph.Concatenate([]*graph.Node{
		graph.Sub(graph.Sub(own, highest), logZ),
		graph.AddScalar(sum(above), 1),
		graph.Sub(first, logZ),
		graph.Add(graph.Sub(second, graph.MulScalar(graph.Mul(first, logZ), 2)), graph.Square(logZ)),
	}, 1)
}

// headWeights is the [vocabulary, width] matrix of the head.
func (m *model) headWeights() []*tensors.Tensor {
	if m.config.TiedHead {
		return m.weights[:1] // the embedding
	}
	return m.weights[len(m.weights)-1:]
}

// Info describes the model.
func (m *model) Info() Info { return m.info }

// Hash is the SHA-256 over weights, configuration and tokenizer, in hexadecimal.
func (m *model) Hash() string { return m.hash }

// Tokenizer is the model's own.
func (m *model) Tokenizer() *tokenizer.Tokenizer { return m.tokenizer }

// Context is the longest sequence the model takes, in tokens.
func (m *model) Context() int { return m.config.Context }

func (m *model) close() {
	m.generator.close()
	m.batcher.close()
	m.hidden.close()
	m.head.close()
	if m.moments != nil {
		m.moments.close()
	}
	freeWeights(m.backend, m.weights, m.config.parameters())
}

func (s *source) info() Info {
	c := s.config
	info := Info{
		Architecture: c.Architecture, Format: s.format, Layers: c.Layers, Width: c.Width,
		Heads: c.Heads, KVHeads: c.KVHeads, Vocabulary: c.Vocab, Context: c.Context,
	}
	for _, p := range c.parameters() {
		info.Parameters += p.elements()
		info.WeightBytes += s.tensors[p.name].Bytes()
	}
	// A layer keeps about six rows of its widest activation; a running part also
	// holds the scores of its heads and two chunks of logits.
	const float = 4
	widest := int64(max(c.Hidden, 3*c.Width))
	scores := int64(c.Heads) * int64(min(c.Context, cachedTokens)) * cachedTokens
	part := float * (6*cachedTokens*widest + 2*scores + 2*int64(c.chunkPositions())*int64(c.Vocab))
	info.MemoryBytes = float*info.Parameters + int64(runtime.GOMAXPROCS(0))*part
	return info
}
