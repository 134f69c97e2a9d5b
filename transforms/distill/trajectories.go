package distill

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/expert"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/distill/student"
)

// leastRate is what the student's rate is never learned below.
const leastRate = 1e-5

// matchTrajectories moves images, labels and rate against the mean gradient of some
// pieces of trajectories (MTT, arXiv:2203.11932; with soft labels and a growing window
// DATM, arXiv:2310.05773). Pieces with a loss above the threshold are left out.
func (w *work) matchTrajectories(ctx context.Context) (loss float64, err error) {
	s, c := w.state, w.config
	targets := s.targets(c.Soft)
	gradients := make([]*match.Gradient[float32], c.Trajectory.Pieces)
	err = student.Parallel(ctx, w.learner.Callers(), len(gradients), func(ctx context.Context, i int) (err error) {
		gradients[i], err = match.Match(ctx, w.learner, c.Trajectory.Gradient, w.piece(draws{"piece", c.Seed, s.iteration}.draw(i), targets))
		return err
	})
	if err != nil {
		return 0, err
	}
	mean := &match.Gradient[float32]{Images: make([]float32, len(s.images)), Targets: make([]float32, len(targets))}
	used := 0
	for _, g := range gradients {
		loss += g.Loss / float64(len(gradients))
		if !(g.Loss <= c.Trajectory.Threshold) { // keeps NaN out
			w.skipped++
			continue
		}
		used++
		add(mean.Images, g.Images)
		add(mean.Targets, g.Targets)
		mean.Rate += g.Rate
	}
	if used > 0 {
		err = w.descend(mean, targets, 1/float64(used))
	}
	return loss, err
}

// piece draws a task: an expert, where on its way to start, and the student's batches.
func (w *work) piece(r *rand.Rand, targets []float32) *match.Task[float32] {
	t := w.config.Trajectory
	points := w.experts.trajectories[r.IntN(len(w.experts.trajectories))].Points
	start := t.First + r.IntN(t.lastStart(w.state.iteration)-t.First+1)
	task := &match.Task[float32]{
		Start: points[start], Goal: points[start+t.Epochs],
		Images: w.state.images, Targets: targets, Rate: float32(w.state.rate),
	}
	rows := len(w.state.labels)
	batch := t.Batch
	if batch == 0 || batch > rows {
		batch = rows
	}
	var order []int
	for range t.Steps {
		if len(order) < batch {
			order = r.Perm(rows)
		}
		task.Steps = append(task.Steps, match.Step{
			Rows: order[:batch],
			View: augment.Draw(r, w.config.Augment, batch, w.real.Shape),
		})
		order = order[batch:]
	}
	return task
}

// lastStart is the last epoch that a piece may start from in an iteration: it grows
// evenly from Last to Furthest.
func (t Trajectory) lastStart(iteration int) int {
	if t.Growth == 0 {
		return t.Furthest
	}
	return min(t.Furthest, t.Last+(t.Furthest-t.Last)*iteration/t.Growth)
}

// descend moves the state against a gradient times a factor.
func (w *work) descend(g *match.Gradient[float32], targets []float32, factor float64) error {
	s, rates := w.state, w.config.RateOf
	scale(g.Images, factor)
	(&expert.Descent{Rate: rates.Images, Momentum: imageMomentum, Velocity: s.imageVelocity}).Step(s.images, g.Images)
	if w.config.Soft {
		scale(g.Targets, factor)
		byLogits := match.PullSoftmax(g.Targets, targets, s.classes)
		(&expert.Descent{Rate: rates.Labels, Momentum: labelMomentum, Velocity: s.logitVelocity}).Step(s.logits, byLogits)
	}
	s.rateVelocity = rateMomentum*s.rateVelocity + factor*g.Rate
	s.rate = max(leastRate, s.rate-rates.Rate*s.rateVelocity)
	for _, v := range s.images {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return errors.New("the images have become infinite: lower rateOf.images")
		}
	}
	return nil
}

func add(to, from []float32) {
	for i, v := range from {
		to[i] += v
	}
}

func scale(values []float32, by float64) {
	for i, v := range values {
		values[i] = float32(by * float64(v))
	}
}
