package field

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

func golden(t *testing.T) (g struct{ Cosines, Chebyshev, Periodic []float64 }) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func far(a, b []float64) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(a[i]-b[i]))
	}
	return worst
}

func TestTransformsAgreeWithSciPy(t *testing.T) {
	want := golden(t)
	shape := []int{5, 4, 3}
	c := make([]float64, 60)
	for i := range c {
		c[i] = math.Sin(float64(i + 1))
	}
	values := append([]float64(nil), c...)
	Cosines(values, shape)
	if d := far(values, want.Cosines); d > 1e-13 {
		t.Errorf("cosines are off by %g", d)
	}
	CosineCoefficients(values, shape)
	if d := far(values, c); d > 1e-14 {
		t.Errorf("coefficients are off by %g", d)
	}
	sum := Chebyshev{0.5, -1, 0.25, 0.125, -0.75, 1}
	for i, w := range want.Chebyshev {
		if d := math.Abs(sum.At(float64(i)/6) - w); d > 1e-14 {
			t.Errorf("Chebyshev sum at %d/6 is off by %g", i, d)
		}
	}
}

// A field is the sum of its modes: linear in the draws, so the reference may have its
// own draws.
func TestPeriodicFieldsHaveTheirModes(t *testing.T) {
	want := golden(t).Periodic
	g, err := NewPeriodic(Spectrum{Alpha: 2.5, Tau: 7}, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range g.amplitude {
		g.modes[i] = complex(a*math.Cos(float64(2*i)+0.5), a*math.Cos(float64(2*i+1)+0.5))
	}
	got := make([]float64, 36)
	g.invert(got)
	if d := far(got, want); d > 1e-13 {
		t.Errorf("off by %g", d)
	}
}

func TestFieldsHaveTheirVariance(t *testing.T) {
	const draws = 2000
	for name, c := range map[string]struct {
		make  func(Spectrum, ...int) (*Gaussian, error)
		shape []int
		unit  float64
	}{
		"periodic":   {NewPeriodic, []int{8, 12}, 4 * math.Pi * math.Pi},
		"Neumann":    {NewNeumann, []int{9, 7}, math.Pi * math.Pi},
		"Neumann 3d": {NewNeumann, []int{4, 5, 6}, math.Pi * math.Pi},
	} {
		s := Spectrum{Alpha: 2, Tau: 3}
		g, err := c.make(s, c.shape...)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for _, a := range g.amplitude {
			want += a * a
		}
		rng := rand.New(rand.NewPCG(1, 2))
		field := make([]float64, g.Cells())
		mean, square := 0.0, 0.0
		for range draws {
			g.Sample(rng, field)
			sum := 0.0
			for _, v := range field {
				sum += v
				square += v * v
			}
			mean = max(mean, math.Abs(sum))
		}
		if mean > 1e-11 {
			t.Errorf("%s: the mean is %g, not 0", name, mean)
		}
		if got := square / float64(draws*g.Cells()); math.Abs(got/want-1) > 0.1 {
			t.Errorf("%s: variance %g, want %g", name, got, want)
		}
	}
}

func TestFieldsComeFromTheGeneratorAlone(t *testing.T) {
	for _, make2 := range []func(Spectrum, ...int) (*Gaussian, error){NewPeriodic, NewNeumann} {
		g, _ := make2(Spectrum{Alpha: 2, Tau: 3}, 10, 10)
		h, _ := make2(Spectrum{Alpha: 2, Tau: 3}, 10, 10)
		a, b := make([]float64, 100), make([]float64, 100)
		g.Sample(rand.New(rand.NewPCG(1, 1)), b)
		g.Sample(rand.New(rand.NewPCG(5, 6)), a)
		h.Sample(rand.New(rand.NewPCG(5, 6)), b)
		if d := far(a, b); d != 0 {
			t.Errorf("differ by %g", d)
		}
	}
}

func TestBadSpectraAreRefused(t *testing.T) {
	for _, c := range []struct {
		s     Spectrum
		shape []int
	}{
		{Spectrum{Alpha: 1, Tau: 3}, []int{4, 4}}, {Spectrum{Alpha: 2, Tau: 0}, []int{4, 4}},
		{Spectrum{Alpha: math.NaN(), Tau: 3}, []int{4, 4}}, {Spectrum{Alpha: math.Inf(1), Tau: 3}, []int{4, 4}},
		{Spectrum{Alpha: 2, Tau: 3}, nil}, {Spectrum{Alpha: 2, Tau: 3}, []int{0}}, {Spectrum{Alpha: 3, Tau: 3}, []int{1, 1, 1, 1}},
		{Spectrum{Alpha: 2, Tau: 3}, []int{1 << 20, 1 << 20}},
	} {
		if _, err := NewNeumann(c.s, c.shape...); err == nil {
			t.Errorf("%v on %v accepted", c.s, c.shape)
		}
	}
}

func TestWhatIsMadeOfFields(t *testing.T) {
	f := []float64{-1, 0, 2}
	Threshold(f, 3, 12)
	if f[0] != 3 || f[1] != 12 || f[2] != 12 {
		t.Error(f)
	}
	f = []float64{-1, 0, 2}
	LogNormal(f, 0.5)
	if f[0] != math.Exp(-0.5) || f[1] != 1 || f[2] != math.E {
		t.Error(f)
	}
}

// A member of a sequence is the same however it is reached, and neighbours have the
// correlation asked for.
func TestAutoregressiveSequences(t *testing.T) {
	const rho, n = 0.8, 4000
	sample := func(i int, into []float64) {
		rng := rand.New(rand.NewPCG(uint64(i), 3))
		for j := range into {
			into[j] = rng.NormFloat64()
		}
	}
	a, b, step := make([]float64, n), make([]float64, n), make([]float64, n)
	sample(0, step)
	for i := range 30 {
		if i > 0 {
			next := make([]float64, n)
			sample(i, next)
			for j := range step {
				step[j] = rho*step[j] + math.Sqrt(1-rho*rho)*next[j]
			}
		}
		a, b = b, a
		if err := Autoregressive(rho, i, b, sample); err != nil {
			t.Fatal(err)
		}
		if d := far(b, step); d > 1e-12 {
			t.Fatalf("member %d is off by %g", i, d)
		}
	}
	product, square := 0.0, 0.0
	for j := range a {
		product += a[j] * b[j]
		square += b[j] * b[j]
	}
	if c := product / square; math.Abs(c-rho) > 0.05 || math.Abs(square/n-1) > 0.1 {
		t.Errorf("correlation %g, variance %g", c, square/n)
	}
	late := make([]float64, n) // far along it costs no more, and is the same to rounding
	if err := Autoregressive(0.5, 1<<40, late, sample); err != nil {
		t.Fatal(err)
	}
	for _, rho := range []float64{-0.1, 1, math.NaN()} {
		if err := Autoregressive(rho, 0, a, sample); !errors.Is(err, ErrCorrelation) {
			t.Errorf("rho %v: %v", rho, err)
		}
	}
}

func TestChebyshevCoefficientsAreUniform(t *testing.T) {
	c := NewChebyshev(rand.New(rand.NewPCG(1, 2)), 9999)
	sum, low, high := 0.0, 0.0, 0.0
	for _, v := range c {
		sum += v
		low, high = min(low, v), max(high, v)
	}
	if math.Abs(sum/1e4) > 0.03 || low < -1 || high > 1 || low > -0.99 || high < 0.99 {
		t.Errorf("mean %g, from %g to %g", sum/1e4, low, high)
	}
	if Chebyshev(nil).At(0.3) != 0 {
		t.Error("an empty sum is not 0")
	}
}
