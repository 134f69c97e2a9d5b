package detect

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/roc"
)

// audited is a column whose trivial features are measured.
type audited struct {
	name     string
	column   int
	features []string
	// measure gives a value for each feature, NaN where there is none.
	measure func(v data.Value) []float64
}

// auditable finds what can be measured of a column.
func auditable(schema *data.Schema, name string) (audited, bool) {
	i := schema.Index(name)
	if i < 0 {
		return audited{}, false
	}
	a := audited{name: name, column: i}
	typ := schema.Field(i).Type
	switch {
	case typ.Kind == data.String:
		a.features, a.measure = textFeatures, textTraits
	case transforms.NeedImage(schema, "audit", name) == nil:
		a.features, a.measure = imageFeatures, func(v data.Value) []float64 { return imageTraits(v, typ) }
	case typ.Kind == data.Int64 || typ.Kind == data.Float64 || typ.Kind == data.Float32:
		a.features, a.measure = []string{"value"}, func(v data.Value) []float64 {
			if v.IsNull() {
				return []float64{math.NaN()}
			}
			return []float64{v.Float64()}
		}
	default:
		return audited{}, false
	}
	return a, true
}

// textFeatures are shares of the characters, but for the first, and of the letters for
// upper case.
var textFeatures = []string{"characters", "punctuation", "upper case", "digits", "not ASCII", "line breaks"}

func textTraits(v data.Value) []float64 {
	traits := make([]float64, len(textFeatures))
	text := v.Text()
	if v.IsNull() || text == "" {
		for i := range traits {
			traits[i] = math.NaN()
		}
		traits[0] = 0
		return traits
	}
	var letters, upper float64
	for _, r := range text {
		switch {
		case unicode.IsLetter(r):
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		case unicode.IsPunct(r) || unicode.IsSymbol(r):
			traits[1]++
		case unicode.IsDigit(r):
			traits[3]++
		case r == '\n':
			traits[5]++
		}
		if r > unicode.MaxASCII {
			traits[4]++
		}
	}
	n := float64(utf8.RuneCountInString(text))
	traits[0] = n
	traits[2] = upper / max(1, letters)
	for _, i := range []int{1, 3, 4, 5} {
		traits[i] /= n
	}
	return traits
}

// imageFeatures are of the file, which is not decoded; the last tell its format.
var imageFeatures = append([]string{"bytes", "width", "height", "bytes a pixel"}, images.Formats...)

func imageTraits(v data.Value, typ data.Type) []float64 {
	traits := make([]float64, len(imageFeatures))
	for i := range traits {
		traits[i] = math.NaN()
	}
	file, err := transforms.ImageBytes(v, typ)
	if err != nil {
		return traits
	}
	format, width, height, err := images.Describe(file)
	if err != nil {
		return traits
	}
	size := float64(len(file))
	traits[0], traits[1], traits[2], traits[3] = size, float64(width), float64(height), size/float64(width*height)
	for i, name := range images.Formats {
		traits[4+i] = 0
		if name == format {
			traits[4+i] = 1
		}
	}
	return traits
}

// confound evaluates a feature over all rows, and names the group in which it separates
// best. It is false when the feature is the same in all rows or a class is missing.
func confound(column, feature string, all class, names []string, groups []class) (transforms.Confound, bool) {
	c := transforms.Confound{Column: column, Feature: feature}
	s, err := roc.New(all.Positive, all.Negative)
	if err != nil || constant(all) {
		return c, false
	}
	area := s.DeLong()
	c.AUROC, c.Low, c.High = area.AUROC, area.Low, area.High
	if c.Less = c.AUROC < 0.5; c.Less {
		c.AUROC, c.Low, c.High = 1-c.AUROC, 1-c.High, 1-c.Low
	}
	for i, g := range groups {
		s, err := roc.New(g.Positive, g.Negative)
		if err != nil {
			continue
		}
		if a := s.AUROC(); max(a, 1-a) > c.GroupAUROC {
			c.Group, c.GroupAUROC = names[i], max(a, 1-a)
		}
	}
	return c, true
}

func constant(c class) bool {
	for _, v := range append(append([]float64(nil), c.Positive...), c.Negative...) {
		if v != c.Positive[0] {
			return false
		}
	}
	return true
}

// gate refuses an evaluation in which a trivial feature separates too well.
func gate(confounds []transforms.Confound, most float64, positive string) error {
	var over []string
	for _, c := range confounds {
		if c.AUROC > most {
			over = append(over, fmt.Sprintf("%s of column %s (AUROC %.3f)", c.Feature, c.Column, c.AUROC))
		}
	}
	if len(over) == 0 {
		return nil
	}
	return fmt.Errorf("%s alone tells %s from the rest, more than maxConfound %g allows: match the classes in it, or raise maxConfound", strings.Join(over, ", "), positive, most)
}
