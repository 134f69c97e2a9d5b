package problem

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"penstock.dev/transforms/pde/field"
)

// Settings say how inputs are drawn. Every problem looks at those it has a use for.
type Settings struct {
	Periodic bool           // the domain of Gaussian fields: periodic, or with Neumann conditions
	Spectrum field.Spectrum // of the coefficient's field

	// Darcy and ConvectionDiffusion: K = exp(Scale g), or Low where g < 0 and High
	// elsewhere. Helmholtz: q = 1 + Scale tanh(g), Scale below 1.
	Scale     float64
	Threshold bool
	Low, High float64

	// Correlation makes the fields of Trajectory rows in succession an AR(1) sequence;
	// 0 draws every row on its own.
	Correlation float64
	Trajectory  int

	Wave  float64 // the wave number k of Helmholtz
	Speed float64 // of ConvectionDiffusion: the size of the velocity, about
}

// Instance is what is drawn for a row.
type Instance struct {
	Coefficient []float64 // of CoefficientShape
	RHS         []float64 // of SolutionShape, each value integrated over its cell
	Parameters  []float64 // the numbers behind it, if there are any
}

// Sampler draws instances. It serves one goroutine.
type Sampler struct {
	problem  *Problem
	settings Settings
	field    *field.Gaussian // nil if nothing is a field
	stream   *field.Gaussian
}

// NewSampler fails on settings out of range.
func NewSampler(p *Problem, s Settings) (*Sampler, error) {
	if s.Correlation != 0 && !(s.Correlation > 0 && s.Correlation < 1) {
		return nil, fmt.Errorf("%w: %v", field.ErrCorrelation, s.Correlation)
	}
	if s.Trajectory < 1 {
		s.Trajectory = 1
	}
	sampler := &Sampler{problem: p, settings: s}
	switch {
	case p.Name == Helmholtz && !(s.Scale >= 0 && s.Scale < 1):
		return nil, fmt.Errorf("helmholtz: scale %v, want 0 or more and less than 1", s.Scale)
	case p.Name == Helmholtz && !(s.Wave > 0):
		return nil, fmt.Errorf("helmholtz: wave number %v, want more than 0", s.Wave)
	case s.Threshold && !(s.Low > 0 && s.High > 0):
		return nil, fmt.Errorf("low %v and high %v, want more than 0", s.Low, s.High)
	case p.Constant:
		return sampler, nil
	}
	if p.paper() { // as published, whatever the settings
		s = Settings{Periodic: true, Spectrum: field.Spectrum{Alpha: 2.5, Tau: 7}, Scale: 1, Trajectory: 1}
		sampler.settings = s
	}
	draw := field.NewNeumann
	if s.Periodic {
		draw = field.NewPeriodic
	}
	var err, streamErr error
	sampler.field, err = draw(s.Spectrum, p.Shape...)
	if p.Name == ConvectionDiffusion && len(p.Shape) == 2 {
		// A stream function at the corners of the cells.
		sampler.stream, streamErr = field.NewNeumann(field.Spectrum{Alpha: 3, Tau: 5}, p.Shape[0]+1, p.Shape[1]+1)
	}
	return sampler, errors.Join(err, streamErr)
}

// What the draws of a row are for.
const (
	drawField = iota
	drawStream
	drawParameters
)

// Draw draws the instance of a row. rng is the generator of one of its draws, and of
// those of the rows before it on the same trajectory.
func (s *Sampler) Draw(row int64, rng func(row int64, draw int) *rand.Rand) (*Instance, error) {
	p := s.problem
	in := &Instance{Coefficient: ones(p.cells())}
	if s.field != nil {
		if err := s.correlated(s.field, row, drawField, rng, in.Coefficient); err != nil {
			return nil, err
		}
	}
	switch p.Name {
	case Darcy:
		s.shape(in.Coefficient)
		in.RHS = s.uniform(1)
	case ConvectionDiffusion:
		s.shape(in.Coefficient)
		in.RHS = s.uniform(1)
		return in, s.flow(row, rng, in)
	case Helmholtz:
		for i, g := range in.Coefficient {
			in.Coefficient[i] = 1 + s.settings.Scale*math.Tanh(g)
		}
		in.Parameters = []float64{s.settings.Wave}
		in.RHS = append(s.pulse(), make([]float64, p.cells())...)
	case Poisson:
		s.poisson(in, rng(row, drawParameters))
	case Thermal:
		return in, s.thermal(in, rng(row, drawParameters))
	case PaperDarcy, PaperHelmholtz:
		field.LogNormal(in.Coefficient, 1)
		if p.Name == PaperHelmholtz {
			in.Parameters = []float64{rng(row, drawParameters).Float64()}
		}
		h := 1 / float64(p.grid.Shape[0]-1)
		in.RHS = slices.Repeat([]float64{h * h}, p.grid.n)
	}
	return in, nil
}

