package field

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Spectrum is the covariance of a Gaussian random field, σ²(-Δ + τ²)^-α. In d
// dimensions α > d/2 for a field of finite variance; samples get smoother with α and
// correlated over about 1/τ.
type Spectrum struct {
	Alpha float64 // more than half the number of extents
	Tau   float64 // more than 0
	Sigma float64 // more than 0; 0 stands for τ^(α-d/2), as the Fourier neural operator's data has
}

// Gaussian draws Gaussian random fields of mean zero. It serves one goroutine.
type Gaussian struct {
	shape     []int
	amplitude []float64 // of the modes
	periodic  bool
	modes     []complex128
}

// NewPeriodic makes a sampler of fields on the periodic domain. In mode k the
// standard deviation is σ (4π²|k|² + τ²)^(-α/2); the constant mode is left out. The
// draws are those of Li et al., Fourier neural operator for parametric partial
// differential equations (ICLR 2021), section A.3, whose samples the paper on Krylov
// recycling uses too: the real part of complex modes times √2.
func NewPeriodic(s Spectrum, shape ...int) (*Gaussian, error) {
	return newGaussian(s, shape, true)
}

// NewNeumann makes a sampler of fields whose normal derivative vanishes at the
// boundary, at the centres of the cells: in cosine mode k the standard deviation is
// σ (π²|k|² + τ²)^(-α/2), and again there is no constant mode.
func NewNeumann(s Spectrum, shape ...int) (*Gaussian, error) {
	return newGaussian(s, shape, false)
}

// maxCells bounds a field's memory.
const maxCells = 1 << 28

func newGaussian(s Spectrum, shape []int, periodic bool) (*Gaussian, error) {
	if len(shape) < 1 || len(shape) > 3 {
		return nil, fmt.Errorf("a field has 1 to 3 extents, not %d", len(shape))
	}
	cells := 1
	for _, extent := range shape {
		if extent < 1 || extent > maxCells/cells {
			return nil, fmt.Errorf("a field of %v cells", shape)
		}
		cells *= extent
	}
	d := float64(len(shape))
	if !(s.Alpha > d/2) || !(s.Tau > 0) || s.Sigma < 0 || s.Alpha+s.Tau+s.Sigma > math.MaxFloat64 {
		return nil, fmt.Errorf("a field in %d dimensions needs alpha above %g and tau above 0, not %v and %v", len(shape), d/2, s.Alpha, s.Tau)
	}
	if s.Sigma == 0 {
		s.Sigma = math.Pow(s.Tau, s.Alpha-d/2)
	}
	g := &Gaussian{shape: shape, periodic: periodic, amplitude: make([]float64, cells)}
	unit := math.Pi * math.Pi
	if periodic {
		unit *= 4
	}
	for i := range g.amplitude {
		g.amplitude[i] = s.Sigma * math.Pow(unit*g.squared(i)+s.Tau*s.Tau, -s.Alpha/2)
	}
	g.amplitude[0] = 0
	if periodic {
		g.modes = make([]complex128, cells)
	}
	return g, nil
}

// squared is |k|² of a mode.
func (g *Gaussian) squared(i int) float64 {
	sum := 0.0
	for d := len(g.shape) - 1; d >= 0; d-- {
		extent := g.shape[d]
		k := i % extent
		i /= extent
		if g.periodic && k > extent/2 {
			k -= extent
		}
		sum += float64(k) * float64(k)
	}
	return sum
}

// Cells is the number of values of a field.
func (g *Gaussian) Cells() int { return len(g.amplitude) }

// Sample draws a field into dst, which has Cells values.
func (g *Gaussian) Sample(rng *rand.Rand, dst []float64) {
	if g.periodic {
		for i, a := range g.amplitude { // √2 Re of modes with variance 1
			g.modes[i] = complex(a*rng.NormFloat64(), a*rng.NormFloat64())
		}
		g.invert(dst)
		return
	}
	for i, a := range g.amplitude {
		dst[i] = a * rng.NormFloat64()
	}
	Cosines(dst, g.shape)
}

// invert sums the periodic modes, which it overwrites.
func (g *Gaussian) invert(dst []float64) {
	each(g.shape, func(extent, stride int, starts func(func(int))) {
		fft, line := fourier.NewCmplxFFT(extent), make([]complex128, extent)
		starts(func(at int) {
			for k := range line {
				line[k] = g.modes[at+k*stride]
			}
			fft.Sequence(line, line)
			for k, v := range line {
				g.modes[at+k*stride] = v
			}
		})
	})
	for i, v := range g.modes {
		dst[i] = real(v)
	}
}

