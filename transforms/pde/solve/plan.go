package solve

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"penstock.dev/transforms/pde/direct"
	"penstock.dev/transforms/pde/problem"
	"penstock.dev/transforms/pde/sparse"
)

// Names of the solvers.
const (
	Auto      = "auto"      // the one that is best for the problem
	Multigrid = "multigrid" // conjugate gradients with a multigrid cycle
	Direct    = "direct"    // Cholesky or LU on one analysis
	CG        = "cg"        // conjugate gradients with IC(0)
	BiCGStab  = "bicgstab"  // with ILU(0)
	GMRES     = "gmres"     // restarted, with ILU(0)
	SKR       = "skr"       // GCRO-DR with ILU(0), its space carried from system to system
)

// Names are all solvers.
var Names = []string{Auto, Multigrid, Direct, CG, BiCGStab, GMRES, SKR}

// Options say how to solve. The zero value is Auto to 1e-8.
type Options struct {
	Solver        string
	Tolerance     float64       // of the true relative residual; 0 is 1e-8
	MaxIterations int           // of a solver for a system; 0 is 10,000
	Timeout       time.Duration // of a system, with all its solvers; 0 is none
	Restart, Keep int           // of GMRES and SKR; 0 is 40 and 20, the paper's
}

// Plan is what workers on one problem share.
type Plan struct {
	problem *problem.Problem
	options Options

	once     sync.Once
	analysis *direct.Analysis
	tooLarge error
}

// NewPlan fails on options out of range and on a solver that the problem excludes.
func NewPlan(p *problem.Problem, o Options) (*Plan, error) {
	if o.Solver == "" {
		o.Solver = Auto
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-8
	}
	if o.MaxIterations == 0 {
		o.MaxIterations = 10000
	}
	if o.Restart == 0 {
		o.Restart = 40
	}
	if o.Keep == 0 {
		o.Keep = o.Restart / 2
	}
	switch {
	case !slices.Contains(Names, o.Solver):
		return nil, fmt.Errorf("unknown solver %q, want %s", o.Solver, strings.Join(Names, ", "))
	case !(o.Tolerance > 0 && o.Tolerance < 1):
		return nil, fmt.Errorf("tolerance %v, want more than 0 and less than 1", o.Tolerance)
	case o.MaxIterations < 1 || o.Timeout < 0:
		return nil, fmt.Errorf("%d iterations within %v", o.MaxIterations, o.Timeout)
	case o.Restart < 2 || o.Keep < 1 || o.Keep >= o.Restart:
		return nil, fmt.Errorf("restart %d with %d kept, want at least 2, and fewer kept", o.Restart, o.Keep)
	case o.Solver == Multigrid && p.Stencil == nil:
		return nil, fmt.Errorf("multigrid is for darcy and poisson; %s takes %s, %s, %s, %s or %s", p.Name, Auto, Direct, BiCGStab, GMRES, SKR)
	case o.Solver == CG && !p.Definite:
		return nil, fmt.Errorf("cg is for positive definite matrices, which those of %s are not", p.Name)
	}
	return &Plan{problem: p, options: o}, nil
}

// mostValues bounds the memory of a worker's factor: 1 GB.
const mostValues = 1 << 27

// analyse is the analysis of the problem's pattern, made when first asked for.
func (p *Plan) analyse(a *sparse.Matrix) (*direct.Analysis, error) {
	p.once.Do(func() {
		p.analysis, p.tooLarge = direct.Analyse(a, p.problem.Coordinates())
		if p.tooLarge != nil {
			return
		}
		if values := p.analysis.Values(!p.problem.Definite); values > mostValues {
			p.tooLarge = fmt.Errorf("a factor would have %d values, the limit is %d", values, mostValues)
		}
	})
	return p.analysis, p.tooLarge
}
