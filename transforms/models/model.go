package models

import (
	"fmt"
	"runtime"

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
	traits    *traits
	info      Info
	hash      string
	tokenizer *tokenizer.Tokenizer
	weights   []*tensors.Tensor
	hidden    *program
	head      *program
	batcher   *batcher[*sequence]
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
	m := &model{config: s.config, traits: traitsOf(backend), hash: s.hash, tokenizer: s.tokenizer, info: s.info()}
	defer func() {
		if err != nil {
			finalizeAll(m.weights)
		}
	}()
	if m.weights, err = s.loadWeights(backend); err != nil {
		return nil, err
	}
	if m.hidden, err = newProgram(backend, "hidden states", m.weights, m.hiddenGraph); err != nil {
		return nil, err
	}
	if m.head, err = newProgram(backend, "head", m.headWeights(), headGraph); err != nil {
		return nil, err
	}
	m.batcher = newBatcher(m.runAll, m.info.Parameters, opts)
	return m, nil
}

// hiddenGraph builds the hidden states [rows*length, width] of ids [rows, length].
func (m *model) hiddenGraph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	w := weights{}
	for i, p := range m.config.parameters() {
		w[p.name] = nodes[i]
	}
	if m.config.Architecture == "gpt2" {
		return gpt2Hidden(m.config, ids, w)
	}
	return llamaHidden(m.config, ids, w)
}

// headGraph turns hidden states [n, width] into logits [n, vocabulary].
func headGraph(hidden *graph.Node, nodes []*graph.Node) *graph.Node {
	return graph.DotGeneral(hidden, []int{1}, nil, nodes[0], []int{1}, nil)
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
	m.batcher.close()
	m.hidden.close()
	m.head.close()
	finalizeAll(m.weights)
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
	scores := int64(c.Heads) * int64(min(c.Context, maxPartTokens)) * maxPartTokens
	part := float * (6*maxPartTokens*widest + 2*scores + 2*int64(c.chunkPositions())*int64(c.Vocab))
	info.MemoryBytes = float*info.Parameters + int64(runtime.GOMAXPROCS(0))*part
	return info
}
