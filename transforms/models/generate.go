package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Sampling says how tokens are drawn.
type Sampling struct {
	MaxTokens   int
	Temperature float64    // that logits are divided by; 0 takes the likeliest token
	TopP        float64    // probability of the likeliest tokens that are drawn from, 1 for all
	TopK        int        // number of the likeliest tokens that are drawn from, 0 for all
	Random      *rand.Rand // of the row alone, so that its company changes nothing
	// Stop, if set, is asked after every token whether those so far are enough.
	Stop func(tokens []int32) bool
}

// Generate continues a prompt until Stop says so, the model ends its text, or MaxTokens
// or the model's context is reached; whole is false in the last case. The token that
// ends a text is not returned. Prompts of several callers run together; what comes out
// depends on a prompt and its own draws alone.
func (m *model) Generate(ctx context.Context, prompt []int32, s Sampling) (tokens []int32, whole bool, err error) {
	switch {
	case m.config.Architecture != "llama":
		return nil, false, fmt.Errorf("generation is of models of the Llama family, not of %s", m.config.Architecture)
	case len(prompt) == 0:
		return nil, false, errors.New("no tokens")
	case len(prompt) >= m.config.Context:
		return nil, false, fmt.Errorf("%d tokens leave no room in the model's context of %d", len(prompt), m.config.Context)
	}
	if err := m.checkTokens(prompt); err != nil {
		return nil, false, err
	}
	g, err := m.generation()
	if err != nil {
		return nil, false, err
	}
	s.MaxTokens = min(s.MaxTokens, m.config.Context-len(prompt))
	c := &continuation{ctx: ctx, prompt: prompt, sampling: s, capacity: m.traits.bucketLength(len(prompt)+s.MaxTokens, m.config.Context)}
	if err := g.batcher.submit(c); err != nil {
		return nil, false, err
	}
	return c.out, c.whole, nil
}

// continuation is a row on its way through the generator.
type continuation struct {
	ctx      context.Context
	prompt   []int32
	sampling Sampling
	capacity int // positions its cache has, by its own length: its company never shows

	out     []int32
	whole   bool
	ended   bool
	failure error
}

func (c *continuation) context() context.Context { return c.ctx }
func (c *continuation) tokens() int              { return c.capacity }
func (c *continuation) err() error               { return c.failure }

// position of the token that is fed next.
func (c *continuation) position() int { return len(c.prompt) + len(c.out) - 1 }

// take draws a token from logits.
func (c *continuation) take(m *model, logits []float32) {
	if c.failure = c.ctx.Err(); c.failure != nil {
		c.ended = true
		return
	}
	token, err := c.sampling.draw(logits)
	switch {
	case err != nil:
		c.failure, c.ended = err, true
		return
	case m.tokenizer.Special(token):
		c.whole, c.ended = true, true
		return
	}
	c.out = append(c.out, token)
	switch {
	case c.sampling.Stop != nil && c.sampling.Stop(c.out):
		c.whole, c.ended = true, true
	case len(c.out) >= c.sampling.MaxTokens:
		c.ended = true
	}
}

// generator is what a model needs to generate; it is made when somebody asks.
type generator struct {
	model   *model
	prompt  *program // hidden states, keys and values of a prompt
	step    *program // the same of the next token of several rows, beside their caches
	batcher *batcher[*continuation]
}

// rowsAtOnce is how many rows an execution continues: more share the way of the weights
// from memory, which is what a step waits for, but their caches are long.
const rowsAtOnce = 16

// lazily is the generator of a model, once somebody asks.
type lazily struct {
	mutex sync.Mutex
	made  *generator
}

func (l *lazily) close() {
	if l.made != nil {
		l.made.close()
	}
}

func (m *model) generation() (*generator, error) {
	m.generator.mutex.Lock()
	defer m.generator.mutex.Unlock()
	if m.generator.made != nil {
		return m.generator.made, nil
	}
	g := &generator{model: m}
	var err error
	if g.prompt, err = newProgram(m.backend, "prompt", m.weights, m.promptGraph); err != nil {
		return nil, err
	}
	if g.step, err = newProgram(m.backend, "step", m.weights, m.stepGraph); err != nil {
		return nil, err
	}
	budget := m.traits.callers() * rowsAtOnce * min(m.config.Context, 1024)
	g.batcher = newBatcher(g.run, m.info.Parameters, Options{BatchTokens: budget})
	m.generator.made = g
	return g, nil
}

