package match

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/models/nets"
)

// golden is a case that PyTorch differentiated as a whole (testdata/make_golden.py).
type golden struct {
	Net        nets.Net
	Parameters int
	Rate       float64
	Steps      []struct {
		Rows       []int
		Family     string
		Parameters [][]float64
	}
	Logits, Images, Labels []float64
	Loss, ByRate           float64
}

const goldenRows = 6

func readGolden(t *testing.T) []golden {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "unroll.json"))
	var cases []golden
	if err == nil {
		err = json.Unmarshal(b, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// vector is the numbers that both sides draw.
func vector[T nets.Number](n int, seed int64, scale float64) []T {
	v := make([]T, n)
	for i := range v {
		seed = (1103515245*seed + 12345) % (1 << 31)
		v[i] = T(scale * (float64(seed)/(1<<30) - 1))
	}
	return v
}

// task is the case, and the label logits its targets are made of.
func task[T nets.Number](g golden) (*Task[T], []T) {
	labels := vector[T](goldenRows*g.Net.Classes, 4, 2)
	t := &Task[T]{
		Start:   vector[T](g.Parameters, 1, 0.4),
		Goal:    vector[T](g.Parameters, 2, 0.05),
		Images:  vector[T](goldenRows*g.Net.Image.Size(), 3, 1.5),
		Targets: Softmax(labels, g.Net.Classes),
		Rate:    T(g.Rate),
	}
	for i := range t.Goal {
		t.Goal[i] += t.Start[i]
	}
	for _, s := range g.Steps {
		step := Step{Rows: s.Rows, View: augment.View{Family: s.Family}}
		for _, p := range s.Parameters {
			var q augment.Parameters
			copy(q[:], p)
			step.View.Images = append(step.View.Images, q)
		}
		t.Steps = append(t.Steps, step)
	}
	return t, labels
}

func learner[T nets.Number](t *testing.T, net nets.Net) *nets.Learner[T] {
	t.Helper()
	l, err := nets.NewLearner[T](net)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// compare gives the cosine of two vectors and the ratio of their lengths.
func compare[T nets.Number](got []T, want []float64) (cosine, ratio float64) {
	var product, a, b float64
	for i, w := range want {
		g := float64(got[i])
		product, a, b = product+g*w, a+g*g, b+w*w
	}
	return product / math.Sqrt(a*b), math.Sqrt(a / b)
}

// same checks a gradient against PyTorch's.
func same[T nets.Number](t *testing.T, what string, got []T, want []float64, cosine, ratio float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	if c, r := compare(got, want); !(c >= 1-cosine) || !(math.Abs(r-1) <= ratio) {
		t.Errorf("%s: cosine 1 - %.2g, norm %.8f of PyTorch's", what, 1-c, r)
	}
}

// The gradient is that of the whole unrolled run, with every family of augmentation, by
// images, label logits and learning rate.
func TestGradientEqualsTheUnrolledRun(t *testing.T) {
	for _, g := range readGolden(t) {
		if n := g.Net.Parameters(); n != g.Parameters {
			t.Errorf("%s has %d parameters, want %d", g.Net, n, g.Parameters)
			continue
		}
		checkCase[float64](t, g, Adjoint, 1e-11, 1e-8)
		checkCase[float64](t, g, Differences, 1e-6, 1e-4)
		checkCase[float32](t, g, Adjoint, 1e-6, 1e-4)
		checkCase[float32](t, g, Differences, 1e-6, 1e-4)
	}
}

func checkCase[T nets.Number](t *testing.T, g golden, method Method, cosine, ratio float64) {
	t.Helper()
	l := learner[T](t, g.Net)
	task, labels := task[T](g)
	logits, err := l.Logits(task.Start, task.Images)
	if err != nil {
		t.Fatal(err)
	}
	name := g.Net.String() + " on " + g.Net.Image.String() + ", " + string(method)
	same(t, name+": logits", logits, g.Logits, cosine, ratio)
	got, err := Match(t.Context(), l, method, task)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Loss/g.Loss-1) > ratio {
		t.Errorf("%s: loss %g, want %g", name, got.Loss, g.Loss)
	}
	same(t, name+": images", got.Images, g.Images, cosine, ratio)
	same(t, name+": labels", PullSoftmax(got.Targets, Softmax(labels, g.Net.Classes), g.Net.Classes), g.Labels, cosine, ratio)
	if math.Abs(got.Rate/g.ByRate-1) > ratio {
		t.Errorf("%s: by the rate %g, want %g", name, got.Rate, g.ByRate)
	}
}

// TESLA's is not the gradient: were it, the test above would see no difference.
func TestTESLADiffersFromTheGradient(t *testing.T) {
	g := readGolden(t)[0]
	task, _ := task[float64](g)
	got, err := Match(t.Context(), learner[float64](t, g.Net), TESLA, task)
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := compare(got.Images, g.Images); c > 0.9999 || c < 0.5 {
		t.Errorf("cosine %g", c)
	}
}

// A gradient is the same bits again.
func TestGradientIsRepeatable(t *testing.T) {
	g := readGolden(t)[0]
	task, _ := task[float32](g)
	var first *Gradient[float32]
	for range 3 {
		got, err := Match(t.Context(), learner[float32](t, g.Net), Differences, task)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		for i, v := range got.Images {
			if v != first.Images[i] {
				t.Fatalf("value %d is %g, was %g", i, v, first.Images[i])
			}
		}
	}
}

// Eight times the steps need little more memory: parameters of each step, not graphs.
// PENSTOCK_LONG=1 takes as many steps as the field does.
func TestMemoryHardlyDependsOnTheSteps(t *testing.T) {
	net := nets.Net{Family: nets.ConvNet, Width: 8, Depth: 2, Image: nets.Shape{Height: 28, Width: 28, Channels: 1}, Classes: 10}
	l := learner[float32](t, net)
	task := &Task[float32]{
		Start:   vector[float32](net.Parameters(), 1, 0.2),
		Goal:    vector[float32](net.Parameters(), 2, 0.2),
		Images:  vector[float32](20*net.Image.Size(), 3, 1),
		Targets: Softmax(vector[float32](20*net.Classes, 4, 1), net.Classes),
		Rate:    0.01,
	}
	rows := make([]int, 40) // each twice
	for i := range rows {
		rows[i] = i % 20
	}
	peak := func(steps int) float64 {
		task.Steps = nil
		for range steps {
			task.Steps = append(task.Steps, Step{Rows: rows})
		}
		return peakHeap(func() {
			if _, err := Match(t.Context(), l, Adjoint, task); err != nil {
				t.Fatal(err)
			}
		})
	}
	steps := 2
	if os.Getenv("PENSTOCK_LONG") != "" {
		steps = 10
	}
	peak(2) // compile
	few, many := peak(steps), peak(8*steps)
	t.Logf("peak heap: %.0f MB at %d steps, %.0f MB at %d", few/1e6, steps, many/1e6, 8*steps)
	if many > 1.3*few {
		t.Error("eight times the steps take more than 1.3 times the memory")
	}
}

// peakHeap is the largest size of the live heap while f runs, with what the collector
// lags behind by.
func peakHeap(f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	debug.FreeOSMemory()
	stop, done := make(chan struct{}), make(chan float64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		peak := 0.0
		for {
			metrics.Read(sample)
			peak = max(peak, float64(sample[0].Value.Uint64()))
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	return <-done
}
