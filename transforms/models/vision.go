package models

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Positions is a rule by which the position embeddings of a vision transformer are
// stretched to a grid of another size than the one it was trained on.
type Positions string

// The rules. They differ by up to a quarter in a weight, enough to be seen in a
// score.
const (
	// HubPositions is what DINOv2's own code does: the grid is scaled by
	// (size + 0.1) / stored size, but as under HFPositions in models with registers.
	HubPositions Positions = "hub"
	// HFPositions is what transformers does: the grid is scaled by size / stored
	// size, and models with registers are smoothed.
	HFPositions Positions = "hf"
)

// VisionOptions of a vision model.
type VisionOptions struct {
	Options             // BatchTokens counts patches
	Positions Positions // HubPositions if empty
}

// Vision is an open vision transformer: DINOv2 (Oquab et al. 2023,
// arXiv:2304.07193), with registers (Darcet et al. 2023, arXiv:2309.16588) or
// without, or ViT (Dosovitskiy et al. 2020, arXiv:2010.11929). Its methods are safe
// for concurrent use.
type Vision struct {
	*vision
	once sync.Once
	key  string
}

// vision is what the users of one reference share.
type vision struct {
	config    *visionConfig
	positions Positions
	traits    *traits
	backend   compute.Backend
	info      Info
	hash      string
	weights   []*tensors.Tensor
	table     []float32 // stored position embeddings
	batcher   *batcher[*picture]

	mu       sync.Mutex
	programs map[grid]*program
}

// grid is a number of patches down and across.
type grid struct{ rows, columns int }

func (g grid) patches() int { return g.rows * g.columns }

// OpenVision opens the vision transformer in a folder as model hubs publish it.
func OpenVision(ctx context.Context, ref string, opts VisionOptions) (*Vision, error) {
	if opts.Positions == "" {
		opts.Positions = HubPositions
	}
	path, err := encoderPath(ref)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	key := fmt.Sprintf("vision %s %s %s", opts.Positions, opts.Precision, path)
	v, err := share(ctx, key, func() (*vision, error) { return loadVision(path, opts) })
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", ref, err)
	}
	return &Vision{vision: v, key: key}, nil
}

// CheckVision is Check for a vision model.
func CheckVision(ref string) (hash string, err error) {
	return checkFolder(ref, "vision ", openVisionFolder, func(f *encoderFolder) error {
		_, err := f.visionConfig()
		return err
	})
}

// Close releases the model; the last user's Close frees it. Closing twice is
// harmless.
func (v *Vision) Close() error {
	v.once.Do(func() { release(v.key) })
	return nil
}

// Info describes the model; Context is the number of patches it was trained on.
func (v *vision) Info() Info { return v.info }

// Hash is the SHA-256 over weights and configuration, in hexadecimal.
func (v *vision) Hash() string { return v.hash }

// PatchSize is the height and width of a patch, in pixels; images are whole numbers
// of patches high and wide.
func (v *vision) PatchSize() int { return v.config.Patch }

// Stats reports what the model's batcher has done, in patches.
func (v *vision) Stats() Stats { return v.batcher.counted() }

func openVisionFolder(path string) (*encoderFolder, error) {
	return openEncoder(path, []string{"dinov2.", "dinov2_with_registers.", "vit."})
}