// correlated draws a field that belongs to its row's trajectory.
func (s *Sampler) correlated(g *field.Gaussian, row int64, draw int, rng func(int64, int) *rand.Rand, into []float64) error {
	length := int64(s.settings.Trajectory)
	first := row / length * length
	return field.Autoregressive(s.settings.Correlation, int(row-first), into, func(i int, into []float64) {
		g.Sample(rng(first+int64(i), draw), into)
	})
}

// shape makes a conductivity of a Gaussian field.
func (s *Sampler) shape(k []float64) {
	if s.settings.Threshold {
		field.Threshold(k, s.settings.Low, s.settings.High)
	} else {
		field.LogNormal(k, s.settings.Scale)
	}
}

// uniform is the right-hand side of a constant source.
func (s *Sampler) uniform(source float64) []float64 {
	volume := source
	for d := range s.problem.Shape {
		volume *= s.problem.grid.spacing(d)
	}
	return slices.Repeat([]float64{volume}, s.problem.cells())
}

// pulse is a Gaussian source off the middle.
func (s *Sampler) pulse() []float64 {
	g := s.problem.grid
	b := s.uniform(1)
	for c := range b {
		square := 0.0
		for d := range g.Shape {
			x := g.Centre(c, d)/g.Length[d] - 0.3 - 0.1*float64(d%2)
			square += x * x
		}
		b[c] *= math.Exp(-square / 0.002)
	}
	return b
}

// flow appends the velocity to the coefficient: along the last extent first. In two
// dimensions it is the curl of a random stream function, in three it is the constant
// Speed (1, ½, ¼).
func (s *Sampler) flow(row int64, rng func(int64, int) *rand.Rand, in *Instance) error {
	p := s.problem
	n := p.cells()
	if len(p.Shape) == 3 {
		for _, part := range []float64{1, 0.5, 0.25} {
			in.Coefficient = append(in.Coefficient, slices.Repeat([]float64{s.settings.Speed * part}, n)...)
		}
		in.Parameters = []float64{s.settings.Speed}
		return nil
	}
	rows, columns := p.Shape[0], p.Shape[1]
	psi := make([]float64, s.stream.Cells())
	if err := s.correlated(s.stream, row, drawStream, rng, psi); err != nil {
		return err
	}
	in.Coefficient = append(in.Coefficient, make([]float64, 2*n)...)
	x, y := in.Coefficient[n:2*n], in.Coefficient[2*n:]
	hy, hx := p.grid.spacing(0), p.grid.spacing(1)
	for j := range rows {
		for i := range columns {
			at := j*(columns+1) + i
			low, right, up, both := psi[at], psi[at+1], psi[at+columns+1], psi[at+columns+2]
			x[j*columns+i] = s.settings.Speed * (up + both - low - right) / (2 * hy)
			y[j*columns+i] = -s.settings.Speed * (right + both - low - up) / (2 * hx)
		}
	}
	return nil
}

// degree of the Chebyshev sums of Poisson.
const degree = 5

// poisson draws f, which varies along the last extent, and the values on the sides,
// each a Chebyshev sum along the extent beside it.
func (s *Sampler) poisson(in *Instance, rng *rand.Rand) {
	g := s.problem.grid
	source := field.NewChebyshev(rng, degree)
	in.Parameters = append(in.Parameters, source...)
	sides := make([]field.Chebyshev, 2*len(g.Shape))
	for i := range sides {
		sides[i] = field.NewChebyshev(rng, degree)
		in.Parameters = append(in.Parameters, sides[i]...)
	}
	last := len(g.Shape) - 1
	f := make([]float64, s.problem.cells())
	for c := range f {
		f[c] = source.At(g.Centre(c, last) / g.Length[last])
	}
	e := &Equation{Diffusion: in.Coefficient, Source: f, Boundary: func(cell, extent, side int) Condition {
		along := last
		if extent == last {
			along = last - 1
		}
		return Condition{Value: sides[2*extent+side].At(g.Centre(cell, along) / g.Length[along])}
	}}
	_, in.RHS, _ = e.Assemble(g) // a coefficient of 1 always assembles
}

// thermal draws the temperature, uniform from 0 to 100, and the flux, from -100 to 0.
func (s *Sampler) thermal(in *Instance, rng *rand.Rand) error {
	g := s.problem.grid
	for c := range in.Coefficient {
		if g.Unknown(c) < 0 {
			in.Coefficient[c] = 0
		}
	}
	in.Parameters = []float64{100 * rng.Float64(), -100 * rng.Float64()}
	e := &Equation{Diffusion: ones(s.problem.cells()), Boundary: heated(g, in.Parameters[0], in.Parameters[1])}
	_, b, err := e.Assemble(g)
	if err == nil {
		in.RHS = s.problem.Scatter(b)
	}
	return err
}
