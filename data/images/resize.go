package images

import "math"

// Filter is a resampling kernel.
type Filter struct {
	support float64
	at      func(x float64) float64
}

// The kernels, widened when an image shrinks.
var (
	Bilinear = Filter{1, func(x float64) float64 { return max(0, 1-math.Abs(x)) }}
	Bicubic  = Filter{2, bicubic} // Keys (1981), a = -0.5
)

func bicubic(x float64) float64 {
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// precision is the number of fractional bits of a weight: what 32 bits leave beside
// the 8 of a value and 2 of overshoot.
const precision = 32 - 8 - 2

// Resize returns the image at another size, which must be positive: across first,
// then down, each rounded to 8 bits, with weights in fixed point, as Pillow does it.
func (m *RGB) Resize(width, height int, f Filter) *RGB {
	out := m
	if width != m.Width {
		out = out.across(width, f)
	}
	if height != m.Height {
		out = out.down(height, f)
	}
	return out
}

// CropCentre cuts the middle out of an image that is at least that large.
func (m *RGB) CropCentre(width, height int) *RGB {
	left, top := (m.Width-width+1)/2, (m.Height-height+1)/2
	out := &RGB{Width: width, Height: height, Pix: make([]uint8, 0, 3*width*height)}
	for y := top; y < top+height; y++ {
		at := 3 * (y*m.Width + left)
		out.Pix = append(out.Pix, m.Pix[at:at+3*width]...)
	}
	return out
}

func (m *RGB) across(width int, f Filter) *RGB {
	out := &RGB{Width: width, Height: m.Height, Pix: make([]uint8, 3*width*m.Height)}
	for x, k := range f.kernels(m.Width, width) {
		for y := range m.Height {
			from := m.Pix[3*(y*m.Width+k.first):]
			to := out.Pix[3*(y*width+x):][:3]
			for channel := range 3 {
				sum := int32(1) << (precision - 1)
				for i, weight := range k.weights {
					sum += int32(from[3*i+channel]) * weight
				}
				to[channel] = clip(sum)
			}
		}
	}
	return out
}

func (m *RGB) down(height int, f Filter) *RGB {
	out := &RGB{Width: m.Width, Height: height, Pix: make([]uint8, 3*m.Width*height)}
	row := 3 * m.Width
	for y, k := range f.kernels(m.Height, height) {
		to := out.Pix[y*row:][:row]
		for x := range to {
			sum := int32(1) << (precision - 1)
			for i, weight := range k.weights {
				sum += int32(m.Pix[(k.first+i)*row+x]) * weight
			}
			to[x] = clip(sum)
		}
	}
	return out
}

func clip(sum int32) uint8 { return uint8(min(max(sum>>precision, 0), 255)) }

// kernel is the weights of the pixels from first on.
type kernel struct {
	first   int
	weights []int32
}

func (f Filter) kernels(from, to int) []kernel {
	scale := float64(from) / float64(to)
	widen := max(scale, 1)
	support := f.support * widen
	all := make([]kernel, to)
	for i := range all {
		centre := (float64(i) + 0.5) * scale
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), from)
		weights := make([]float64, last-first)
		total := 0.0
		for j := range weights {
			weights[j] = f.at((float64(j+first) - centre + 0.5) / widen)
			total += weights[j]
		}
		all[i] = kernel{first, make([]int32, len(weights))}
		for j, weight := range weights {
			all[i].weights[j] = int32(math.Round(weight / total * (1 << precision)))
		}
	}
	return all
}
