package embed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
	"penstock.dev/transforms/models/tokenizer"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Embed",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			e := &Embed{}
			return e, transforms.Decode(config, &e.config)
		},
	})
}

// Config configures the kind Embed; see specs.#Embed.
type Config struct {
	Column      string              `json:"column"`
	Model       string              `json:"model"`
	As          string              `json:"as"`        // the new column
	Pooling     string              `json:"pooling"`   // of texts
	Normalise   bool                `json:"normalise"` // to unit length
	Long        string              `json:"long"`      // what becomes of a text beyond the model's context: "reject" or "cut"
	Size        int                 `json:"size"`      // of images, pixels
	Resize      string              `json:"resize"`
	Positions   string              `json:"positions"`
	Precision   models.Precision    `json:"precision"`
	BatchTokens int                 `json:"batchTokens"`
	MaxWait     transforms.Duration `json:"maxWait"`
}

// Embed adds a vector to every row: of a text by a text encoder, of an image (a
// column of bytes, or a struct with the field bytes) by a vision transformer.
type Embed struct {
	config  Config
	column  int
	typ     data.Type
	out     *data.Schema
	encoder *models.Encoder // one of the two
	vision  *models.Vision
}

var (
	_ transforms.Windowed = (*Embed)(nil)
	_ transforms.Opener   = (*Embed)(nil)
	_ transforms.Closer   = (*Embed)(nil)
	_ transforms.Metered  = (*Embed)(nil)
	_ transforms.Modelled = (*Embed)(nil)
)

// Columns implements transforms.Node.
func (e *Embed) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	field, ok := schema.Lookup(e.config.Column)
	if !ok {
		return nil, transforms.NeedColumn(schema, "column", e.config.Column)
	}
	check := models.CheckEncoder
	if field.Type.Kind != data.String {
		check = models.CheckVision
		if transforms.NeedImage(schema, "column", e.config.Column) != nil {
			return nil, transforms.NeedColumn(schema, "column", e.config.Column, data.String, data.Bytes)
		}
	}
	if _, err := check(e.config.Model); err != nil {
		return nil, &transforms.FieldError{Field: "model", Code: transforms.NoResource, Message: err.Error()}
	}
	e.column, e.typ = schema.Index(e.config.Column), field.Type
	var err error
	e.out, err = transforms.AddColumns(schema, "as", data.Field{Name: e.config.As, Type: data.ListOf(data.Float32Type, false)})
	return transforms.OutPort(e.out), err
}

// Open implements transforms.Opener: it opens the model.
func (e *Embed) Open(ctx context.Context) (err error) {
	batching := models.Options{BatchTokens: e.config.BatchTokens, MaxWait: e.config.MaxWait.Duration, Precision: e.config.Precision}
	if e.typ.Kind == data.String {
		e.encoder, err = models.OpenEncoder(ctx, e.config.Model, models.EncoderOptions{Options: batching, Pooling: models.Pooling(e.config.Pooling)})
		return err
	}
	vision, err := models.OpenVision(ctx, e.config.Model, models.VisionOptions{Options: batching, Positions: models.Positions(e.config.Positions)})
	if err != nil {
		return err
	}
	if patch := vision.PatchSize(); e.config.Size%patch != 0 {
		return errors.Join(vision.Close(), fmt.Errorf("size is %d pixels, but the patches of model %s are %d: choose a multiple", e.config.Size, e.config.Model, patch))
	}
	e.vision = vision
	return nil
}

// Close implements transforms.Closer.
func (e *Embed) Close() error {
	switch {
	case e.encoder != nil:
		return e.encoder.Close()
	case e.vision != nil:
		return e.vision.Close()
	}
	return nil
}

// Window implements transforms.Windowed: enough rows for several batches.
func (e *Embed) Window() int { return 64 }

// Process implements transforms.Row.
func (e *Embed) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	embed := e.text
	if e.vision != nil {
		embed = e.image
	}
	vector, err := embed(ctx, r.Values[e.column])
	if err != nil {
		return err
	}
	if e.config.Normalise && !normalise(vector) {
		return transforms.Reject("zero", "the vector has no length")
	}
	values := make([]data.Value, len(vector))
	for i, v := range vector {
		values[i] = data.Float32Value(v)
	}
	emit(transforms.Out, r.Append(e.out, data.ListValue(values)))
	return nil
}

// bytesPerToken bounds how many bytes of text a token stands for; a text longer than
// that is refused, or cut, before it is tokenised.
const bytesPerToken = 64

func (e *Embed) text(ctx context.Context, v data.Value) ([]float32, error) {
	text, context := v.Text(), e.encoder.Context()
	switch {
	case v.IsNull():
		return nil, transforms.Reject("null", "column %s is null", e.config.Column)
	case !utf8.ValidString(text):
		return nil, transforms.Reject("utf8", "column %s is not valid UTF-8", e.config.Column)
	case len(text) > bytesPerToken*context && e.config.Long == "reject":
		return nil, transforms.Reject("too-long", "%d bytes, more than %d for each of the model's %d tokens", len(text), bytesPerToken, context)
	}
	if cut := bytesPerToken * context; len(text) > cut {
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	tokens := e.encoder.Tokenizer().Encode(text, tokenizer.WithSpecial(), tokenizer.WithPlainText())
	if n := len(tokens); n > context {
		if e.config.Long == "reject" {
			return nil, transforms.Reject("too-long", "%d tokens, the model takes %d", n, context)
		}
		// The last token, which ends a text, stays.
		tokens = append(tokens[:context-1:context-1], tokens[n-1])
	}
	return e.encoder.Embed(ctx, tokens)
}

func (e *Embed) image(ctx context.Context, v data.Value) ([]float32, error) {
	file, err := transforms.ImageBytes(v, e.typ)
	if err != nil {
		return nil, err
	}
	m, err := transforms.SquareImage(file, e.config.Size, e.config.Resize == "crop")
	if err != nil {
		return nil, err
	}
	return e.vision.Embed(ctx, images.Normalised(m.Planes()), m.Height, m.Width)
}

// normalise scales a vector to unit length; false if it has none.
func normalise(vector []float32) bool {
	sum := 0.0
	for _, v := range vector {
		sum += float64(v) * float64(v)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return false
	}
	scale := 1 / math.Sqrt(sum)
	for i := range vector {
		vector[i] = float32(float64(vector[i]) * scale)
	}
	return true
}

// Metrics implements transforms.Metered.
func (e *Embed) Metrics() []transforms.Metric {
	var s models.Stats
	switch {
	case e.encoder != nil:
		s = e.encoder.Stats()
	case e.vision != nil:
		s = e.vision.Stats()
	}
	return []transforms.Metric{
		{Name: transforms.DeviceSeconds, Value: s.DeviceTime.Seconds(), Unit: "s"},
		{Name: transforms.BatchFill, Value: s.Fill(), Unit: "1"},
		{Name: "batches", Value: float64(s.Batches)},
	}
}

// Models implements transforms.Modelled.
func (e *Embed) Models() []transforms.ModelUse {
	var (
		info models.Info
		hash string
	)
	switch {
	case e.encoder != nil:
		info, hash = e.encoder.Info(), e.encoder.Hash()
	case e.vision != nil:
		info, hash = e.vision.Info(), e.vision.Hash()
	default:
		return nil
	}
	return []transforms.ModelUse{{Ref: e.config.Model, Hash: hash, Description: fmt.Sprintf("%s, %.1f M parameters", info.Architecture, float64(info.Parameters)/1e6)}}
}
