package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/lastde"
	"penstock.dev/transforms/models"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Lastde",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newLastde,
	})
}

// LastdeConfig configures the kind Lastde; see specs.#Lastde.
type LastdeConfig struct {
	Column      string              `json:"column"`
	Model       string              `json:"model"`
	Scores      []string            `json:"scores"`
	Lastde      multiscale          `json:"lastde"`
	LastdePP    multiscale          `json:"lastdePP"`
	Precision   models.Precision    `json:"precision"`
	Window      int                 `json:"window"`    // tokens, 0 for the model's context
	MinTokens   int                 `json:"minTokens"` // fewer reject a text
	MaxTokens   int                 `json:"maxTokens"` // more reject a text
	Seed        int64               `json:"seed"`
	BatchTokens int                 `json:"batchTokens"`
	MaxWait     transforms.Duration `json:"maxWait"`
}

// multiscale is lastde.Params as a graph writes them; Samples is Lastde++'s alone.
type multiscale struct {
	S         int    `json:"s"`
	Epsilon   int    `json:"epsilon"`
	Scales    int    `json:"scales"`
	Aggregate string `json:"aggregate"`
	Samples   int    `json:"samples"`
}

func (m multiscale) String() string {
	return fmt.Sprintf("s=%d epsilon=%d scales=%d aggregate=%s", m.S, m.Epsilon, m.Scales, m.Aggregate)
}

func (m multiscale) params() (lastde.Params, error) {
	a, err := lastde.ParseAggregate(m.Aggregate)
	if err != nil {
		return lastde.Params{}, err
	}
	p := lastde.Params{S: m.S, Epsilon: m.Epsilon, Scales: m.Scales, Aggregate: a}
	return p, p.Validate()
}

// Lastde scores texts: see [LastdeConfig]. Its columns are those of its scores,
// in the order of the configuration, and tokens. A score that a text does not
// define (its divisor is zero) is null.
type Lastde struct {
	config  LastdeConfig
	plain   lastde.Params // of lastde
	sampled lastde.Params // of lastde_pp
	least   int           // tokens below which a text is rejected
	column  int
	out     *data.Schema
	lm      *models.LM
	samples *allowance // memory of lastde_pp's samples
	lengths histogram
}

var (
	_ transforms.Windowed  = (*Lastde)(nil)
	_ transforms.Opener    = (*Lastde)(nil)
	_ transforms.Closer    = (*Lastde)(nil)
	_ transforms.Metered   = (*Lastde)(nil)
	_ transforms.Modelled  = (*Lastde)(nil)
	_ transforms.Cautioned = (*Lastde)(nil)
)

func newLastde(config []byte) (transforms.Node, error) {
	l := &Lastde{samples: newAllowance(sampleMemory / sampleUnit)}
	if err := transforms.Decode(config, &l.config); err != nil {
		return nil, err
	}
	if w := l.config.Window; w < 0 || w == 1 {
		return nil, &transforms.FieldError{Field: "window", Message: fmt.Sprintf("a window of %d tokens predicts none, want 2 or more, or 0 for the model's context", w)}
	}
	var err error
	if l.plain, err = l.config.Lastde.params(); err != nil {
		return nil, &transforms.FieldError{Field: "lastde", Message: err.Error()}
	}
	if l.sampled, err = l.config.LastdePP.params(); err != nil {
		return nil, &transforms.FieldError{Field: "lastdePP", Message: err.Error()}
	}
	for i, name := range l.config.Scores {
		if _, ok := statistics[name]; !ok {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("scores.%d", i), Message: fmt.Sprintf("no score %q", name)}
		}
		if slices.Contains(l.config.Scores[:i], name) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("scores.%d", i), Message: fmt.Sprintf("score %q twice", name)}
		}
	}
	// A sequence of n log-probabilities needs n+1 tokens.
	l.least = max(2, l.config.MinTokens)
	if l.wants(scoreLastde) {
		l.least = max(l.least, l.plain.MinLength()+1)
	}
	if l.wants(scoreLastdePP) {
		l.least = max(l.least, l.sampled.MinLength()+1)
		if err := l.checkSamples(); err != nil {
			return nil, err
		}
	}
	if l.config.MaxTokens < l.least {
		return nil, &transforms.FieldError{Field: "maxTokens", Message: fmt.Sprintf("%d is below the %d tokens that the scores need", l.config.MaxTokens, l.least)}
	}
	return l, nil
}

