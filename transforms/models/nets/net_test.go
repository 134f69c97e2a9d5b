package nets

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

var mnist = Shape{Height: 28, Width: 28, Channels: 1}

// Sizes are those of the published networks.
func TestParametersAreThoseOfTheField(t *testing.T) {
	for _, c := range []struct {
		net  Net
		want int
	}{
		{Net{ConvNet, 128, 3, mnist, 10}, 317_706},
		{Net{ConvNet, 16, 3, mnist, 10}, 7_466},
		{Net{ConvNet, 128, 3, Shape{32, 32, 3}, 10}, 320_010},
		{Net{MLP, 128, 2, mnist, 10}, 784*128 + 128 + 128*128 + 128 + 1290},
		{Net{LeNet, 0, 0, mnist, 10}, 61_706},
	} {
		if err := c.net.Check(); err != nil {
			t.Error(err)
		}
		if got := c.net.Parameters(); got != c.want {
			t.Errorf("%s has %d parameters, want %d", c.net, got, c.want)
		}
	}
}

// A fresh network is within PyTorch's bounds, and the same again for the same draw.
func TestDrawIsBoundedAndRepeatable(t *testing.T) {
	n := Net{ConvNet, 8, 2, mnist, 10}
	theta, again := n.Draw(rand.New(rand.NewPCG(1, 2))), n.Draw(rand.New(rand.NewPCG(1, 2)))
	at := 0
	for _, p := range n.layout() {
		bound, most := 1/math.Sqrt(float64(p.fanIn)), 0.0
		for _, v := range theta[at : at+p.size()] {
			most = max(most, math.Abs(float64(v)))
			switch {
			case p.gain && v != 1, p.shift && v != 0:
				t.Errorf("%s starts at %g", p.name, v)
			}
		}
		if !p.gain && !p.shift && (most > bound || most < bound/3) {
			t.Errorf("%s reaches %g, want up to %g", p.name, most, bound)
		}
		at += p.size()
	}
	for i := range theta {
		if theta[i] != again[i] {
			t.Fatal("another network")
		}
	}
}

func TestNetworksThatThereAreNot(t *testing.T) {
	for _, c := range []struct {
		net  Net
		want string
	}{
		{Net{"resnet", 8, 2, mnist, 10}, `no network "resnet"`},
		{Net{ConvNet, 8, 5, mnist, 10}, "too small for convnet-5 of width 8, which wants 32 pixels"},
		{Net{LeNet, 0, 0, Shape{8, 8, 1}, 10}, "too small for lenet, which wants 12 pixels"},
		{Net{MLP, 0, 2, mnist, 10}, "width 0 and depth 2"},
		{Net{MLP, 4096, 8, Shape{9999, 9999, 3}, 10}, "more than 268435456"},
		{Net{MLP, 8, 2, mnist, 1}, "1 classes"},
		{Net{MLP, 8, 2, Shape{}, 2}, "images of 0x0x0"},
	} {
		if err := c.net.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.net, err, c.want)
		}
	}
}

// What does not fit the network is an error, not a panic.
func TestWrongSizesAreErrors(t *testing.T) {
	n := Net{ConvNet, 4, 2, mnist, 10}
	l, err := NewLearner[float32](n)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theta := n.Draw(rand.New(rand.NewPCG(1, 2)))
	for _, c := range []struct{ theta, images, targets []float32 }{
		{theta[1:], make([]float32, 784), make([]float32, 10)},
		{theta, make([]float32, 783), make([]float32, 10)},
		{theta, nil, nil},
		{theta, make([]float32, 784), make([]float32, 20)},
	} {
		if _, _, err := l.Gradient(c.theta, c.images, c.targets); err == nil {
			t.Errorf("%d parameters, %d pixels, %d targets: no error", len(c.theta), len(c.images), len(c.targets))
		}
	}
	if _, err := l.Pull("third", theta, theta, make([]float32, 784), make([]float32, 10)); err == nil {
		t.Error("a third form")
	}
}