// Cosines replaces coefficients by the sum of orthonormal cosine modes over the unit
// domain, at the centres of cells: 1 along an extent for k = 0, √2 cos(πkx) for
// others.
func Cosines(values []float64, shape []int) {
	each(shape, func(extent, stride int, starts func(func(int))) {
		fft, line := fourier.NewQuarterWaveFFT(extent), make([]float64, extent)
		starts(func(at int) {
			for k := range line {
				line[k] = values[at+k*stride] * math.Sqrt2 / 2
			}
			line[0] = values[at]
			if extent > 1 {
				fft.CosCoefficients(line, line)
			}
			for k, v := range line {
				values[at+k*stride] = v
			}
		})
	})
}

// CosineCoefficients is the inverse of Cosines.
func CosineCoefficients(values []float64, shape []int) {
	each(shape, func(extent, stride int, starts func(func(int))) {
		fft, line := fourier.NewQuarterWaveFFT(extent), make([]float64, extent)
		n := float64(extent)
		starts(func(at int) {
			for k := range line {
				line[k] = values[at+k*stride]
			}
			if extent > 1 {
				fft.CosSequence(line, line)
				for k := range line {
					line[k] *= math.Sqrt2 / (4 * n)
				}
				line[0] /= math.Sqrt2
			}
			for k, v := range line {
				values[at+k*stride] = v
			}
		})
	})
}

// each goes through the extents of an array; starts gives the first element of every
// line along the extent.
func each(shape []int, do func(extent, stride int, starts func(func(at int)))) {
	cells := 1
	for _, extent := range shape {
		cells *= extent
	}
	stride := cells
	for _, extent := range shape {
		block := stride
		stride /= extent
		inner := stride
		do(extent, inner, func(line func(int)) {
			for outer := 0; outer < cells; outer += block {
				for at := range inner {
					line(outer + at)
				}
			}
		})
	}
}

// LogNormal replaces a Gaussian field g by exp(scale g).
func LogNormal(field []float64, scale float64) {
	for i, g := range field {
		field[i] = math.Exp(scale * g)
	}
}

// Threshold replaces values of at least zero by high, others by low. The Fourier
// neural operator's Darcy data has low 3, high 12.
func Threshold(field []float64, low, high float64) {
	for i, g := range field {
		field[i] = low
		if g >= 0 {
			field[i] = high
		}
	}
}

// Chebyshev is a sum of Chebyshev polynomials T₀, T₁, …
type Chebyshev []float64

// NewChebyshev draws a sum of the given degree, coefficients uniform from -1 to 1.
func NewChebyshev(rng *rand.Rand, degree int) Chebyshev {
	c := make(Chebyshev, degree+1)
	for i := range c {
		c[i] = 2*rng.Float64() - 1
	}
	return c
}

// At is the sum's value at x from 0 to 1, which is mapped to -1 to 1 (Clenshaw's
// recurrence).
func (c Chebyshev) At(x float64) float64 {
	x = 2*x - 1
	var b1, b2 float64
	for k := len(c) - 1; k > 0; k-- {
		b1, b2 = c[k]+2*x*b1-b2, b1
	}
	if len(c) == 0 {
		return 0
	}
	return c[0] + x*b1 - b2
}

// ErrCorrelation is the error for a correlation outside 0 to 1.
var ErrCorrelation = errors.New("a correlation is at least 0 and less than 1")

// Autoregressive draws member number position of a stationary AR(1) sequence of
// fields, g₀ = ξ₀, gᵢ = ρ gᵢ₋₁ + √(1-ρ²) ξᵢ, whose ξᵢ sample draws into its argument.
// Every member can be had on its own; it costs position+1 draws, fewer where ρ has
// faded by then.
func Autoregressive(rho float64, position int, dst []float64, sample func(i int, into []float64)) error {
	if !(rho >= 0 && rho < 1) {
		return fmt.Errorf("%w: %v", ErrCorrelation, rho)
	}
	clear(dst)
	next := make([]float64, len(dst))
	for i := max(0, position-faded(rho)); i <= position; i++ {
		weight := math.Sqrt(1 - rho*rho)
		if i == 0 {
			weight = 1
		}
		sample(i, next)
		for j, v := range next {
			dst[j] = rho*dst[j] + weight*v
		}
	}
	return nil
}

// faded is after how many steps less than 2⁻⁵³ is left.
func faded(rho float64) int {
	if rho == 0 {
		return 0
	}
	if steps := -53 * math.Ln2 / math.Log(rho); steps < 1<<30 {
		return int(steps) + 1
	}
	return 1 << 30
}