// Memory of the samples of lastde_pp, in bytes: what rows under way may hold
// together, in which units it is shared out, and what one row may need.
const (
	sampleMemory = 256 << 20
	sampleUnit   = 1 << 20
	mostForRow   = 1 << 30
)

// sampleBytes is the memory of the samples of a text.
func (l *Lastde) sampleBytes(tokens int) int { return 8 * l.config.LastdePP.Samples * tokens }

func (l *Lastde) checkSamples() error {
	m := l.config.LastdePP.Samples
	if m < 2 {
		return &transforms.FieldError{Field: "lastdePP.samples", Message: fmt.Sprintf("%d samples have no spread, want 2 or more", m)}
	}
	if most := mostForRow / l.sampleBytes(1); l.config.MaxTokens > most {
		return &transforms.FieldError{Field: "maxTokens", Message: fmt.Sprintf("%d samples of %d tokens need more than 1 GiB a row", m, l.config.MaxTokens),
			Hint: fmt.Sprintf("lower maxTokens to %d, or lastdePP.samples", most)}
	}
	return nil
}

func (l *Lastde) wants(score string) bool { return slices.Contains(l.config.Scores, score) }

// Columns implements transforms.Node.
func (l *Lastde) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	if err := transforms.NeedColumn(schema, "column", l.config.Column, data.String); err != nil {
		return nil, err
	}
	hash, err := models.Check(l.config.Model)
	if err != nil {
		return nil, &transforms.FieldError{Field: "model", Code: transforms.NoResource, Message: err.Error()}
	}
	l.column = schema.Index(l.config.Column)
	var fields []data.Field
	for _, name := range l.config.Scores {
		fields = append(fields, data.Field{Name: name, Type: data.Float64Type, Nullable: true, Origin: l.origin(name, hash)})
	}
	fields = append(fields, data.Field{Name: "tokens", Type: data.Int64Type})
	out, err := transforms.AddColumns(schema, "scores", fields...)
	l.out = out
	return transforms.OutPort(out), err
}

// origin says what a score depends on besides the text: a calibration holds for
// scores of one origin only.
func (l *Lastde) origin(score, hash string) string {
	origin := fmt.Sprintf("Lastde score=%s model=%.16s window=%d", score, hash, l.config.Window)
	if l.config.Precision == models.Half {
		origin += " precision=" + string(models.Half)
	}
	switch score {
	case scoreLastde:
		origin += " " + l.config.Lastde.String()
	case scoreLastdePP:
		origin += fmt.Sprintf(" %s samples=%d", l.config.LastdePP, l.config.LastdePP.Samples)
	}
	return origin
}

// Open implements transforms.Opener: it opens the model.
func (l *Lastde) Open(ctx context.Context) error {
	lm, err := models.Open(ctx, l.config.Model, models.Options{BatchTokens: l.config.BatchTokens, MaxWait: l.config.MaxWait.Duration, Precision: l.config.Precision})
	if err != nil {
		return err
	}
	if w := l.config.Window; w > lm.Context() {
		return errors.Join(lm.Close(), fmt.Errorf("window is %d tokens, but the context of model %s is %d: choose a smaller window or 0", w, l.config.Model, lm.Context()))
	}
	l.lm = lm
	return nil
}

// Close implements transforms.Closer.
func (l *Lastde) Close() error {
	if l.lm == nil {
		return nil
	}
	return l.lm.Close()
}