func (g *generator) close() {
	g.batcher.close()
	g.prompt.close()
	g.step.close()
}

// run sees continuations through: those of one capacity together, as many executions at
// a time as suit the device.
func (g *generator) run(all []*continuation) (executed int) {
	rows := slices.Clone(all)
	slices.SortStableFunc(rows, func(a, b *continuation) int { return cmp.Compare(b.capacity, a.capacity) })
	callers := g.model.traits.callers()
	most := min(rowsAtOnce, (len(rows)+callers-1)/callers)
	slots := make(chan struct{}, callers)
	var wg sync.WaitGroup
	for len(rows) > 0 {
		n := 1
		for n < min(most, len(rows)) && rows[n].capacity == rows[0].capacity {
			n++
		}
		together := rows[:n]
		rows = rows[n:]
		executed += n * together[0].capacity
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := g.continueAll(together); err != nil {
				for _, c := range together {
					if !c.ended {
						c.failure = err
					}
				}
			}
		})
	}
	wg.Wait()
	return executed
}

// continueAll sees rows of one capacity through. When half of them have ended, the
// others go on in smaller caches.
func (g *generator) continueAll(rows []*continuation) error {
	k, err := g.newCache(len(rows), rows[0].capacity)
	if err != nil {
		return err
	}
	defer func() { k.free() }()
	for i, c := range rows {
		if err := g.begin(c, k, i); err != nil {
			return err
		}
	}
	for {
		var left []int
		for i, c := range rows {
			if !c.ended {
				left = append(left, i)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if 2*len(left) <= len(rows) {
			fewer, err := g.newCache(len(left), rows[0].capacity)
			if err != nil {
				return err
			}
			err = fewer.take(k, left)
			k.free()
			k = fewer
			if err != nil {
				return err
			}
			kept := make([]*continuation, len(left))
			for i, at := range left {
				kept[i] = rows[at]
			}
			rows = kept
		}
		if err := g.next(rows, k); err != nil {
			return err
		}
	}
}

// cache holds keys and values of rows [rows, kvHeads, capacity, dim], two tensors for
// each layer.
type cache struct {
	layers   []*tensors.Tensor
	rows     int
	heads    int
	capacity int
	dim      int
}

func (g *generator) newCache(rows, capacity int) (k *cache, err error) {
	defer Recover(&err, "cache")
	c := g.model.config
	k = &cache{rows: rows, heads: c.KVHeads, capacity: capacity, dim: c.HeadDim}
	for range 2 * c.Layers {
		t, err := tensors.FromShapeForBackend(g.model.backend, 0, shapes.Make(dtypes.Float32, rows, c.KVHeads, capacity, c.HeadDim))
		if err != nil {
			k.free()
			return nil, err
		}
		k.layers = append(k.layers, t)
		if err := tensors.MutableFlatData(t, func(flat []float32) { clear(flat) }); err != nil {
			k.free()
			return nil, err
		}
	}
	return k, nil
}

func (k *cache) free() {
	for _, t := range k.layers {
		t.FinalizeAll()
	}
	k.layers = nil
}

// put copies n positions of a row, [kvHeads, length, dim] of every layer in turn, to
// where they belong.
func (k *cache) put(row, at, n, length int, values []float32) error {
	each := k.heads * length * k.dim
	for i, t := range k.layers {
		from := values[i*each : (i+1)*each]
		err := tensors.MutableFlatData(t, func(flat []float32) {
			for h := range k.heads {
				to := ((row*k.heads+h)*k.capacity + at) * k.dim
				copy(flat[to:to+n*k.dim], from[h*length*k.dim:])
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// take copies some rows of another cache.
func (k *cache) take(from *cache, rows []int) error {
	size := k.heads * k.capacity * k.dim
	for i, t := range k.layers {
		var inner error
		err := tensors.MutableFlatData(t, func(flat []float32) {
			inner = tensors.ConstFlatData(from.layers[i], func(old []float32) {
				for to, at := range rows {
					copy(flat[to*size:(to+1)*size], old[at*size:(at+1)*size])
				}
			})
		})
		if err := errors.Join(err, inner); err != nil {
			return err
		}
	}
	return nil
}

// begin runs a prompt, alone, and draws the first token.
func (g *generator) begin(c *continuation, k *cache, row int) error {
	m := g.model
	length := m.traits.bucketLength(len(c.prompt), c.capacity)
	ids := make([]int32, length)
	copy(ids, c.prompt)
	var failure error
	err := g.prompt.run(tensors.FromFlatDataAndDimensions(ids, 1, length), func(flat []float32) {
		width := m.config.Width
		last := len(c.prompt) - 1
		failure = errors.Join(
			k.put(row, 0, len(c.prompt), length, flat[length*width:]),
			g.choose([]*continuation{c}, flat[last*width:(last+1)*width]))
	})
	return errors.Join(err, failure)
}

// next feeds every row its last token and draws another. Rows that have ended go along.
func (g *generator) next(rows []*continuation, k *cache) error {
	m := g.model
	c := m.config
	n, half := len(rows), c.HeadDim/2
	ids := make([]int32, n)
	cos, sin := make([]float32, 0, n*half), make([]float32, 0, n*half)
	bias := make([]float32, n*(k.capacity+1))
	for i, r := range rows {
		at := r.position()
		ids[i] = r.out[len(r.out)-1]
		cosRow, sinRow := rotationAt(c, at)
		cos, sin = append(cos, cosRow...), append(sin, sinRow...)
		own := bias[i*(k.capacity+1):]
		for p := range k.capacity {
			if p >= at || c.Window > 0 && p <= at-c.Window {
				own[p] = -1e30
			}
		}
	}
	inputs := []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(ids, n, 1),
		tensors.FromFlatDataAndDimensions(cos, n, half),
		tensors.FromFlatDataAndDimensions(sin, n, half),
		tensors.FromFlatDataAndDimensions(bias, n, k.capacity+1),
	}
	defer finalizeAll(inputs)
	var failure error
	err := g.step.call(append(slices.Clone(inputs), k.layers...), func(flat []float32) {
		states, news := flat[:n*c.Width], flat[n*c.Width:]
		// Every layer's are [rows, kvHeads, 1, dim]: a row's lie together.
		each := k.heads * k.dim
		one := make([]float32, len(k.layers)*each)
		for i, r := range rows {
			if r.ended {
				continue
			}
			for l := range k.layers {
				copy(one[l*each:(l+1)*each], news[(l*n+i)*each:])
			}
			failure = errors.Join(failure, k.put(i, r.position(), 1, 1, one))
		}
		failure = errors.Join(failure, g.choose(rows, states))
	})
	return errors.Join(err, failure)
}

// choose draws the next token of rows that have not ended from their hidden states
// [rows, width].
func (g *generator) choose(rows []*continuation, states []float32) error {
	m := g.model
	width, vocab := m.config.Width, m.config.Vocab
	height := m.traits.bucketLength(len(rows), m.config.chunkPositions())
	padded := make([]float32, height*width)
	copy(padded, states)
	return m.head.run(tensors.FromFlatDataAndDimensions(padded, height, width), func(logits []float32) {
		for i, c := range rows {
			if !c.ended {
				c.take(m, logits[i*vocab:(i+1)*vocab])
			}
		}
	})
}

// promptGraph builds the hidden states of ids [1, length], and all keys and values,
// layer by layer, as one flat tensor.
func (m *model) promptGraph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	c := m.config
	var parts []*graph.Node
	rotate := newRotation(ids.Graph(), c, ids.Shape().Dimensions[1])
	x := llamaBlocks(c, ids, m.named(nodes), rotate, func(_ int, q, k, v *graph.Node) *graph.Node {
		parts = append(parts, flattened(k), flattened(v))
		return causalAttention(q, k, v, c.Window)
	})
	return graph.Concatenate(append([]*graph.Node{flattened(x)}, parts...), 0)
}

// stepGraph builds what promptGraph does for one token of every row: ids is [rows, 1],
// and nodes are the cosines and sines of the rows' positions [rows, dim/2], what is
// added to the scores of the cached positions and the own [rows, capacity+1], and keys
// and values of every layer, before the weights.
func (m *model) stepGraph(ids *graph.Node, nodes []*graph.Node) *graph.Node {
	c := m.config
	cos, sin, bias, caches, weights := nodes[0], nodes[1], nodes[2], nodes[3:3+2*c.Layers], nodes[3+2*c.Layers:]
	rows := ids.Shape().Dimensions[0]
	rotate := func(x *graph.Node) *graph.Node {
		heads, half := x.Shape().Dimensions[1], c.HeadDim/2
		repeated := func(t *graph.Node) *graph.Node {
			return graph.BroadcastToDims(graph.Reshape(t, rows, 1, 1, half), rows, heads, 1, half)
		}
		return turned(x, repeated(cos), repeated(sin))
	}
	var parts []*graph.Node
	x := llamaBlocks(c, ids, m.named(weights), rotate, func(layer int, q, k, v *graph.Node) *graph.Node {
		parts = append(parts, flattened(k), flattened(v))
		q = graph.MulScalar(q, 1/math.Sqrt(float64(c.HeadDim)))
		k = graph.Concatenate([]*graph.Node{as(k, caches[2*layer]), k}, 2)
		v = graph.Concatenate([]*graph.Node{as(v, caches[2*layer+1]), v}, 2)
		out := attend(q, k, v, func(scores []int) *graph.Node {
			keys := scores[2]
			each := graph.BroadcastToDims(graph.Reshape(bias, rows, 1, 1, keys), rows, c.KVHeads, scores[1], keys)
			return extend(graph.Reshape(each, rows*c.KVHeads, scores[1], keys), scores[0])
		})
		return graph.Reshape(out, rows, c.Heads*c.HeadDim)
	})
	return graph.Concatenate(append([]*graph.Node{flattened(x)}, parts...), 0)
}

func flattened(x *graph.Node) *graph.Node { return graph.Reshape(single(x), -1) }

// draw takes a token by its logits. Ties go to the lowest id.
func (s Sampling) draw(logits []float32) (int32, error) {
	best := 0
	for i, x := range logits {
		if x > logits[best] {
			best = i
		}
	}
	highest := float64(logits[best])
	if math.IsNaN(highest) || math.IsInf(highest, 0) {
		return 0, errors.New("the model gives logits that are no numbers")
	}
	if s.Temperature == 0 {
		return int32(best), nil
	}
	total := 0.0
	weights := make([]float64, len(logits))
	for i, x := range logits {
		weights[i] = math.Exp((float64(x) - highest) / s.Temperature)
		total += weights[i]
	}
	candidates := s.candidates(weights, total)
	total = 0
	for _, i := range candidates {
		total += weights[i]
	}
	at := s.Random.Float64() * total
	for _, i := range candidates {
		if at -= weights[i]; at < 0 {
			return i, nil
		}
	}
	return candidates[len(candidates)-1], nil
}

// candidates are the tokens to draw from: of the TopK likeliest the fewest whose
// probability is TopP or more.
func (s Sampling) candidates(weights []float64, total float64) []int32 {
	// What is below least adds up to less than 1-TopP, so that none of it is needed.
	least := 0.0
	if s.TopP < 1 {
		least = (1 - s.TopP) * total / float64(len(weights))
	}
	var all []int32
	for i, w := range weights {
		if w >= least && w > 0 {
			all = append(all, int32(i))
		}
	}
	if s.TopP >= 1 && (s.TopK == 0 || s.TopK >= len(all)) {
		return all
	}
	slices.SortStableFunc(all, func(a, b int32) int { return cmp.Compare(weights[b], weights[a]) })
	if s.TopK > 0 && s.TopK < len(all) {
		all = all[:s.TopK]
		total = 0
		for _, i := range all {
			total += weights[i]
		}
	}
	sum := 0.0
	for n, i := range all {
		if sum += weights[i]; sum >= s.TopP*total {
			return all[:n+1]
		}
	}
	return all
}