// visionConfig reads the configuration and compares the weights with it.
func (f *encoderFolder) visionConfig() (*visionConfig, error) {
	c := &visionConfig{}
	if err := json.Unmarshal(f.config, c); err != nil {
		return nil, fmt.Errorf("%s: %w", configName, err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", configName, err)
	}
	return c, checkTensors(c.Type, f.weights, c.parameters(), func(name string) bool {
		return name == "embeddings.mask_token" || strings.HasPrefix(name, "pooler.") || strings.HasPrefix(name, "classifier.")
	})
}

func loadVision(path string, opts VisionOptions) (_ *vision, err error) {
	f, err := openVisionFolder(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	c, err := f.visionConfig()
	if err != nil {
		return nil, err
	}
	backend, err := device()
	if err != nil {
		return nil, err
	}
	v := &vision{config: c, positions: opts.Positions, traits: traitsOf(backend), backend: backend, hash: f.hash, programs: map[grid]*program{}}
	v.info = Info{Architecture: c.Type, Format: "safetensors", Layers: c.Layers, Width: c.Width, Heads: c.Heads, KVHeads: c.Heads, Context: c.stored().patches()}
	parameters := c.parameters()
	for _, p := range parameters {
		v.info.Parameters += p.elements()
		v.info.WeightBytes += f.weights[p.name].Bytes()
	}
	v.info.MemoryBytes = 4*v.info.Parameters + 4*6*cachedTokens*int64(c.hidden())
	if v.table, err = f.weights[positionsName].Float32s(); err != nil {
		return nil, err
	}
	if v.weights, err = loadWeights(backend, f.weights, parameters, opts.Precision); err != nil {
		return nil, err
	}
	v.batcher = newBatcher(v.runAll, v.info.Parameters, opts.Options)
	return v, nil
}

func (v *vision) close() {
	v.batcher.close()
	for _, p := range v.programs {
		p.close()
		p.weights[len(p.weights)-1].FinalizeAll() // the positions
	}
	freeWeights(v.backend, v.weights, v.config.parameters())
}

// picture is an image on its way through the model.
type picture struct {
	ctx     context.Context
	grid    grid
	patches []float32 // [patches, 3*size*size]
	result  []float32
	failure error
}

func (p *picture) context() context.Context { return p.ctx }
func (p *picture) tokens() int              { return p.grid.patches() }
func (p *picture) err() error               { return p.failure }

// Embed returns the class token after the last normalisation, [width], of an image:
// pixels [3, height, width] by channel, normalised as the model was trained, whole
// numbers of patches high and wide. It waits for the model's batcher, with others;
// their company changes nothing (on XLA, no more than rounding does).
func (v *vision) Embed(ctx context.Context, pixels []float32, height, width int) ([]float32, error) {
	size := v.config.Patch
	if height <= 0 || width <= 0 || height%size != 0 || width%size != 0 || len(pixels) != 3*height*width {
		return nil, fmt.Errorf("an image of %d values, %d by %d, is not of 3 channels and whole patches of %d pixels", len(pixels), height, width, size)
	}
	g := grid{height / size, width / size}
	if g.patches() > maxPatches {
		return nil, fmt.Errorf("%d patches are more than %d", g.patches(), maxPatches)
	}
	p := &picture{ctx: ctx, grid: g, patches: patchesOf(pixels, height, width, size)}
	if err := v.batcher.submit(p); err != nil {
		return nil, err
	}
	return p.result, nil
}

// maxPatches bounds an image: attention needs memory by its square.
const maxPatches = 1 << 14

// patchesOf cuts an image [3, height, width] into patches of size by size, row by
// row; each is [3, size, size] in a row, as the weights of the patch convolution are.
func patchesOf(pixels []float32, height, width, size int) []float32 {
	patches := make([]float32, 0, len(pixels))
	for top := 0; top < height; top += size {
		for left := 0; left < width; left += size {
			for channel := range 3 {
				for y := top; y < top+size; y++ {
					at := (channel*height+y)*width + left
					patches = append(patches, pixels[at:at+size]...)
				}
			}
		}
	}
	return patches
}

// runAll runs pictures, those of one size together.
func (v *vision) runAll(pictures []*picture) (executed int) {
	bySize := map[grid][]*picture{}
	var sizes []grid
	for _, p := range pictures {
		if bySize[p.grid] == nil {
			sizes = append(sizes, p.grid)
		}
		bySize[p.grid] = append(bySize[p.grid], p)
	}
	slots := make(chan struct{}, v.traits.callers())
	var running sync.WaitGroup
	for _, size := range sizes {
		rest := bySize[size]
		most := max(1, v.traits.share(len(rest)*size.patches(), v.traits.callers())/size.patches())
		for len(rest) > 0 {
			height := v.traits.height(min(len(rest), most), most)
			together := rest[:min(len(rest), height)]
			rest = rest[len(together):]
			executed += height * size.patches()
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				v.execute(together, height, size)
			})
		}
	}
	running.Wait()
	return executed
}

// execute runs pictures of one size as one batch, filled up to height with empty ones.
func (v *vision) execute(pictures []*picture, height int, size grid) {
	c := v.config
	flat := make([]float32, 0, height*len(pictures[0].patches))
	for _, p := range pictures {
		flat = append(flat, p.patches...)
		p.patches = nil
	}
	fail := func(err error) {
		for _, p := range pictures {
			p.failure = err
		}
	}
	program, err := v.program(size)
	if err != nil {
		fail(err)
		return
	}
	flat = flat[:cap(flat)]
	input := tensors.FromFlatDataAndDimensions(flat, height, size.patches(), 3*c.Patch*c.Patch)
	err = program.run(input, func(states []float32) {
		for i, p := range pictures {
			p.result = append([]float32(nil), states[i*c.Width:(i+1)*c.Width]...)
		}
	})
	if err != nil {
		fail(err)
	}
}

// program is the graph for a size, with the position embeddings of that size as its
// last weight.
func (v *vision) program(size grid) (*program, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p, ok := v.programs[size]; ok {
		return p, nil
	}
	table := v.config.stretch(v.table, size, v.positions)
	positions, err := upload(v.backend, table, parameter{shape: []int{1 + size.patches(), v.config.Width}}, Single)
	if err != nil {
		return nil, err
	}
	weights := append(append([]*tensors.Tensor(nil), v.weights...), positions)
	p, err := newProgram(v.backend, "vision", weights, v.graph)
	if err != nil {
		return nil, err
	}
	v.programs[size] = p
	return p, nil
}

// graph builds the class tokens [rows, width] of patches [rows, n, 3*size*size].
func (v *vision) graph(patches *graph.Node, nodes []*graph.Node) *graph.Node {
	w := weights{}
	for i, p := range v.config.parameters() {
		w[p.name] = nodes[i]
	}
	w[positionsName] = nodes[len(nodes)-1]
	return vitClassToken(v.config, patches, w)
}
