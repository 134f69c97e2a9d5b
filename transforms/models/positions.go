package models

import "math"

// stretch makes the position embeddings [1+patches, width] of a grid from the stored
// ones, [1+stored patches, width]; the class token's stays as it is. The grid is
// resampled by bicubic interpolation, pixel centres at half numbers, borders
// repeated.
func (c *visionConfig) stretch(table []float32, to grid, rule Positions) []float32 {
	from := c.stored()
	if to == from {
		return table
	}
	smooth := c.Registers > 0
	hub := rule == HubPositions && !c.isViT() && !smooth
	down := resampling(from.rows, to.rows, hub, smooth)
	across := resampling(from.columns, to.columns, hub, smooth)

	out := make([]float32, (1+to.patches())*c.Width)
	copy(out, table[:c.Width])
	stored := table[c.Width:]
	sum := make([]float64, c.Width)
	for row, ys := range down {
		for column, xs := range across {
			clear(sum)
			for _, y := range ys {
				for _, x := range xs {
					weight := y.weight * x.weight
					at := (y.at*from.columns + x.at) * c.Width
					for i, value := range stored[at : at+c.Width] {
						sum[i] += weight * float64(value)
					}
				}
			}
			at := (1 + row*to.columns + column) * c.Width
			for i, value := range sum {
				out[at+i] = float32(value)
			}
		}
	}
	return out
}

// tap is a stored position and its weight in a new one.
type tap struct {
	at     int
	weight float64
}

// resampling gives the taps of every new position along one axis. With hub the
// scale is that of a size a tenth larger, which DINOv2's code uses against rounding;
// smooth widens the kernel when the grid shrinks, as PyTorch does with antialias.
func resampling(from, to int, hub, smooth bool) [][]tap {
	scale := float64(from) / float64(to)
	if hub {
		scale = float64(from) / (float64(to) + 0.1)
	}
	all := make([][]tap, to)
	for i := range all {
		centre := (float64(i) + 0.5) * scale
		if smooth {
			all[i] = smoothTaps(centre, max(scale, 1), from)
			continue
		}
		base := math.Floor(centre - 0.5)
		for k := -1; k <= 2; k++ {
			at := base + float64(k)
			weight := cubic(centre-0.5-at, -0.75)
			all[i] = append(all[i], tap{min(max(int(at), 0), from-1), weight})
		}
	}
	return all
}

// smoothTaps are the normalised weights of a kernel widened by a factor.
func smoothTaps(centre, widen float64, from int) []tap {
	support := 2 * widen
	first, last := max(int(centre-support+0.5), 0), min(int(centre+support+0.5), from)
	var taps []tap
	total := 0.0
	for at := first; at < last; at++ {
		weight := cubic((float64(at)-centre+0.5)/widen, -0.5)
		taps = append(taps, tap{at, weight})
		total += weight
	}
	for i := range taps {
		taps[i].weight /= total
	}
	return taps
}

// cubic is the convolution kernel of Keys (1981) with parameter a.
func cubic(x, a float64) float64 {
	switch x = math.Abs(x); {
	case x <= 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return a * (((x-5)*x+8)*x - 4)
	}
	return 0
}
