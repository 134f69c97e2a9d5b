package distill

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/student"
	"penstock.dev/transforms/models/nets"
)

// Columns of distilled images, enough to train on them with no other file.
const (
	columnImage   = "image"         // [channels, height, width], scaled as the recipe says
	columnPreview = "preview"       // the same as a PNG file
	columnClass   = "class"         // an index of the recipe's classes
	columnLabel   = "label"         // its name
	columnLogits  = "logits"        // soft label before the softmax; null if labels are hard
	columnRate    = "learning_rate" // for training on them
)

var distilledSchema = data.MustSchema(
	data.Field{Name: columnImage, Type: data.Type{Kind: data.Tensor, Elem: &data.Float32Type, Shape: []int{-1, -1, -1}}},
	data.Field{Name: columnPreview, Type: data.BytesType},
	data.Field{Name: columnClass, Type: data.Int64Type},
	data.Field{Name: columnLabel, Type: data.StringType},
	data.Field{Name: columnLogits, Type: data.ListOf(data.Float32Type, false), Nullable: true},
	data.Field{Name: columnRate, Type: data.Float64Type},
	data.Field{Name: columnRecipe, Type: data.StringType},
)

// Recipe is all there is to know of distilled images, the same in every row, as JSON.
type Recipe struct {
	Method    string           `json:"method"`
	Net       nets.Net         `json:"net"` // that they were distilled with
	Classes   []string         `json:"classes"`
	Scaling   labelled.Scaling `json:"scaling"` // image = (pixel - mean) / deviation, pixels 0 to 1
	Train     student.Protocol `json:"train"`   // how to train on them
	Momentum  float64          `json:"momentum"`
	Decay     float64          `json:"decay"` // of weights
	Soft      bool             `json:"soft"`
	Iteration int              `json:"iteration"`
	HeldOut   *float64         `json:"heldOut,omitempty"` // accuracy that chose the iteration
	Seed      int64            `json:"seed"`
	Data      string           `json:"data"`              // hash of the real images
	Experts   string           `json:"experts,omitempty"` // key of the experts
	Config    *Config          `json:"config"`            // of the node
}

// emit emits the chosen state, a row an image.
func (w *work) emit(emit transforms.Emit) error {
	s := w.chosen()
	recipe := w.recipe(s)
	text, err := json.Marshal(recipe)
	if err != nil {
		return err
	}
	shape := w.real.Shape
	for i, class := range s.labels {
		image := s.images[i*shape.Size() : (i+1)*shape.Size()]
		preview, err := w.preview(image)
		if err != nil {
			return err
		}
		logits := data.Value{}
		if w.config.Soft {
			logits = floatList(s.logits[i*s.classes : (i+1)*s.classes])
		}
		emit(transforms.Out, &data.Record{Schema: distilledSchema, ID: data.ID{Source: "distilled", Row: int64(i)}, Values: []data.Value{
			data.TensorValue(&data.Array{Shape: []int{shape.Channels, shape.Height, shape.Width}, Data: planar(image, shape.Channels)}),
			data.BytesValue(preview),
			data.Int64Value(int64(class)),
			data.StringValue(recipe.Classes[class]),
			logits,
			data.Float64Value(s.rate),
			data.StringValue(string(text)),
		}})
	}
	return nil
}

func floatList(values []float32) data.Value {
	list := make([]data.Value, len(values))
	for i, v := range values {
		list[i] = data.Float32Value(v)
	}
	return data.ListValue(list)
}

func (w *work) recipe(s *state) *Recipe {
	config := w.config.withoutPlaces()
	r := &Recipe{
		Method: w.config.Method, Net: w.learner.Net, Classes: w.real.Classes, Scaling: w.scaling,
		Train: w.protocol(s.rate), Momentum: student.Momentum, Decay: student.Decay,
		Soft: w.config.Soft, Iteration: s.iteration, Seed: w.config.Seed, Data: w.data, Config: &config,
	}
	if w.best != nil {
		r.HeldOut = &s.accuracy
	}
	if w.experts != nil {
		r.Experts = w.experts.key
	}
	return r
}

