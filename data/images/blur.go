package images

import "math"

// Blur is a Gaussian blur of a standard deviation in pixels, above 0. The kernel ends
// four deviations out, and the image is mirrored about its edges (d c b a | a b c d).
func (m *RGB) Blur(sigma float64) *RGB {
	kernel := gaussian(sigma)
	rows := &RGB{Width: m.Width, Height: m.Height, Pix: make([]uint8, len(m.Pix))}
	between := make([]float32, len(m.Pix))
	radius := len(kernel) / 2
	for y := range m.Height {
		for x := range m.Width {
			for channel := range 3 {
				sum := float32(0)
				for k, weight := range kernel {
					sum += weight * float32(m.Pix[3*(y*m.Width+mirrored(x+k-radius, m.Width))+channel])
				}
				between[3*(y*m.Width+x)+channel] = sum
			}
		}
	}
	for y := range m.Height {
		for x := range 3 * m.Width {
			sum := float32(0)
			for k, weight := range kernel {
				sum += weight * between[3*m.Width*mirrored(y+k-radius, m.Height)+x]
			}
			rows.Pix[3*m.Width*y+x] = uint8(min(255, max(0, sum+0.5)))
		}
	}
	return rows
}

func gaussian(sigma float64) []float32 {
	radius := int(4*sigma + 0.5)
	weights, total := make([]float64, 2*radius+1), 0.0
	for i := range weights {
		d := float64(i-radius) / sigma
		weights[i] = math.Exp(-d * d / 2)
		total += weights[i]
	}
	kernel := make([]float32, len(weights))
	for i, w := range weights {
		kernel[i] = float32(w / total)
	}
	return kernel
}

// mirrored brings an index back into [0, n).
func mirrored(i, n int) int {
	i %= 2 * n
	if i < 0 {
		i += 2 * n
	}
	if i >= n {
		i = 2*n - 1 - i
	}
	return i
}
