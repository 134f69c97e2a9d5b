package table

import (
	"context"
	"errors"
	"fmt"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// against is an input port of DedupeNear.
const against = "against"

func init() {
	transforms.Register(transforms.Kind{
		Name:    "DedupeNear",
		Inputs:  []string{transforms.In, against},
		Outputs: []string{transforms.Out, duplicates},
		New:     newDedupeNear,
	})
}

// DedupeNearConfig keeps the first, by order, of the rows with nearly the same text: a
// row is a duplicate if the Jaccard similarity of its shingles with those of a row that
// is kept is at least Threshold, or, if the port against is connected, with those of
// a row there. It holds 8 bytes for each distinct shingle of the rows compared with,
// and about 40 for each band of such a row.
//
// A pair of similarity s is found with the chance 1 - (1 - s^(p/b))^b, where p is the
// number of Permutations and b that of Bands; what is found is compared in full.
type DedupeNearConfig struct {
	Column string `json:"column"` // of strings
	// Unit is what shingles are made of: "words" (runs without white space) or
	// "characters" (Unicode code points).
	Unit         string  `json:"unit"`
	Size         int     `json:"size"`         // units of a shingle, at least 1
	Threshold    float64 `json:"threshold"`    // above 0, at most 1
	Permutations int     `json:"permutations"` // of a MinHash signature, at least 1
	// Bands divides Permutations; 0 chooses the least number that finds a pair at
	// Threshold with a chance of 0.999.
	Bands int `json:"bands"`
}

type dedupeNear struct {
	config DedupeNearConfig
	plan   plan[nearPlan]
}

// nearPlan is what Columns found out for Run.
type nearPlan struct {
	text       int
	against    int // -1 if nothing is connected
	duplicates *data.Schema
}

var _ transforms.Global = (*dedupeNear)(nil)

func newDedupeNear(config []byte) (transforms.Node, error) {
	n := &dedupeNear{config: DedupeNearConfig{Column: "text", Unit: "words", Size: 5, Threshold: 0.8, Permutations: 128}}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := &n.config
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, &transforms.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if c.Unit != "words" && c.Unit != "characters" {
		wrong("unit", "%q is neither words nor characters", c.Unit)
	}
	if c.Size < 1 {
		wrong("size", "%d is not at least 1", c.Size)
	}
	if !(c.Threshold > 0 && c.Threshold <= 1) {
		wrong("threshold", "%v is not above 0 and at most 1", c.Threshold)
	}
	if c.Permutations < 1 || c.Permutations > 4096 {
		wrong("permutations", "%d is not between 1 and 4096", c.Permutations)
	}
	switch {
	case len(errs) > 0:
	case c.Bands == 0:
		c.Bands = bandsFor(c.Threshold, c.Permutations)
	case c.Bands < 0 || c.Permutations%c.Bands != 0:
		errs = append(errs, &transforms.FieldError{Field: "bands", Message: fmt.Sprintf("%d does not divide permutations, %d", c.Bands, c.Permutations),
			Hint: fmt.Sprintf("leave it out for %d", bandsFor(c.Threshold, c.Permutations))})
	}
	return n, errors.Join(errs...)
}

func (n *dedupeNear) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	p := &nearPlan{text: s.Index(n.config.Column), against: -1}
	err = transforms.NeedColumn(s, "column", n.config.Column, data.String)
	if other := in.Get(against); other != nil {
		p.against = other.Index(n.config.Column)
		err = errors.Join(err, transforms.NeedColumn(other, against, n.config.Column, data.String))
	}
	if err != nil {
		return nil, err
	}
	p.duplicates, err = transforms.AddColumns(s, "",
		data.Field{Name: "duplicate_of", Type: data.StringType},
		data.Field{Name: "similarity", Type: data.Float64Type})
	if err != nil {
		return nil, err
	}
	n.plan.set(p)
	return transforms.Ports{{Name: transforms.Out, Schema: s}, {Name: duplicates, Schema: p.duplicates}}, nil
}

func (n *dedupeNear) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	p, err := n.plan.get()
	if err != nil {
		return err
	}
	known := &nearTexts{config: n.config, sets: newLSH(n.config.Permutations, n.config.Bands)}
	if p.against >= 0 {
		for r, err := range rowsOf(ctx, in, against) {
			if err != nil {
				return err
			}
			if v := r.Values[p.against]; !v.IsNull() {
				known.hold(r.ID, known.read(v.Text()))
			}
		}
	}
	for r, err := range rowsOf(ctx, in, transforms.In) {
		if err != nil {
			return err
		}
		v := r.Values[p.text]
		if v.IsNull() {
			emit(transforms.Out, r)
			continue
		}
		text := known.read(v.Text())
		if i, similarity := known.sets.similar(text.set, text.keys, n.config.Threshold); i >= 0 {
			emit(duplicates, r.Append(p.duplicates, data.StringValue(known.ids[i].String()), data.Float64Value(similarity)))
			continue
		}
		if p.against < 0 {
			known.hold(r.ID, text)
		}
		emit(transforms.Out, r)
	}
	return nil
}

// nearTexts are the texts that rows are compared with.
type nearTexts struct {
	config DedupeNearConfig
	sets   *lsh
	ids    []data.ID // of their rows
}

// shingled is a text as it is compared.
type shingled struct{ set, keys []uint64 }

func (t *nearTexts) read(text string) shingled {
	set := shingles(text, t.config.Unit, t.config.Size)
	return shingled{set, t.sets.keys(t.sets.signature(set))}
}

func (t *nearTexts) hold(id data.ID, s shingled) {
	t.sets.add(s.set, s.keys)
	t.ids = append(t.ids, id)
}
