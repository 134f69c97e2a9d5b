package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"penstock.dev/transforms/models/tokenizer"
)

// Pooling says how the vector of a text is made of those of its tokens.
type Pooling string

// The poolings. ModelPooling is what the model's folder says (1_Pooling/config.json,
// as sentence-transformers writes it), the mean if it says nothing.
const (
	ModelPooling Pooling = "model"
	MeanPooling  Pooling = "mean"
	ClassPooling Pooling = "cls" // the first token's
	MaxPooling   Pooling = "max"
)

// EncoderOptions of a text encoder.
type EncoderOptions struct {
	Options
	Pooling Pooling // ModelPooling if empty
}

// Encoder is an open text encoder. Its methods are safe for concurrent use.
type Encoder struct {
	*encoder
	once sync.Once
	key  string
}

// encoder is what the users of one reference share.
type encoder struct {
	config    *bertConfig
	pooling   Pooling
	backend   compute.Backend
	traits    *traits
	info      Info
	hash      string
	tokenizer *tokenizer.Tokenizer
	weights   []*tensors.Tensor
	program   *program
	batcher   *batcher[*encoding]
}

// OpenEncoder opens the text encoder in a folder as model hubs publish it.
func OpenEncoder(ctx context.Context, ref string, opts EncoderOptions) (*Encoder, error) {
	if opts.Pooling == "" {
		opts.Pooling = ModelPooling
	}
	path, err := encoderPath(ref)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	key := fmt.Sprintf("encoder %s %s %s", opts.Pooling, opts.Precision, path)
	e, err := share(ctx, key, func() (*encoder, error) { return loadEncoder(path, opts) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	return &Encoder{encoder: e, key: key}, nil
}

// Close releases the model; the last user's Close frees it. Closing twice is
// harmless.
func (e *Encoder) Close() error {
	e.once.Do(func() { release(e.key) })
	return nil
}

// Info describes the model.
func (e *encoder) Info() Info { return e.info }

// Hash is the SHA-256 over weights, configuration and tokenizer, in hexadecimal.
func (e *encoder) Hash() string { return e.hash }

// Tokenizer is the model's own.
func (e *encoder) Tokenizer() *tokenizer.Tokenizer { return e.tokenizer }

// Context is the longest sequence the model takes, in tokens, special ones included.
func (e *encoder) Context() int { return e.config.context() }

// Pooling is how vectors of tokens become one of the text.
func (e *encoder) Pooling() Pooling { return e.pooling }

// Stats reports what the model's batcher has done.
func (e *encoder) Stats() Stats { return e.batcher.counted() }

const poolingName = "1_Pooling/config.json"

// pooling reads what the folder says of it.
func (f *encoderFolder) pooling() (Pooling, error) {
	b, err := fs.ReadFile(f.files, poolingName)
	if errors.Is(err, fs.ErrNotExist) {
		return MeanPooling, nil
	}
	var says struct {
		Mean  bool `json:"pooling_mode_mean_tokens"`
		Class bool `json:"pooling_mode_cls_token"`
		Max   bool `json:"pooling_mode_max_tokens"`
	}
	if err == nil {
		err = json.Unmarshal(b, &says)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", poolingName, err)
	case says.Mean && !says.Class && !says.Max:
		return MeanPooling, nil
	case says.Class && !says.Mean && !says.Max:
		return ClassPooling, nil
	case says.Max && !says.Mean && !says.Class:
		return MaxPooling, nil
	}
	return "", fmt.Errorf("%s: not one of the poolings mean, cls and max", poolingName)
}

func openEncoderFolder(path string) (*encoderFolder, error) {
	return openEncoder(path, []string{"bert.", "roberta."}, tokenizerName, poolingName)
}

// bertConfig reads the configuration and compares the weights with it.
func (f *encoderFolder) bertConfig() (*bertConfig, error) {
	c := &bertConfig{}
	if err := json.Unmarshal(f.config, c); err != nil {
		return nil, fmt.Errorf("%s: %w", configName, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", configName, err)
	}
	return c, checkTensors(c.Type, f.weights, c.parameters(), func(name string) bool {
		return name == "embeddings.position_ids" || strings.HasPrefix(name, "pooler.") || strings.HasPrefix(name, "cls.") || strings.HasPrefix(name, "lm_head.")
	})
}

// CheckEncoder is Check for a text encoder.
func CheckEncoder(ref string) (hash string, err error) {
	return checkFolder(ref, "encoder ", openEncoderFolder, func(f *encoderFolder) error {
		_, err := f.bertConfig()
		return err
	})
}

func loadEncoder(path string, opts EncoderOptions) (_ *encoder, err error) {
	f, err := openEncoderFolder(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	c, err := f.bertConfig()
	if err != nil {
		return nil, err
	}
	parameters := c.parameters()
	e := &encoder{config: c, pooling: opts.Pooling, hash: f.hash}
	if e.pooling == ModelPooling {
		if e.pooling, err = f.pooling(); err != nil {
			return nil, err
		}
	}
	tokens, err := readJSON(f.files, tokenizerName)
	if err != nil {
		return nil, err
	}
	if e.tokenizer, err = tokenizer.Parse(tokens); err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerName, err)
	}
	if e.tokenizer.Size() > c.Vocab {
		return nil, fmt.Errorf("tokenizer has %d tokens, the model's vocabulary %d", e.tokenizer.Size(), c.Vocab)
	}
	e.info = Info{Architecture: c.Type, Format: "safetensors", Layers: c.Layers, Width: c.Width, Heads: c.Heads, KVHeads: c.Heads, Vocabulary: c.Vocab, Context: c.context()}
	for _, p := range parameters {
		e.info.Parameters += p.elements()
		e.info.WeightBytes += f.weights[p.name].Bytes()
	}
	e.info.MemoryBytes = 4*e.info.Parameters + 4*6*cachedTokens*int64(c.Hidden)
	backend, err := device()
	if err != nil {
		return nil, err
	}
	e.backend, e.traits = backend, traitsOf(backend)
	if e.weights, err = loadWeights(backend, f.weights, parameters, opts.Precision); err != nil {
		return nil, err
	}
	if e.program, err = newProgram(backend, "encoder", e.weights, e.graph); err != nil {
		freeWeights(backend, e.weights, parameters)
		return nil, err
	}
	e.batcher = newBatcher(e.runAll, e.info.Parameters, opts.Options)
	return e, nil
}

func (e *encoder) close() {
	e.batcher.close()
	e.program.close()
	freeWeights(e.backend, e.weights, e.config.parameters())
}

// encoding is a text on its way through the model.
type encoding struct {
	ctx     context.Context
	ids     []int32
	result  []float32
	failure error
}

func (t *encoding) context() context.Context { return t.ctx }
func (t *encoding) tokens() int              { return len(t.ids) }
func (t *encoding) err() error               { return t.failure }

// Embed returns the pooled vector [width] of a text's tokens, special ones included.
// It waits for the model's batcher, with others; their company changes nothing (on
// XLA, no more than rounding does).
func (e *encoder) Embed(ctx context.Context, tokens []int32) ([]float32, error) {
	if len(tokens) == 0 {
		return nil, errors.New("no tokens")
	}
	if len(tokens) > e.Context() {
		return nil, fmt.Errorf("%d tokens are over the model's context of %d", len(tokens), e.Context())
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= e.config.Vocab {
			return nil, fmt.Errorf("token %d is %d, outside the vocabulary of %d", i, id, e.config.Vocab)
		}
	}
	t := &encoding{ctx: ctx, ids: tokens}
	if err := e.batcher.submit(t); err != nil {
		return nil, err
	}
	return t.result, nil
}

// runAll runs texts, those of similar length together.
func (e *encoder) runAll(texts []*encoding) (executed int) {
	lengths := make([]int, len(texts))
	for i, t := range texts {
		lengths[i] = t.tokens()
	}
	callers := e.traits.callers()
	slots := make(chan struct{}, callers)
	var running sync.WaitGroup
	for _, p := range e.traits.plan(lengths, e.Context(), callers) {
		executed += p.height * p.length
		together := make([]*encoding, len(p.rows))
		for i, row := range p.rows {
			together[i] = texts[row]
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			e.execute(together, p.height, p.length)
		})
	}
	running.Wait()
	return executed
}

// execute runs texts padded to one length, filled up to height with empty ones.
func (e *encoder) execute(texts []*encoding, height, length int) {
	ids := make([]int32, height*length)
	for i := range ids {
		ids[i] = -1
	}
	for i, t := range texts {
		copy(ids[i*length:], t.ids)
	}
	width := e.config.Width
	err := e.program.run(tensors.FromFlatDataAndDimensions(ids, height, length), func(pooled []float32) {
		for i, t := range texts {
			t.result = append([]float32(nil), pooled[i*width:(i+1)*width]...)
		}
	})
	if err != nil {
		for _, t := range texts {
			t.failure = err
		}
	}
}

// graph builds the pooled vectors [rows, width] of ids [rows, length].
func (e *encoder) graph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	w := weights{}
	for i, p := range e.config.parameters() {
		w[p.name] = nodes[i]
	}
	rows, length := ids.Shape().Dimensions[0], ids.Shape().Dimensions[1]
	states, valid := bertHidden(e.config, ids, w)
	states = graph.Reshape(states, rows, length, e.config.Width)
	there := graph.BroadcastToDims(graph.Reshape(valid, rows, length, 1), rows, length, e.config.Width)
	switch e.pooling {
	case ClassPooling:
		return graph.Reshape(graph.Slice(states, graph.AxisRange(), graph.AxisRange(0, 1), graph.AxisRange()), rows, e.config.Width)
	case MaxPooling:
		return graph.ReduceMax(graph.Add(states, graph.MulScalar(graph.SubScalar(there, 1), 1e30)), 1)
	}
	count := graph.ReduceAndKeep(valid, graph.ReduceSum, -1)
	return graph.Div(graph.ReduceSum(graph.Mul(states, there), 1), graph.BroadcastToDims(count, rows, e.config.Width))
}
