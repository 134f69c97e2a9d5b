// Package expert trains networks on real images and keeps where their parameters were
// after every epoch: the trajectories that distilled images are matched to.
package expert

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"penstock.dev/data"
	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/models/nets"
)

// Recipe says how an expert is trained, by stochastic gradient descent:
//
//	velocity = momentum velocity + gradient + decay parameters
//	parameters -= rate velocity
type Recipe struct {
	Batch    int      `json:"batch"`
	Rate     float64  `json:"rate"`
	Momentum float64  `json:"momentum"`
	Decay    float64  `json:"decay"`
	Augment  []string `json:"augment"`
	// Sharpness is the radius rho of GSAM (Zhuang et al., ICLR 2022) in its adaptive
	// form, 0 for plain descent, and Surrogate its alpha. Each step then costs two
	// gradients and the trajectories are flatter (Du et al., FTD, CVPR 2023).
	Sharpness float64 `json:"sharpness"`
	Surrogate float64 `json:"surrogate"`
	Seed      int64   `json:"seed"`
}

// Trajectory is an expert: its parameters at the start and after every epoch.
type Trajectory struct {
	Points   [][]float32
	Losses   []float64 // mean over each epoch
	velocity []float32
}

// Last is the parameters after the last epoch.
func (t *Trajectory) Last() []float32 { return t.Points[len(t.Points)-1] }

// Start is the expert of some number before its first epoch.
func (r Recipe) Start(net nets.Net, number int) *Trajectory {
	theta := net.Draw(r.draw(number, 0, 0))
	return &Trajectory{Points: [][]float32{theta}, velocity: make([]float32, len(theta))}
}

// draw is the generator of a batch of an epoch, counted from 1; batch 0 orders the epoch.
func (r Recipe) draw(number, epoch, batch int) *rand.Rand {
	return data.Draw(data.ID{Source: "expert", Row: int64(number)}.Child(epoch), r.Seed, batch)
}

// Epoch trains an expert for one epoch more on scaled images.
func (r Recipe) Epoch(ctx context.Context, l *nets.Learner[float32], s *labelled.Set, number int, t *Trajectory) error {
	epoch := len(t.Points)
	order := r.draw(number, epoch, 0).Perm(s.Len())
	descent := &Descent{Rate: r.Rate, Momentum: r.Momentum, Decay: r.Decay, Velocity: t.velocity}
	theta, total := append([]float32(nil), t.Last()...), 0.0
	for batch := 1; len(order) > 0; batch++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := order[:min(r.Batch, len(order))]
		order = order[len(rows):]
		view := augment.Draw(r.draw(number, epoch, batch), r.Augment, len(rows), s.Shape)
		images := augment.Apply(view, match.Gather(s.Images, rows, s.Shape.Size()), s.Shape)
		targets := labelled.OneHot(match.Gather(s.Labels, rows, 1), len(s.Classes))
		loss, gradient, err := l.Gradient(theta, images, targets)
		if err == nil && r.Sharpness > 0 {
			gradient, err = r.flatten(l, theta, gradient, images, targets)
		}
		if err != nil {
			return err
		}
		if math.IsNaN(float64(loss)) || math.IsInf(float64(loss), 0) {
			return fmt.Errorf("expert %d: the loss is %g in epoch %d: lower the rate", number, loss, epoch)
		}
		total += float64(loss) * float64(len(rows))
		descent.Step(theta, gradient)
	}
	// The store keeps losses as float32.
	t.Points, t.Losses = append(t.Points, theta), append(t.Losses, float64(float32(total/float64(s.Len()))))
	return nil
}

// flatten is the direction of GSAM: the gradient g' where a step along theta² g leads,
// less the part of g that is at right angles to it.
func (r Recipe) flatten(l *nets.Learner[float32], theta, g, images, targets []float32) ([]float32, error) {
	length := 0.0
	for i, p := range theta {
		d := float64(p) * float64(g[i])
		length += d * d
	}
	scale := r.Sharpness / max(math.Sqrt(length), 1e-12)
	there := make([]float32, len(theta))
	for i, p := range theta {
		there[i] = p + float32(scale*float64(g[i])*float64(p)*float64(p))
	}
	_, ahead, err := l.Gradient(there, images, targets)
	if err != nil {
		return nil, err
	}
	var product, square float64
	for i, a := range ahead {
		product += float64(a) * float64(g[i])
		square += float64(a) * float64(a)
	}
	along := product / max(square, 1e-30)
	direction := make([]float32, len(g))
	for i, a := range ahead {
		direction[i] = a - float32(r.Surrogate*(float64(g[i])-along*float64(a)))
	}
	return direction, nil
}

// Descent is stochastic gradient descent with momentum and weight decay, as PyTorch has
// it.
type Descent struct {
	Rate, Momentum, Decay float64
	Velocity              []float32
}

// Step moves values against their gradient.
func (d *Descent) Step(values, gradient []float32) {
	if d.Velocity == nil {
		d.Velocity = make([]float32, len(values))
	}
	for i, g := range gradient {
		v := d.Momentum*float64(d.Velocity[i]) + float64(g) + d.Decay*float64(values[i])
		d.Velocity[i] = float32(v)
		values[i] -= float32(d.Rate * v)
	}
}
