package student

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/models/nets"
)

// The first error in order is returned, nothing new is begun after it, and a panic is an
// error.
func TestParallelStopsAtTheFirstError(t *testing.T) {
	wrong := errors.New("wrong")
	var begun atomic.Int32
	err := Parallel(t.Context(), 2, 100, func(ctx context.Context, i int) error {
		begun.Add(1)
		if i == 3 {
			return wrong
		}
		if i > 3 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	if !errors.Is(err, wrong) || begun.Load() > 6 {
		t.Errorf("error %v after %d", err, begun.Load())
	}
	err = Parallel(t.Context(), 2, 1, func(context.Context, int) error { panic("fault") })
	if err == nil || !strings.Contains(err.Error(), "fault") {
		t.Errorf("a panic gave %v", err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Parallel(done, 2, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gave %v", err)
	}
}

// A network that is trained on a few images labels them rightly, and the accuracy counts
// what it labels wrongly.
func TestTrainedNetworksKnowTheirImages(t *testing.T) {
	net := nets.Net{Family: nets.MLP, Width: 8, Depth: 1, Image: nets.Shape{Height: 2, Width: 2, Channels: 1}, Classes: 2}
	l, err := nets.NewLearner[float32](net)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	set := &labelled.Set{
		Shape: net.Image, Classes: []string{"a", "b"},
		Images: []float32{1, 1, -1, -1, 1, 1, -1, -0.5, -1, -1, 1, 1, -1, -0.5, 1, 1}, Labels: []int{0, 0, 1, 1},
	}
	draw := func(epoch int) *rand.Rand { return rand.New(rand.NewPCG(1, uint64(epoch))) }
	theta := net.Draw(draw(99))
	p := Protocol{Epochs: 30, Batch: 3, Rate: 0.1}
	if err := p.Train(t.Context(), l, theta, set.Images, labelled.OneHot(set.Labels, 2), draw); err != nil {
		t.Fatal(err)
	}
	if a, err := Accuracy(t.Context(), l, theta, set); err != nil || a != 1 {
		t.Errorf("accuracy %g, error %v", a, err)
	}
	set.Labels = []int{0, 1, 1, 1}
	if a, err := Accuracy(t.Context(), l, theta, set); err != nil || a != 0.75 {
		t.Errorf("accuracy %g with one label exchanged, error %v", a, err)
	}
}
