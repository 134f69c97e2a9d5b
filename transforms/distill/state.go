package distill

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"

	"penstock.dev/transforms/distill/expert"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/models/safetensors"
)

// state is what an iteration changes. Rows are sorted by class, equally many of each.
type state struct {
	iteration int
	images    []float32 // [rows, height, width, channels], scaled
	labels    []int     // class of each row
	logits    []float32 // [rows, classes]; those of hard labels are not learned
	classes   int
	rate      float64 // of the student

	imageVelocity, logitVelocity []float32
	rateVelocity                 float64

	accuracy float64 // on the images held out, of a best state
}

// targets are the probabilities to be trained on.
func (s *state) targets(soft bool) []float32 {
	if soft {
		return match.Softmax(s.logits, s.classes)
	}
	return labelled.OneHot(s.labels, s.classes)
}

func (s *state) clone() *state {
	c := *s
	c.images, c.logits = slices.Clone(s.images), slices.Clone(s.logits)
	return &c
}

// withoutPlaces is the configuration without what changes nothing in the result.
func (c Config) withoutPlaces() Config {
	c.Cache, c.Checkpoint = "", 0
	return c
}

// keyOf names all that a run depends on.
func (w *work) keyOf() string {
	experts, heldOut := "", ""
	if w.experts != nil {
		experts = fmt.Sprint(w.experts.key, len(w.experts.trajectories))
		for _, t := range w.experts.trajectories {
			experts += fmt.Sprint(" ", len(t.Points))
		}
	}
	if w.heldOut != nil {
		heldOut = w.heldOut.Hash()
	}
	b, err := json.Marshal(struct {
		Config                 Config
		Data, Experts, HeldOut string
	}{w.config.withoutPlaces(), w.data, experts, heldOut})
	if err != nil {
		panic(err) // of plain values
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func (w *work) path() string { return filepath.Join(w.cache, w.key+".safetensors") }

// Names of the tensors and texts of a state file.
const (
	tensorImages        = "images"
	tensorLogits        = "logits"
	tensorImageVelocity = "image_velocity"
	tensorLogitVelocity = "logit_velocity"
	tensorBestImages    = "best_images"
	tensorBestLogits    = "best_logits"
	textKey             = "key"
	textIteration       = "iteration"
	textRate            = "rate"
	textRateVelocity    = "rate_velocity"
	textBestIteration   = "best_iteration"
	textBestRate        = "best_rate"
	textBestAccuracy    = "best_accuracy"
)

// save puts the state and the best one into the cache.
func (w *work) save() error {
	s := w.state
	exact := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	text := map[string]string{
		textKey: w.key, textIteration: strconv.Itoa(s.iteration),
		textRate: exact(s.rate), textRateVelocity: exact(s.rateVelocity),
	}
	vector := func(name string, v []float32) safetensors.Floats {
		return safetensors.Floats{Name: name, Shape: []int{len(v)}, Values: v}
	}
	tensors := []safetensors.Floats{
		vector(tensorImages, s.images), vector(tensorImageVelocity, s.imageVelocity),
		vector(tensorLogits, s.logits), vector(tensorLogitVelocity, s.logitVelocity),
	}
	if b := w.best; b != nil {
		text[textBestIteration], text[textBestRate], text[textBestAccuracy] = strconv.Itoa(b.iteration), exact(b.rate), exact(b.accuracy)
		tensors = append(tensors, vector(tensorBestImages, b.images), vector(tensorBestLogits, b.logits))
	}
	return expert.Replace(w.path(), text, tensors...)
}

// resume takes up the state in the cache, if there is one.
func (w *work) resume() error {
	tensors, text, err := expert.Load(w.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s := w.state.clone()
	damaged := text[textKey] != w.key
	take := func(name string, into *[]float32) {
		damaged = damaged || len(tensors[name]) != len(*into)
		*into = tensors[name]
	}
	number := func(name string, into *float64) {
		v, err := strconv.ParseFloat(text[name], 64)
		damaged = damaged || err != nil
		*into = v
	}
	count := func(name string, into *int) {
		v, err := strconv.Atoi(text[name])
		damaged = damaged || err != nil || v < 0
		*into = v
	}
	take(tensorImages, &s.images)
	take(tensorImageVelocity, &s.imageVelocity)
	take(tensorLogits, &s.logits)
	take(tensorLogitVelocity, &s.logitVelocity)
	number(textRate, &s.rate)
	number(textRateVelocity, &s.rateVelocity)
	count(textIteration, &s.iteration)
	var best *state
	if text[textBestIteration] != "" {
		best = s.clone()
		take(tensorBestImages, &best.images)
		take(tensorBestLogits, &best.logits)
		number(textBestRate, &best.rate)
		number(textBestAccuracy, &best.accuracy)
		count(textBestIteration, &best.iteration)
	}
	if damaged {
		return fmt.Errorf("%s is not the state of this run: remove it", w.path())
	}
	w.state, w.best = s, best
	return nil
}
