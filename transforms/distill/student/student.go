// Package student trains fresh networks on a small set and measures them.
package student

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/expert"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/models/nets"
)

// Protocol is how a network is trained on distilled images: stochastic gradient descent
// with momentum 0.9 and weight decay 0.0005, the rate a tenth after half of the epochs.
type Protocol struct {
	Epochs  int      `json:"epochs"`
	Batch   int      `json:"batch"`
	Rate    float64  `json:"rate"`
	Augment []string `json:"augment"`
}

// Constants of the protocol, which are the field's.
const (
	Momentum = 0.9
	Decay    = 5e-4
	Slower   = 0.1 // of the rate in the second half
)

// Train trains a network from theta, which it changes, on scaled images with targets
// [n, classes]. draw gives the generator of an epoch.
func (p Protocol) Train(ctx context.Context, l *nets.Learner[float32], theta, images, targets []float32, draw func(epoch int) *rand.Rand) error {
	shape := l.Net.Image
	rows := len(images) / shape.Size()
	descent := &expert.Descent{Rate: p.Rate, Momentum: Momentum, Decay: Decay}
	for epoch := range p.Epochs {
		if epoch == (p.Epochs+1)/2 {
			descent = &expert.Descent{Rate: Slower * p.Rate, Momentum: Momentum, Decay: Decay}
		}
		r := draw(epoch)
		for batch := range slices.Chunk(r.Perm(rows), p.Batch) {
			if err := ctx.Err(); err != nil {
				return err
			}
			view := augment.Draw(r, p.Augment, len(batch), shape)
			_, gradient, err := l.Gradient(theta,
				augment.Apply(view, match.Gather(images, batch, shape.Size()), shape),
				match.Gather(targets, batch, l.Net.Classes))
			if err != nil {
				return err
			}
			descent.Step(theta, gradient)
		}
	}
	return nil
}

// together is how many images are looked at in one go.
const together = 500

// Logits are those of scaled images, [n, classes].
func Logits(ctx context.Context, l *nets.Learner[float32], theta, images []float32) ([]float32, error) {
	return inParts(ctx, l, images, func(part []float32) ([]float32, error) { return l.Logits(theta, part) })
}

// Features are those of scaled images, [n, features].
func Features(ctx context.Context, l *nets.Learner[float32], theta, images []float32) ([]float32, error) {
	return inParts(ctx, l, images, func(part []float32) ([]float32, error) { return l.Features(theta, part) })
}

func inParts(ctx context.Context, l *nets.Learner[float32], images []float32, of func([]float32) ([]float32, error)) ([]float32, error) {
	var all []float32
	for part := range slices.Chunk(images, together*l.Net.Image.Size()) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out, err := of(part)
		if err != nil {
			return nil, err
		}
		all = append(all, out...)
	}
	return all, nil
}

// Accuracy is the share of a scaled set that a network labels rightly.
func Accuracy(ctx context.Context, l *nets.Learner[float32], theta []float32, s *labelled.Set) (float64, error) {
	logits, err := Logits(ctx, l, theta, s.Images)
	if err != nil {
		return 0, err
	}
	right := 0
	for i, label := range s.Labels {
		if Highest(logits[i*l.Net.Classes:(i+1)*l.Net.Classes]) == label {
			right++
		}
	}
	return float64(right) / float64(s.Len()), nil
}

// Highest is the place of the largest value, the first of equals.
func Highest(values []float32) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

// Parallel does n things, at most hands at a time, and returns the error of the first
// that failed in order. After a failure nothing new is begun.
func Parallel(ctx context.Context, hands, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	var wait sync.WaitGroup
	free := make(chan struct{}, max(1, hands))
	for i := range n {
		free <- struct{}{}
		wait.Go(func() {
			defer func() {
				if fault := recover(); fault != nil {
					errs[i] = fmt.Errorf("panic: %v", fault)
				}
				if errs[i] != nil {
					cancel()
				}
				<-free
			}()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = do(ctx, i)
			}
		})
	}
	wait.Wait()
	return firstCause(errs)
}

// firstCause prefers an error that is no consequence of another.
func firstCause(errs []error) error {
	var cancelled error
	for _, err := range errs {
		switch {
		case err == nil:
		case err == context.Canceled:
			cancelled = err
		default:
			return err
		}
	}
	return cancelled
}