// Window implements transforms.Windowed: enough rows for several batches, so
// that the batcher can group them by length.
func (l *Lastde) Window() int { return max(16, l.config.BatchTokens/32) }

// bytesPerToken bounds how many bytes of text a token stands for; a text longer
// than that is refused before it is tokenised.
const bytesPerToken = 64

// Process implements transforms.Row.
func (l *Lastde) Process(ctx context.Context, r *data.Record, emit transforms.Emit) error {
	tokens, err := l.tokenise(r.Values[l.column])
	if err != nil {
		return err
	}
	s, err := l.measure(ctx, r.ID, tokens)
	if err != nil {
		return err
	}
	defer s.release()
	values := make([]data.Value, 0, len(l.config.Scores)+1)
	for _, name := range l.config.Scores {
		v, err := statistics[name](l, s)
		switch {
		case err == nil:
			values = append(values, data.Float64Value(v))
		case errors.Is(err, lastde.ErrUndefined), errors.Is(err, lastde.ErrZeroAggregate), errors.Is(err, lastde.ErrZeroSpread):
			values = append(values, data.Value{})
		default:
			return transforms.Reject("score", "%s: %v", name, err)
		}
	}
	values = append(values, data.Int64Value(int64(len(tokens))))
	l.lengths.add(float64(len(tokens)))
	emit(transforms.Out, r.Append(l.out, values...))
	return nil
}

// tokenise checks a text and turns it into tokens, without special ones.
func (l *Lastde) tokenise(v data.Value) ([]int32, error) {
	text := v.Text()
	switch {
	case v.IsNull():
		return nil, transforms.Reject("null", "column %s is null", l.config.Column)
	case !utf8.ValidString(text):
		return nil, transforms.Reject("utf8", "column %s is not valid UTF-8", l.config.Column)
	case len(text) > bytesPerToken*l.config.MaxTokens:
		return nil, transforms.Reject("too-long", "%d bytes, more than %d for each of maxTokens %d", len(text), bytesPerToken, l.config.MaxTokens)
	}
	tokens := l.lm.Tokenizer().Encode(text)
	switch n := len(tokens); {
	case n < l.least:
		return nil, transforms.Reject("too-short", "%d tokens, the scores need %d", n, l.least)
	case n > l.config.MaxTokens:
		return nil, transforms.Reject("too-long", "%d tokens, maxTokens is %d", n, l.config.MaxTokens)
	}
	return tokens, nil
}

// Metrics implements transforms.Metered.
func (l *Lastde) Metrics() []transforms.Metric {
	if l.lm == nil {
		return nil
	}
	s := l.lm.Stats()
	edges, counts := l.lengths.bins()
	return []transforms.Metric{
		{Name: transforms.DeviceSeconds, Value: s.DeviceTime.Seconds(), Unit: "s"},
		{Name: transforms.BatchFill, Value: s.Fill(), Unit: "1"},
		{Name: "batches", Value: float64(s.Batches)},
		{Name: "tokens", Value: float64(s.Tokens), Unit: "tokens"},
		{Name: "text length", Value: l.lengths.mean(), Unit: "tokens", Edges: edges, Counts: counts},
	}
}

// Models implements transforms.Modelled.
func (l *Lastde) Models() []transforms.ModelUse {
	if l.lm == nil {
		return nil
	}
	i := l.lm.Info()
	return []transforms.ModelUse{{
		Ref:         l.config.Model,
		Hash:        l.lm.Hash(),
		Description: fmt.Sprintf("%s, %.1f M parameters, context %d", i.Architecture, float64(i.Parameters)/1e6, l.lm.Context()),
		Backend:     models.Device(),
	}}
}

// Cautions implements transforms.Cautioned.
func (l *Lastde) Cautions() []string {
	if l.config.Model != "pocket" {
		return nil
	}
	return []string{"the scores come from the embedded pocket model (4 M parameters): they show how things work, not how well machine text can be detected"}
}