// preview is an image as people see it.
func (w *work) preview(image []float32) ([]byte, error) {
	shape := w.real.Shape
	m := &images.RGB{Width: shape.Width, Height: shape.Height, Pix: make([]uint8, 0, 3*shape.Width*shape.Height)}
	for at := 0; at < len(image); at += shape.Channels {
		for k := range 3 {
			channel := min(k, shape.Channels-1)
			v := w.scaling.Pixel(image[at+channel], channel)
			m.Pix = append(m.Pix, uint8(min(255, max(0, math.Round(255*v)))))
		}
	}
	return m.PNG()
}

// distilled are the rows of a Distill node, or of a file that has them.
type distilled struct {
	Recipe
	images []float32 // [rows, height, width, channels]
	labels []int
	logits []float32 // [rows, classes]; nil if labels are hard
	rate   float64
}

// needDistilled checks that a port has the columns of distilled images.
func needDistilled(s *data.Schema, port string) error {
	if s == nil {
		return &transforms.FieldError{Field: port, Message: "takes distilled images, but nothing is connected"}
	}
	return errors.Join(
		transforms.NeedColumn(s, port, columnImage, data.Tensor, data.List),
		transforms.NeedColumn(s, port, columnClass, data.Int64),
		transforms.NeedColumn(s, port, columnLogits, data.List),
		transforms.NeedColumn(s, port, columnRate, data.Float64),
		transforms.NeedColumn(s, port, columnRecipe, data.String),
	)
}

// readDistilled reads the rows at a port. All rows must be right, for a set of images
// that lacks one is another set.
func readDistilled(in transforms.Inputs, port string) (*distilled, error) {
	d, recipe := &distilled{}, ""
	for r, err := range in.Rows(port) {
		if err != nil {
			return nil, err
		}
		if text := r.Get(columnRecipe).Text(); recipe == "" {
			recipe = text
			if err := d.take(recipe, r); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", port, r.ID, err)
			}
		} else if text != recipe {
			return nil, fmt.Errorf("%s: %s is of another distilled set than the rows before it", port, r.ID)
		}
		if err := d.add(r); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", port, r.ID, err)
		}
	}
	if len(d.labels) == 0 {
		return nil, fmt.Errorf("%s: there are no distilled images", port)
	}
	return d, nil
}

// take reads what all rows share.
func (d *distilled) take(recipe string, r *data.Record) error {
	if err := json.Unmarshal([]byte(recipe), &d.Recipe); err != nil {
		return fmt.Errorf("column %s is no recipe of Distill: %w", columnRecipe, err)
	}
	d.rate = r.Get(columnRate).Float64()
	switch err := errors.Join(d.Net.Check(), d.Scaling.Check(d.Net.Image.Channels), augment.Check(d.Train.Augment)); {
	case err != nil:
		return err
	case len(d.Classes) != d.Net.Classes:
		return fmt.Errorf("%d classes for a network of %d", len(d.Classes), d.Net.Classes)
	case !(d.rate > 0 && d.rate < 1e6):
		return fmt.Errorf("a learning rate of %g", d.rate)
	case d.Train.Batch < 1 || d.Train.Epochs < 1:
		return fmt.Errorf("batches of %d for %d epochs", d.Train.Batch, d.Train.Epochs)
	}
	return nil
}

// add reads an image with its labels.
func (d *distilled) add(r *data.Record) error {
	shape := d.Net.Image
	image, _, err := flat(r.Get(columnImage))
	class := r.Get(columnClass).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("column %s %w", columnImage, err)
	case len(image) != shape.Size():
		return fmt.Errorf("column %s has %d values, want %s", columnImage, len(image), shape)
	case class < 0 || class >= int64(len(d.Classes)):
		return fmt.Errorf("class %d of %d", class, len(d.Classes))
	}
	d.images = append(d.images, interleaved(image, shape.Channels)...)
	d.labels = append(d.labels, int(class))
	if !d.Soft {
		return nil
	}
	logits, _, err := flat(r.Get(columnLogits))
	if err != nil || len(logits) != len(d.Classes) {
		return fmt.Errorf("column %s has %d values, want one of each of %d classes", columnLogits, len(logits), len(d.Classes))
	}
	d.logits = append(d.logits, logits...)
	return nil
}
