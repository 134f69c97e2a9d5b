package distill

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"penstock.dev/data"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/distill/student"
)

// Ways to choose the images that a run starts from.
const (
	startRandom  = "random"
	startCorrect = "correct"
	startKMeans  = "kmeans"
	startHerding = "herding"
)

// draws are the random generators of a purpose: of its n-th unit, the draws are counted.
type draws struct {
	purpose string
	seed    int64
	unit    int
}

func (d draws) draw(n int) *rand.Rand {
	return data.Draw(data.ID{Source: d.purpose, Row: int64(d.unit)}, d.seed, n)
}

// epoch is the generator of an epoch of training, of a unit whose network is draw 0.
func (d draws) epoch(epoch int) *rand.Rand { return d.draw(1 + epoch) }

// begin makes the state before the first iteration, or takes up the one in the cache.
func (w *work) begin(ctx context.Context) error {
	s := &state{classes: len(w.of), rate: w.config.Rate}
	for class, members := range w.of {
		rows, err := w.choose(ctx, class, members)
		if err != nil {
			return err
		}
		for _, r := range rows {
			s.images = append(s.images, w.real.Image(r)...)
			s.labels = append(s.labels, class)
		}
	}
	s.imageVelocity = make([]float32, len(s.images))
	s.logits, s.logitVelocity = make([]float32, len(s.labels)*s.classes), make([]float32, len(s.labels)*s.classes)
	if w.config.Soft {
		if err := w.label(ctx, s); err != nil {
			return err
		}
	}
	w.state = s
	if w.config.Method == methodSelect {
		return nil
	}
	return w.resume()
}

// choose picks the first images of a class.
func (w *work) choose(ctx context.Context, class int, members []int) ([]int, error) {
	order := draws{"start", w.config.Seed, class}.draw(0).Perm(len(members))
	shuffled := make([]int, len(members))
	for i, k := range order {
		shuffled[i] = members[k]
	}
	switch w.config.Start {
	case startCorrect:
		return w.correct(ctx, class, shuffled)
	case startKMeans, startHerding:
		points, err := w.features(ctx, shuffled)
		if err != nil {
			return nil, err
		}
		width := len(points) / len(shuffled)
		if w.config.Start == startHerding {
			return match.Gather(shuffled, herd(points, width, w.config.ImagesPer), 1), nil
		}
		picked, err := centres(ctx, points, width, w.config.ImagesPer, w.config.Seed)
		return match.Gather(shuffled, picked, 1), err
	}
	return shuffled[:w.config.ImagesPer], nil
}

// correct takes images that the first expert labels rightly at its end, then those of
// the next, and so on; what is missing then is taken as it comes.
func (w *work) correct(ctx context.Context, class int, members []int) ([]int, error) {
	var chosen []int
	left := members
	for _, e := range w.experts.trajectories {
		var wrong []int
		for len(left) > 0 && len(chosen) < w.config.ImagesPer {
			some := left[:min(len(left), 10*w.config.ImagesPer)]
			left = left[len(some):]
			logits, err := student.Logits(ctx, w.learner, e.Last(), match.Gather(w.real.Images, some, w.real.Shape.Size()))
			if err != nil {
				return nil, err
			}
			for i, r := range some {
				if student.Highest(logits[i*len(w.of):(i+1)*len(w.of)]) == class {
					chosen = append(chosen, r)
				} else {
					wrong = append(wrong, r)
				}
			}
		}
		left = append(wrong, left...)
	}
	return append(chosen, left...)[:w.config.ImagesPer], nil
}

// features are what images are compared by, [rows, any]: the inputs of the first expert's
// last layer at its end, or without experts the pixels.
func (w *work) features(ctx context.Context, rows []int) ([]float32, error) {
	images := match.Gather(w.real.Images, rows, w.real.Shape.Size())
	if w.experts == nil {
		return images, nil
	}
	return student.Features(ctx, w.learner, w.experts.trajectories[0].Last(), images)
}

// label sets the logits of the first images: the mean of those of the experts that label
// the image rightly at their end, or of all if none does.
func (w *work) label(ctx context.Context, s *state) error {
	right := make([]int, len(s.labels))
	all := make([]float32, len(s.logits))
	n := float32(len(w.experts.trajectories))
	for _, e := range w.experts.trajectories {
		logits, err := student.Logits(ctx, w.learner, e.Last(), s.images)
		if err != nil {
			return err
		}
		for i, class := range s.labels {
			row := logits[i*s.classes : (i+1)*s.classes]
			counts := student.Highest(row) == class
			if counts {
				right[i]++
			}
			for k, z := range row {
				all[i*s.classes+k] += z / n
				if counts {
					s.logits[i*s.classes+k] += z
				}
			}
		}
	}
	for i := range s.logits {
		if votes := right[i/s.classes]; votes > 0 {
			s.logits[i] /= float32(votes)
		} else {
			s.logits[i] = all[i]
		}
		if v := float64(s.logits[i]); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s: logits of %g", portExperts, v)
		}
	}
	return nil
}
