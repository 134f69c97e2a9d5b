package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "RIGID",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     func(config []byte) (transforms.Node, error) { return newPerturbation(config, false) },
	})
	transforms.Register(transforms.Kind{
		Name:    "MINDER",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     func(config []byte) (transforms.Node, error) { return newPerturbation(config, true) },
	})
}

// PerturbationConfig configures the kinds RIGID and MINDER; see specs.#RIGID.
type PerturbationConfig struct {
	Column       string              `json:"column"`
	Model        string              `json:"model"`
	Noise        float64             `json:"noise"`
	Draws        int                 `json:"draws"`
	Size         int                 `json:"size"`
	Resize       string              `json:"resize"`
	Positions    string              `json:"positions"`
	Blur         float64             `json:"blur"` // MINDER
	Seed         int64               `json:"seed"`
	BatchPatches int                 `json:"batchPatches"`
	MaxWait      transforms.Duration `json:"maxWait"`
}

// Perturbation scores images by how far an encoder's feature moves when the image is
// disturbed a little: that of a generated image moves further.
//
// RIGID (He, Chen and Ho 2024, arXiv:2405.20112) disturbs with normal noise, added
// after normalisation and not clamped. Its columns are rigid, one minus the mean
// cosine similarity over the draws, so that higher means generated; rigid_similarity,
// that mean, as published; and rigid_error, the standard error of the mean, null for
// a single draw.
//
// MINDER (arXiv:2411.19117) also compares a blurred with a sharpened image and takes
// the smaller distance; its columns are minder, minder_noise and minder_blur, all
// higher for generated images.
type Perturbation struct {
	config PerturbationConfig
	minder bool
	column int
	typ    data.Type
	out    *data.Schema
	vision *models.Vision
}

var (
	_ transforms.Windowed = (*Perturbation)(nil)
	_ transforms.Opener   = (*Perturbation)(nil)
	_ transforms.Closer   = (*Perturbation)(nil)
	_ transforms.Metered  = (*Perturbation)(nil)
	_ transforms.Modelled = (*Perturbation)(nil)
)

func newPerturbation(config []byte, minder bool) (transforms.Node, error) {
	p := &Perturbation{minder: minder}
	if err := transforms.Decode(config, &p.config); err != nil {
		return nil, err
	}
	return p, nil
}

// Columns implements transforms.Node.
func (p *Perturbation) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	if err := transforms.NeedImage(schema, "column", p.config.Column); err != nil {
		return nil, err
	}
	hash, err := models.CheckVision(p.config.Model)
	if err != nil {
		return nil, &transforms.FieldError{Field: "model", Code: transforms.NoResource, Message: err.Error()}
	}
	p.column = schema.Index(p.config.Column)
	p.typ = schema.Field(p.column).Type
	c := p.config
	origin := fmt.Sprintf("score=%%s model=%.16s noise=%g draws=%d size=%d resize=%s positions=%s", hash, c.Noise, c.Draws, c.Size, c.Resize, c.Positions)
	kind, names := "RIGID", []string{"rigid", "rigid_similarity", "rigid_error"}
	if p.minder {
		kind, names = "MINDER", []string{"minder", "minder_noise", "minder_blur"}
		origin += fmt.Sprintf(" blur=%g", c.Blur)
	}
	var fields []data.Field
	for _, name := range names {
		fields = append(fields, data.Field{Name: name, Type: data.Float64Type, Nullable: name == "rigid_error", Origin: kind + " " + fmt.Sprintf(origin, name)})
	}
	p.out, err = transforms.AddColumns(schema, "", fields...)
	return transforms.OutPort(p.out), err
}

// Open implements transforms.Opener: it opens the model.
func (p *Perturbation) Open(ctx context.Context) error {
	vision, err := models.OpenVision(ctx, p.config.Model, models.VisionOptions{
		Options:   models.Options{BatchTokens: p.config.BatchPatches, MaxWait: p.config.MaxWait.Duration},
		Positions: models.Positions(p.config.Positions),
	})
	if err != nil {
		return err
	}
	if patch := vision.PatchSize(); p.config.Size%patch != 0 {
		return errors.Join(vision.Close(), fmt.Errorf("size is %d pixels, but the patches of model %s are %d: choose a multiple", p.config.Size, p.config.Model, patch))
	}
	p.vision = vision
	return nil
}

