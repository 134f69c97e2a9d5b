// Package match has the loss of trajectory matching and its exact gradient in constant
// memory.
//
// A student network starts where an expert was after some epoch and takes N steps of
// gradient descent on the distilled images. The loss is how far it ends from where the
// expert was some epochs later, as a share of how far the expert went (Cazenavette et
// al., Dataset Distillation by Matching Training Trajectories, CVPR 2022, equation 2):
//
//	L = |theta_N - goal|² / |theta_0 - goal|²
//	theta_i+1 = theta_i - rate g_i,  g_i = dl/dtheta (images_i, targets_i, theta_i)
//
// [Match] carries the cotangent v_i = dL/dtheta_i back from step to step instead of
// differentiating the whole run at once. With s_i = g_i · v_i+1,
//
//	dL/dimages_i += -rate ds_i/dimages,  dL/dtargets_i += -rate ds_i/dtargets
//	dL/drate     += -s_i,                v_i = v_i+1 - rate ds_i/dtheta
//
// so that it needs two vectors of parameters a step and the graph of one step.
package match

import (
	"context"
	"fmt"

	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/models/nets"
)

// Method says how the gradient is formed.
type Method string

// The methods.
const (
	Adjoint     Method = "adjoint"     // exact, by second derivatives
	Differences Method = "differences" // the same by first derivatives at two points; see nets.Differences
	// TESLA leaves the Hessian's terms out (Cui et al., ICML 2023): every step sees the
	// last cotangent. It is not the gradient of L; it is here to be compared.
	TESLA Method = "tesla"
)

// Methods lists them.
var Methods = []Method{Adjoint, Differences, TESLA}

// Task is a piece of a trajectory to be matched.
type Task[T nets.Number] struct {
	Start, Goal []T // parameters
	Images      []T // [rows, height, width, channels]
	Targets     []T // probabilities [rows, classes]
	Rate        T   // of the student's steps
	Steps       []Step
}

// Step is one of the student's.
type Step struct {
	Rows []int        // of the batch
	View augment.View // of its images
}

// Gradient is the loss and its gradient.
type Gradient[T nets.Number] struct {
	Loss            float64
	Images, Targets []T
	Rate            float64
}

// Match computes the loss and its gradient by images, targets and rate.
func Match[T nets.Number](ctx context.Context, l *nets.Learner[T], method Method, t *Task[T]) (*Gradient[T], error) {
	run, err := descend(ctx, l, t)
	if err != nil {
		return nil, err
	}
	whole := squaredDistance(t.Start, t.Goal)
	if !(whole > 0) {
		return nil, fmt.Errorf("the expert's piece starts where it ends")
	}
	g := &Gradient[T]{
		Loss:    squaredDistance(run.end, t.Goal) / whole,
		Images:  make([]T, len(t.Images)),
		Targets: make([]T, len(t.Targets)),
	}
	cotangent := make([]T, len(run.end))
	for i := range cotangent {
		cotangent[i] = T(2 * float64(run.end[i]-t.Goal[i]) / whole)
	}
	for i := len(t.Steps) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := g.back(l, method, t, i, run, cotangent); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// descent is a run of the student: parameters and gradient of every step.
type descent[T nets.Number] struct {
	theta, gradients [][]T
	end              []T
}

func descend[T nets.Number](ctx context.Context, l *nets.Learner[T], t *Task[T]) (*descent[T], error) {
	run := &descent[T]{end: t.Start}
	for _, step := range t.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		images, targets := t.batch(l, step)
		_, gradient, err := l.Gradient(run.end, images, targets)
		if err != nil {
			return nil, err
		}
		run.theta, run.gradients = append(run.theta, run.end), append(run.gradients, gradient)
		next := make([]T, len(run.end))
		for i, p := range run.end {
			next[i] = p - t.Rate*gradient[i]
		}
		run.end = next
	}
	return run, nil
}

// batch is a step's images as the student sees them, and their targets.
func (t *Task[T]) batch(l *nets.Learner[T], s Step) (images, targets []T) {
	shape := l.Net.Image
	images = Gather(t.Images, s.Rows, shape.Size())
	return augment.Apply(s.View, images, shape), Gather(t.Targets, s.Rows, l.Net.Classes)
}

// back adds what step i contributes and moves the cotangent before it.
func (g *Gradient[T]) back(l *nets.Learner[T], method Method, t *Task[T], i int, run *descent[T], cotangent []T) error {
	images, targets := t.batch(l, t.Steps[i])
	form := nets.Hessian
	if method == Differences {
		form = nets.Differences
	}
	pulled, err := l.Pull(form, run.theta[i], cotangent, images, targets)
	if err != nil {
		return err
	}
	for k, v := range cotangent {
		g.Rate -= float64(run.gradients[i][k]) * float64(v)
	}
	shape := l.Net.Image
	scatter(g.Images, t.Steps[i].Rows, shape.Size(), augment.Pull(t.Steps[i].View, pulled.Images, shape), -t.Rate)
	scatter(g.Targets, t.Steps[i].Rows, l.Net.Classes, pulled.Targets, -t.Rate)
	if method == TESLA {
		return nil
	}
	for k, h := range pulled.Theta {
		cotangent[k] -= t.Rate * h
	}
	return nil
}

// Gather is rows of a matrix of size columns, in their order.
func Gather[T any](from []T, rows []int, size int) []T {
	to := make([]T, 0, len(rows)*size)
	for _, r := range rows {
		to = append(to, from[r*size:(r+1)*size]...)
	}
	return to
}

// scatter adds multiples of rows to those of a matrix.
func scatter[T nets.Number](to []T, rows []int, size int, from []T, by T) {
	for i, r := range rows {
		for k := range size {
			to[r*size+k] += by * from[i*size+k]
		}
	}
}

func squaredDistance[T nets.Number](a, b []T) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i] - b[i])
		sum += d * d
	}
	return sum
}
