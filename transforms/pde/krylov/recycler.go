package krylov

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"penstock.dev/transforms/pde/dense"
)

// Recycler solves a sequence of systems by GCRO-DR(m, k), which carries an
// approximately invariant space of dimension k from one system to the next (Parks,
// de Sturler, Mackey, Johnson and Maiti, Recycling Krylov subspaces for sequences of
// linear systems, SIAM J. Sci. Comput. 28, 2006, algorithm of the appendix). Within a
// system it deflates at every restart, as GMRES-DR does.
//
// The method works on B = A M⁻¹; the space U is carried in the variable t of
// x = x₀ + M⁻¹ t, so it outlives a new preconditioner of the same type, and is dropped
// for one of another type or a system of another order. The harmonic Ritz vectors come
// from a standard eigenvalue problem, with no inverse of the Hessenberg matrix and no
// cross product. Iterations count Arnoldi steps alone, as implementations of the
// method do; Products also counts the k of each set-up.
//
// Whatever is not sound (vectors that depend on each other, an eigenvalue problem that
// is not finite) makes the space smaller, down to none, which is plain GMRES(m), and
// never fails a solve. Of a complex pair of which one vector is beyond the k-th both
// are kept.
//
// A Recycler serves one goroutine, and its results depend on the systems it was given
// and their order.
type Recycler struct {
	restart, keep int

	cycle *cycle
	kind  reflect.Type // of the preconditioner
	n     int          // length of the vectors
	kept  int          // dimension of the space carried
	u     []float64    // rows U
	next  []float64    // room for the next C and U
	taken history
}

// history is the iterations that solves took: the first, and the last two.
type history struct{ first, last, before int }

// NewRecycler makes a recycler with cycles of restart vectors, keep of them recycled;
// the paper on sorting and recycling has 40 and 20. keep 0 is GMRES(restart).
func NewRecycler(restart, keep int) (*Recycler, error) {
	if keep < 0 || restart < 1 || keep >= restart {
		return nil, fmt.Errorf("krylov: cycles of %d vectors cannot recycle %d", restart, keep)
	}
	return &Recycler{restart: restart, keep: keep}, nil
}

// Reset drops the space.
func (r *Recycler) Reset() {
	r.kept = 0
	r.taken = history{}
}

// Kept is the dimension of the space carried to the next system.
func (r *Recycler) Kept() int { return r.kept }

// Solve solves one system of the sequence. See the package for the stopping rule.
func (r *Recycler) Solve(ctx context.Context, a Operator, m Preconditioner, x, b []float64, o Options) (Result, error) {
	s, done, err := begin(ctx, a, m, x, b, o)
	if done || err != nil {
		return s.result, err
	}
	r.prepare(len(b), reflect.TypeOf(m))
	r.adopt(s)
	result, err := r.iterate(s)
	r.taken.add(result.Iterations)
	if err != nil && !dense.Finite(r.u[:r.kept*r.n]) {
		r.kept = 0
	}
	return result, err
}

func (h *history) add(iterations int) {
	if h.first == 0 {
		h.first = iterations
	}
	h.before, h.last = h.last, iterations
}

// prepare makes room for vectors of length n.
func (r *Recycler) prepare(n int, kind reflect.Type) {
	if r.cycle == nil || r.n != n {
		r.n = n
		steps := min(r.restart, n)
		r.cycle = newCycle(n, steps)
		r.u = make([]float64, (r.keep+1)*n) // a complex pair may take one more
		r.next = make([]float64, (r.keep+1)*n)
		r.Reset()
	}
	if kind != r.kind {
		r.kind = kind
		r.Reset()
	}
}

// adopt makes the carried space one of the new system: C = B U with orthonormal C.
func (r *Recycler) adopt(s *run) {
	c := r.cycle
	for i := range r.kept {
		s.m.Apply(c.z, r.vector(i))
		s.multiply(c.vector(i), c.z)
	}
	r.kept = orthonormalise(c.basis, r.u, r.kept, r.n)
}

// project takes from the residual its part in C and returns its coefficients, which
// are those of U in the solution. Only at a system's start are they more than
// rounding, which grows beside a residual that shrinks.
func (r *Recycler) project(s *run, fresh bool) []float64 {
	y := make([]float64, r.kept)
	if r.kept == 0 {
		return y
	}
	before := s.size
	s.size = r.cycle.project(s.r, y)
	dense.Scale(y, -1)
	if fresh && s.size >= before && r.taken.before > r.taken.first && r.taken.last > r.taken.first {
		r.kept = 0 // the space has lost its use
	}
	return y
}

func (r *Recycler) vector(i int) []float64 { return r.u[i*r.n : (i+1)*r.n] }

// plateau is how many cycles may pass without progress: while the space takes shape,
// residuals of indefinite systems stay where they are for longer than GMRES should be
// given.
const plateau = 10