// Close implements transforms.Closer.
func (p *Perturbation) Close() error {
	if p.vision == nil {
		return nil
	}
	return p.vision.Close()
}

// Window implements transforms.Windowed: images for two batches.
func (p *Perturbation) Window() int {
	const patch = 14 // of DINOv2; others are near enough
	patches := (p.config.Size/patch)*(p.config.Size/patch) + 1
	return max(16, 2*p.config.BatchPatches/(patches*(1+p.config.Draws)))
}

// Process implements transforms.Row.
func (p *Perturbation) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	file, err := transforms.ImageBytes(r.Values[p.column], p.typ)
	if err != nil {
		return err
	}
	image, err := transforms.SquareImage(file, p.config.Size, p.config.Resize == "crop")
	if err != nil {
		return err
	}
	views := p.views(image, contentID(file))
	features, err := p.embed(ctx, views)
	if err != nil {
		return err
	}
	emit(transforms.Out, r.Append(p.out, p.scores(features)...))
	return nil
}

// views are the inputs of the encoder: the image, its noisy copies and, for MINDER,
// the blurred and the sharpened one.
func (p *Perturbation) views(m *images.RGB, content data.ID) [][]float32 {
	plain := m.Planes()
	clean := images.Normalised(plain)
	all := [][]float32{clean}
	for draw := range p.config.Draws {
		all = append(all, addNoise(clean, p.config.Noise, content, p.config.Seed, draw))
	}
	if p.minder {
		blur := blurred(plain, m.Height, m.Width, p.config.Blur)
		sharp := make([]float32, len(plain))
		for i := range plain {
			sharp[i] = min(max(2*plain[i]-blur[i], 0), 1)
		}
		all = append(all, images.Normalised(blur), images.Normalised(sharp))
	}
	return all
}

// embed runs all views, with those of other images.
func (p *Perturbation) embed(ctx context.Context, views [][]float32) ([][]float32, error) {
	features, errs := make([][]float32, len(views)), make([]error, len(views))
	var running sync.WaitGroup
	for i, view := range views {
		running.Go(func() { features[i], errs[i] = p.vision.Embed(ctx, view, p.config.Size, p.config.Size) })
	}
	running.Wait()
	return features, errors.Join(errs...)
}

func (p *Perturbation) scores(features [][]float32) []data.Value {
	n := p.config.Draws
	var sum, squares float64
	for _, f := range features[1 : 1+n] {
		similarity := cosine(features[0], f)
		sum += similarity
		squares += similarity * similarity
	}
	mean := sum / float64(n)
	if p.minder {
		blur := 1 - cosine(features[1+n], features[2+n])
		return []data.Value{data.Float64Value(min(1-mean, blur)), data.Float64Value(1 - mean), data.Float64Value(blur)}
	}
	values := []data.Value{data.Float64Value(1 - mean), data.Float64Value(mean), {}}
	if n > 1 {
		variance := max(squares-sum*mean, 0) / float64(n-1)
		values[2] = data.Float64Value(math.Sqrt(variance / float64(n)))
	}
	return values
}

// Metrics implements transforms.Metered.
func (p *Perturbation) Metrics() []transforms.Metric {
	if p.vision == nil {
		return nil
	}
	s := p.vision.Stats()
	return []transforms.Metric{
		{Name: transforms.DeviceSeconds, Value: s.DeviceTime.Seconds(), Unit: "s"},
		{Name: transforms.BatchFill, Value: s.Fill(), Unit: "1"},
		{Name: "batches", Value: float64(s.Batches)},
		{Name: "images", Value: float64(s.Rows)},
	}
}

// Models implements transforms.Modelled.
func (p *Perturbation) Models() []transforms.ModelUse {
	if p.vision == nil {
		return nil
	}
	i := p.vision.Info()
	return []transforms.ModelUse{{Ref: p.config.Model, Hash: p.vision.Hash(),
		Description: fmt.Sprintf("%s, %.1f M parameters", i.Architecture, float64(i.Parameters)/1e6)}}
}
