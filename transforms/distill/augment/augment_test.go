package augment

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"penstock.dev/transforms/models/nets"
)

var shapes = []nets.Shape{{Height: 8, Width: 8, Channels: 1}, {Height: 7, Width: 10, Channels: 3}, {Height: 1, Width: 1, Channels: 2}}

func normal(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// Pull is the transpose of the linear part of Apply, for every family and shape: what
// makes gradients through a view exact.
func TestPullIsTheTransposeOfApply(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, family := range Families {
		for _, shape := range shapes {
			for range 20 {
				v := Draw(r, []string{family}, 3, shape)
				x, g := normal(r, 3*shape.Size()), normal(r, 3*shape.Size())
				moved := Apply(v, x, shape)
				for i, constant := range Apply(v, make([]float64, len(x)), shape) {
					moved[i] -= constant
				}
				if a, b := dot(moved, g), dot(x, Pull(v, g, shape)); math.Abs(a-b) > 1e-10*(1+math.Abs(a)) {
					t.Errorf("%s of %s: %g and %g", family, shape, a, b)
				}
			}
		}
	}
}

// A view that is drawn again from the same generator is the same; no families change
// nothing.
func TestViewsAreReplayed(t *testing.T) {
	shape := shapes[1]
	x := normal(rand.New(rand.NewPCG(1, 2)), 4*shape.Size())
	draw := func() []float64 {
		return Apply(Draw(rand.New(rand.NewPCG(3, 4)), Families, 4, shape), x, shape)
	}
	if !slices.Equal(draw(), draw()) {
		t.Error("another view")
	}
	if !slices.Equal(Apply(Draw(rand.New(rand.NewPCG(3, 4)), nil, 4, shape), x, shape), x) {
		t.Error("no families change the images")
	}
}

// Parameters keep to the ranges of the paper's code.
func TestParametersKeepToTheirRanges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	shape := nets.Shape{Height: 32, Width: 28, Channels: 1}
	bounds := map[string][3][2]float64{
		Colour: {{-0.5, 0.5}, {0, 2}, {0.5, 1.5}},
		Crop:   {{-4, 4}, {-4, 4}},
		Cutout: {{0, 32}, {0, 28}},
		Flip:   {{0, 1}},
		Scale:  {{1 / 1.2, 1.2}, {1 / 1.2, 1.2}},
		Rotate: {{-15 * math.Pi / 180, 15 * math.Pi / 180}},
	}
	for family, ranges := range bounds {
		low, high := [3]float64{9, 9, 9}, [3]float64{-9, -9, -9}
		for _, p := range Draw(r, []string{family}, 4000, shape).Images {
			for i, v := range p {
				low[i], high[i] = min(low[i], v), max(high[i], v)
			}
		}
		for i, b := range ranges {
			if low[i] < b[0] || high[i] > b[1] || high[i]-low[i] < 0.97*(b[1]-b[0]) {
				t.Errorf("%s: parameter %d from %g to %g, want %v", family, i, low[i], high[i], b)
			}
		}
	}
}

func TestUnknownFamily(t *testing.T) {
	if Check(Families) != nil || Check([]string{"colour"}) == nil {
		t.Error("families are not told apart")
	}
}
