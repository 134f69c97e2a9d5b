// Package augment has differentiable Siamese augmentation (Zhao and Bilen, ICML 2021):
// a batch is changed by one family of transformations, each image by parameters of its
// own.
//
// A drawn [View] is an affine map of the pixels. [Apply] computes it and [Pull] its
// transpose, which carries a gradient by the changed images back to the images
// themselves, exactly; so augmentation is no part of what is differentiated.
package augment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"penstock.dev/transforms/models/nets"
)

// Families of transformations.
const (
	Colour = "color"  // brightness ±0.5, then saturation times up to 2, then contrast times 0.5 to 1.5
	Crop   = "crop"   // shifted by up to an eighth of each side, zeros around
	Cutout = "cutout" // a square of half the side set to zero
	Flip   = "flip"   // mirrored left to right, or not
	Scale  = "scale"  // each axis by 1/1.2 to 1.2
	Rotate = "rotate" // by up to 15 degrees
)

// Families lists them.
var Families = []string{Colour, Crop, Cutout, Flip, Scale, Rotate}

// Check reports a family that there is not.
func Check(families []string) error {
	for _, f := range families {
		if !slices.Contains(Families, f) {
			return fmt.Errorf("no augmentation %q, want color, crop, cutout, flip, scale or rotate", f)
		}
	}
	return nil
}

// View is what becomes of the images of a batch; the zero View changes nothing.
type View struct {
	Family string
	Images []Parameters
}

// Parameters of an image's transformation, by family: brightness, saturation and
// contrast; shift down and right (crop), in pixels; centre down and right (cutout); 1
// for a mirrored image (flip); factors of height and width of the window (scale); angle
// in radians (rotate).
type Parameters [3]float64

// Draw draws the view of a batch of n images; of no families, that which changes
// nothing.
func Draw(r *rand.Rand, families []string, n int, shape nets.Shape) View {
	if len(families) == 0 {
		return View{}
	}
	v := View{Family: families[r.IntN(len(families))], Images: make([]Parameters, n)}
	for i := range v.Images {
		v.Images[i] = draw(r, v.Family, shape)
	}
	return v
}

func draw(r *rand.Rand, family string, shape nets.Shape) Parameters {
	between := func(low, high float64) float64 { return low + (high-low)*r.Float64() }
	shift := func(side int) float64 {
		most := int(float64(side)/8 + 0.5)
		return float64(r.IntN(2*most+1) - most)
	}
	switch family {
	case Colour:
		return Parameters{between(-0.5, 0.5), between(0, 2), between(0.5, 1.5)}
	case Crop:
		return Parameters{shift(shape.Height), shift(shape.Width)}
	case Cutout:
		return Parameters{float64(r.IntN(shape.Height + 1)), float64(r.IntN(shape.Width + 1))}
	case Flip:
		return Parameters{float64(r.IntN(2))}
	case Scale:
		return Parameters{between(1/1.2, 1.2), between(1/1.2, 1.2)}
	}
	return Parameters{between(-15, 15) * math.Pi / 180}
}

// Apply is the view of images [n, height, width, channels].
func Apply[T nets.Number](v View, images []T, shape nets.Shape) []T {
	return each(v, images, shape, transform[T])
}

// Pull carries a gradient by the result of Apply back to one by the images.
func Pull[T nets.Number](v View, gradient []T, shape nets.Shape) []T {
	return each(v, gradient, shape, transpose[T])
}

// each does something to every image of a batch.
func each[T nets.Number](v View, from []T, shape nets.Shape, do func(family string, p Parameters, to, from []T, shape nets.Shape)) []T {
	if v.Family == "" {
		return from
	}
	to, size := make([]T, len(from)), shape.Size()
	for i, p := range v.Images {
		do(v.Family, p, to[i*size:(i+1)*size], from[i*size:(i+1)*size], shape)
	}
	return to
}

func transform[T nets.Number](family string, p Parameters, to, from []T, shape nets.Shape) {
	if family == Colour {
		for i, x := range from {
			to[i] = x + T(p[0])
		}
		saturate(to, shape, p[1])
		spread(to, shape.Size(), p[2])
		return
	}
	walk(family, p, shape, func(at, source int, weight float64) {
		for c := range shape.Channels {
			to[at+c] += T(weight) * from[source+c]
		}
	})
}

func transpose[T nets.Number](family string, p Parameters, to, from []T, shape nets.Shape) {
	if family == Colour { // both maps are symmetric
		copy(to, from)
		spread(to, shape.Size(), p[2])
		saturate(to, shape, p[1])
		return
	}
	walk(family, p, shape, func(at, source int, weight float64) {
		for c := range shape.Channels {
			to[source+c] += T(weight) * from[at+c]
		}
	})
}

// saturate stretches the channels of each pixel about their mean.
func saturate[T nets.Number](x []T, shape nets.Shape, by float64) { spread(x, shape.Channels, by) }

// spread stretches values about their mean, every n of them for themselves.
func spread[T nets.Number](x []T, n int, by float64) {
	for ; len(x) >= n; x = x[n:] {
		mean := T(0)
		for _, v := range x[:n] {
			mean += v
		}
		mean /= T(n)
		for i, v := range x[:n] {
			x[i] = (v-mean)*T(by) + mean
		}
	}
}

// walk tells from which pixels each pixel of the view is made, by the places of their
// first channels, and with what weight.
func walk(family string, p Parameters, shape nets.Shape, visit func(at, source int, weight float64)) {
	pixel := func(y, x int) int { return (y*shape.Width + x) * shape.Channels }
	for y := range shape.Height {
		for x := range shape.Width {
			at := pixel(y, x)
			if family == Cutout {
				if !cut(p, shape, y, x) {
					visit(at, at, 1)
				}
				continue
			}
			v, u := origin(family, p, shape, y, x)
			top, left := math.Floor(v), math.Floor(u)
			for dy := range 2 {
				for dx := range 2 {
					sy, sx := int(top)+dy, int(left)+dx
					weight := (1 - math.Abs(v-float64(sy))) * (1 - math.Abs(u-float64(sx)))
					if weight > 0 && sy >= 0 && sy < shape.Height && sx >= 0 && sx < shape.Width {
						visit(at, pixel(sy, sx), weight)
					}
				}
			}
		}
	}
}

// cut says whether a pixel lies in the square that is cut out.
func cut(p Parameters, shape nets.Shape, y, x int) bool {
	top, left := int(p[0])-shape.Height/4, int(p[1])-shape.Width/4
	return y >= top && y < top+shape.Height/2 && x >= left && x < left+shape.Width/2
}

// origin is the point that a pixel of the view shows, between pixels as a rule. Scaling
// and rotation are about the centre, on axes from -1 to 1.
func origin(family string, p Parameters, shape nets.Shape, y, x int) (v, u float64) {
	switch family {
	case Crop:
		return float64(y) + p[0], float64(x) + p[1]
	case Flip:
		if p[0] != 0 {
			x = shape.Width - 1 - x
		}
		return float64(y), float64(x)
	}
	halfHeight, halfWidth := float64(max(1, shape.Height-1))/2, float64(max(1, shape.Width-1))/2
	b, a := float64(y)/halfHeight-1, float64(x)/halfWidth-1
	if family == Scale {
		b, a = b*p[0], a*p[1]
	} else {
		sin, cos := math.Sincos(p[0])
		b, a = sin*a+cos*b, cos*a-sin*b
	}
	return (b + 1) * halfHeight, (a + 1) * halfWidth
}
