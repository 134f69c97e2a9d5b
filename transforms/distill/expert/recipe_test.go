package expert

import (
	"math"
	"math/rand/v2"
	"testing"

	"penstock.dev/transforms/models/nets"
)

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// GSAM's direction is the gradient where a step of the given adaptive length uphill leads,
// less alpha times the part of the gradient at right angles to it.
func TestGSAMDirection(t *testing.T) {
	net := nets.Net{Family: nets.MLP, Width: 6, Depth: 1, Image: nets.Shape{Height: 3, Width: 3, Channels: 1}, Classes: 3}
	l, err := nets.NewLearner[float32](net)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := rand.New(rand.NewPCG(1, 2))
	theta, images, targets := net.Draw(r), make([]float32, 4*9), make([]float32, 4*3)
	for i := range images {
		images[i] = float32(r.NormFloat64())
	}
	for i := range 4 {
		targets[3*i+i%3] = 1
	}
	_, g, err := l.Gradient(theta, images, targets)
	if err != nil {
		t.Fatal(err)
	}
	direction := func(alpha float64) []float32 {
		d, err := Recipe{Sharpness: 0.05, Surrogate: alpha}.flatten(l, theta, g, images, targets)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ahead, turned := direction(0), direction(0.5)
	// In coordinates divided by |theta| the step has length 0.05 along the gradient.
	scaled := make([]float32, len(g))
	for i, v := range g {
		scaled[i] = theta[i] * v
	}
	there := make([]float32, len(g))
	for i, v := range scaled {
		there[i] = theta[i] + float32(0.05*float64(v)/math.Sqrt(dot(scaled, scaled)))*theta[i]
	}
	_, want, err := l.Gradient(there, images, targets)
	if err != nil {
		t.Fatal(err)
	}
	removed := make([]float32, len(g))
	for i := range g {
		if math.Abs(float64(ahead[i]-want[i])) > 1e-6 {
			t.Fatalf("parameter %d: %g, want %g", i, ahead[i], want[i])
		}
		removed[i] = ahead[i] - turned[i]
	}
	if c := dot(removed, ahead) / math.Sqrt(dot(removed, removed)*dot(ahead, ahead)); math.Abs(c) > 1e-4 {
		t.Errorf("what is taken away is not at right angles: cosine %g", c)
	}
	across := dot(g, g) - dot(g, ahead)*dot(g, ahead)/dot(ahead, ahead)
	if got := math.Sqrt(dot(removed, removed)); math.Abs(got-0.5*math.Sqrt(across)) > 1e-4*got {
		t.Errorf("%g is taken away, want %g", got, 0.5*math.Sqrt(across))
	}
}

// Descent is PyTorch's: two steps worked out by hand.
func TestDescentHasMomentumAndDecay(t *testing.T) {
	d := &Descent{Rate: 0.5, Momentum: 0.5, Decay: 0.25}
	x := []float32{4}
	d.Step(x, []float32{1}) // velocity 1 + 1 = 2
	d.Step(x, []float32{1}) // 0.5*2 + 1 + 0.75 = 2.75
	if x[0] != 4-0.5*2-0.5*2.75 {
		t.Errorf("at %g", x[0])
	}
}