// iterate runs deflated cycles until the system is solved.
func (r *Recycler) iterate(s *run) (Result, error) {
	watch := stalled{most: plateau}
	for fresh := true; !s.converged(); fresh = false {
		along := r.project(s, fresh)
		carried := r.kept
		var steps int
		if !s.converged() {
			var err error
			if steps, err = r.cycle.run(s, carried, r.cycle.steps-carried); err != nil {
				return s.finish(err)
			}
		}
		r.correct(s, along, carried, steps)
		if err := s.residual(); err != nil {
			return s.result, err
		}
		if !(carried > 0 && fresh && s.converged()) { // one cycle is too little to learn from
			r.update(carried, steps)
		}
		if s.converged() {
			break
		}
		if err := watch.check(s); err != nil {
			return s.result, err
		}
	}
	return s.result, nil
}

// correct adds to x what a cycle found: M⁻¹ (V y + U (along - E y)), where E = Cᵀ B V.
func (r *Recycler) correct(s *run, along []float64, carried, steps int) {
	c := r.cycle
	y := c.solve(steps)
	clear(c.t)
	dense.Combine(c.t, y, c.basis[carried*c.n:], c.n)
	for j, f := range y {
		dense.Axpy(along[:carried], -f, c.column(j))
	}
	dense.Combine(c.t, along, r.u, c.n)
	s.m.Apply(c.z, c.t)
	dense.Axpy(s.x, 1, c.z)
}

// update replaces the space by the harmonic Ritz vectors of the cycle's.
//
// With D the inverse norms of U, V̂ = [UD V] and W = [C V₊] satisfy B V̂ = W G, where
// G = [D E; 0 H]. For the chosen vectors P and G P = Q R the new space is
// C = W Q, U = V̂ P R⁻¹.
func (r *Recycler) update(carried, steps int) {
	c, n := r.cycle, r.n
	size := carried + steps
	want := min(r.keep, size-1)
	if steps == 0 || want < 1 || c.column(steps - 1)[carried+steps] == 0 { // the last vector is missing
		return
	}
	g, wv := newSquareish(size), newSquareish(size)
	scales := make([]float64, carried)
	for i := range carried {
		scales[i] = 1 / dense.Norm(r.vector(i))
		g.set(i, i, scales[i])
	}
	for j := range steps {
		for i, v := range c.column(j)[:carried+j+2] {
			g.set(i, carried+j, v)
		}
		wv.set(carried+j, carried+j, 1)
	}
	if carried > 0 {
		products := make([]float64, (size+1)*carried)
		dense.Gram(products, c.basis, size+1, r.u, carried, n)
		for i := range size + 1 {
			for j := range carried {
				wv.set(i, j, products[i*carried+j]*scales[j])
			}
		}
	}
	q, p, got := recycle(g, wv, want, min(r.keep+1, size-1, c.steps-1))
	if got == 0 {
		return // keep what there is
	}
	for i := range carried {
		dense.Scale(p[i*got:(i+1)*got], scales[i])
	}
	next := r.next[:got*n]
	clear(next)
	dense.Multiply(got, n, carried, 1, dense.View{Data: p, Row: 1, Col: got}, r.u, n, next, n)
	dense.Multiply(got, n, steps, 1, dense.View{Data: p[carried*got:], Row: 1, Col: got}, c.basis[carried*n:], n, next, n)
	r.u, r.next = r.next, r.u
	next = r.next[:got*n]
	clear(next)
	dense.Multiply(got, n, size+1, 1, dense.View{Data: q, Row: 1, Col: got}, c.basis, n, next, n)
	copy(c.basis, next)
	r.kept = got
}

// orthonormalise makes the first k rows of c orthonormal and applies the same
// operations to u, so that c = B u stays true. It returns how many rows are left:
// those that depend on others are dropped.
//
// Cholesky-QR twice (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, ETNA 44, 2015),
// modified Gram–Schmidt where the Gram matrix is too ill-conditioned for it.
func orthonormalise(c, u []float64, k, n int) int {
	for pass := 0; pass < 2 && k > 0; pass++ {
		gram := make([]float64, k*k)
		dense.Gram(gram, c, k, c, k, n)
		if !dense.Finite(gram) {
			return 0
		}
		if dense.Cholesky(gram, k, k) >= 0 || (pass == 0 && spread(gram, k) < 1e-6) {
			return gramSchmidt(c, u, k, n)
		}
		dense.SolveUpperTransposed(gram, k, k, c, n, n)
		dense.SolveUpperTransposed(gram, k, k, u, n, n)
	}
	return k
}

// spread is the ratio of the smallest to the largest diagonal entry.
func spread(r []float64, k int) float64 {
	d := make([]float64, k)
	for i := range d {
		d[i] = r[i*k+i]
	}
	return slices.Min(d) / slices.Max(d)
}

func gramSchmidt(c, u []float64, k, n int) int {
	kept := 0
	for i := range k {
		row, image := c[i*n:(i+1)*n], u[i*n:(i+1)*n]
		before := dense.Norm(row)
		for range 2 {
			for j := range kept {
				f := dense.Dot(c[j*n:(j+1)*n], row)
				dense.Axpy(row, -f, c[j*n:(j+1)*n])
				dense.Axpy(image, -f, u[j*n:(j+1)*n])
			}
		}
		after := dense.Norm(row)
		if !(after > 1e-12*before) || after-after != 0 {
			continue
		}
		dense.Scale(row, 1/after)
		dense.Scale(image, 1/after)
		copy(c[kept*n:], row)
		copy(u[kept*n:], image)
		kept++
	}
	return kept
}
