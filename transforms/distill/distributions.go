package distill

import (
	"context"
	"math/rand/v2"
	"slices"

	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/distill/student"
)

// matchDistributions moves the images so that in a random network the mean features of
// each class come nearer to those of real images (Zhao and Bilen, Dataset Condensation
// with Distribution Matching, WACV 2023). Real and distilled images of a class are
// augmented alike.
func (w *work) matchDistributions(ctx context.Context) (loss float64, err error) {
	s := w.state
	random := draws{"network", w.config.Seed, s.iteration}
	theta := w.learner.Net.Draw(random.draw(0))
	losses := make([]float64, len(w.of))
	gradient := &match.Gradient[float32]{Images: make([]float32, len(s.images))}
	err = student.Parallel(ctx, w.learner.Callers(), len(w.of), func(ctx context.Context, class int) (err error) {
		losses[class], err = w.matchClass(theta, class, random.draw(1+class), gradient.Images)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, l := range losses {
		loss += l
	}
	return loss, w.descend(gradient, nil, 1)
}

// matchClass is the squared distance of a class's mean features, and writes its gradient
// to the class's rows.
func (w *work) matchClass(theta []float32, class int, r *rand.Rand, gradient []float32) (loss float64, err error) {
	shape, rows := w.real.Shape, w.rowsOf(class)
	size := shape.Size()
	members := w.of[class]
	some := make([]int, min(w.config.RealBatch, len(members)))
	for i, k := range r.Perm(len(members))[:len(some)] {
		some[i] = members[k]
	}
	one := augment.Draw(r, w.config.Augment, 1, shape)
	goal, err := w.learner.Features(theta, augment.Apply(repeated(one, len(some)), match.Gather(w.real.Images, some, size), shape))
	if err != nil {
		return 0, err
	}
	view := repeated(one, len(rows))
	images := augment.Apply(view, match.Gather(w.state.images, rows, size), shape)
	features, err := w.learner.Features(theta, images)
	if err != nil {
		return 0, err
	}
	loss, cotangent := meanDistance(features, len(rows), goal, len(some))
	pulled, err := w.learner.PullFeatures(theta, images, cotangent)
	if err != nil {
		return 0, err
	}
	copy(gradient[rows[0]*size:(rows[len(rows)-1]+1)*size], augment.Pull(view, pulled, shape))
	return loss, nil
}

// meanDistance is the squared distance of the means of n and m points, and its gradient
// by the first.
func meanDistance(a []float32, n int, b []float32, m int) (distance float64, gradient []float32) {
	width := len(a) / n
	gradient = make([]float32, len(a))
	for k := range width {
		var meanA, meanB float64
		for i := range n {
			meanA += float64(a[i*width+k]) / float64(n)
		}
		for i := range m {
			meanB += float64(b[i*width+k]) / float64(m)
		}
		d := meanA - meanB
		distance += d * d
		for i := range n {
			gradient[i*width+k] = float32(2 * d / float64(n))
		}
	}
	return distance, gradient
}

// repeated is the view of one image for each of n.
func repeated(v augment.View, n int) augment.View {
	if v.Family == "" {
		return v
	}
	return augment.View{Family: v.Family, Images: slices.Repeat(v.Images, n)}
}
