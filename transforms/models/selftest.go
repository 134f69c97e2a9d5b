package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
)

// Family is what a model is for.
type Family string

// The families.
const (
	LanguageModel Family = "language model"
	TextEncoder   Family = "text encoder"
	VisionEncoder Family = "vision encoder"
)

// FamilyOf tells by a reference's configuration what the model is for. What is no folder
// of an encoder is a language model, or nothing that can be opened.
func FamilyOf(ref string) Family {
	path, err := encoderPath(ref)
	if err != nil {
		return LanguageModel
	}
	text, err := readJSON(os.DirFS(path), configName)
	var config struct {
		Type string `json:"model_type"`
	}
	if err != nil || json.Unmarshal(text, &config) != nil {
		return LanguageModel
	}
	switch {
	case slices.Contains(bertTypes, config.Type):
		return TextEncoder
	case slices.Contains(visionTypes, config.Type):
		return VisionEncoder
	}
	return LanguageModel
}

// selfTestRows are the numbers of tokens of the rows of a self-test.
var selfTestRows = []int{5, 17, 30}

// SelfTest runs a few rows alone and together and reports what is not a number or depends
// on the company.
func (m *model) SelfTest(ctx context.Context) error {
	last := func(ids []int32) ([]float32, error) {
		var mu sync.Mutex
		var out []float32
		err := m.Score(ctx, ids, func(pos int, logits []float32) {
			if pos == len(ids)-1 {
				mu.Lock()
				defer mu.Unlock()
				out = slices.Clone(logits)
			}
		})
		return out, err
	}
	return aloneAsTogether(m.traits, testIDs(m.config.Vocab, m.Context()), last)
}

// SelfTest runs a few texts alone and together and reports what is not a number or
// depends on the company.
func (e *encoder) SelfTest(ctx context.Context) error {
	return aloneAsTogether(e.traits, testIDs(e.config.Vocab, e.Context()), func(ids []int32) ([]float32, error) { return e.Embed(ctx, ids) })
}

// SelfTest runs two images alone and together and reports what is not a number or depends
// on the company.
func (v *vision) SelfTest(ctx context.Context) error {
	side := 4 * v.PatchSize()
	images := make([][]float32, 2)
	for i := range images {
		images[i] = make([]float32, 3*side*side)
		for j := range images[i] {
			images[i][j] = float32((j*(7+i))%23)/11 - 1
		}
	}
	return aloneAsTogether(v.traits, images, func(pixels []float32) ([]float32, error) { return v.Embed(ctx, pixels, side, side) })
}

// testIDs are rows of ids from all over a vocabulary, within a context.
func testIDs(vocabulary, context int) [][]int32 {
	rows := make([][]int32, len(selfTestRows))
	for i, n := range selfTestRows {
		rows[i] = make([]int32, min(n, context))
		for j := range rows[i] {
			rows[i][j] = int32((1 + 7919*(j+100*i)) % vocabulary)
		}
	}
	return rows
}

// aloneAsTogether compares results of inputs one by one with those of all at once.
func aloneAsTogether[T any](t *traits, inputs []T, run func(T) ([]float32, error)) error {
	alone := make([][]float32, len(inputs))
	for i, input := range inputs {
		var err error
		if alone[i], err = run(input); err != nil {
			return fmt.Errorf("self-test: %w", err)
		}
		for _, x := range alone[i] {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return errors.New("self-test: a result is not a number: are the weights whole?")
			}
		}
	}
	together, errs := make([][]float32, len(inputs)), make([]error, len(inputs))
	var running sync.WaitGroup
	for i, input := range inputs {
		running.Go(func() { together[i], errs[i] = run(input) })
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	for i := range inputs {
		if d := apart(alone[i], together[i]); !(d <= t.batchTolerance) {
			return fmt.Errorf("self-test: the company of a row changes its results by %.2g of their size, more than %.2g", d, t.batchTolerance)
		}
	}
	return nil
}

// apart is the largest difference of two vectors, by the size of the first.
func apart(a, b []float32) float64 {
	size, most := 0.0, 0.0
	for i := range a {
		size = max(size, math.Abs(float64(a[i])))
		most = max(most, math.Abs(float64(a[i])-float64(b[i])))
	}
	if most == 0 {
		return 0
	}
	return most / size
}
