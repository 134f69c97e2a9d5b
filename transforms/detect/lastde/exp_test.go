package lastde

import (
	"math"
	"testing"
)

func TestExponential(t *testing.T) {
	for x := -710.0; x <= 710; x += 0.000977 {
		want := math.Exp(x)
		if got := exponential(x); !(math.Abs(got-want) <= 1e-13*want) && got != want {
			t.Fatalf("exponential(%g) = %g, want %g", x, got, want)
		}
	}
	for _, x := range []float64{0, math.Inf(1), math.Inf(-1), 1e300, -1e300, -5e-324} {
		if got, want := exponential(x), math.Exp(x); got != want {
			t.Errorf("exponential(%g) = %g, want %g", x, got, want)
		}
	}
	if got := exponential(math.NaN()); !math.IsNaN(got) {
		t.Errorf("exponential(NaN) = %g", got)
	}
}
