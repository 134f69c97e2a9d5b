package detect

import (
	"crypto/sha256"
	"encoding/hex"
	"math"

	"penstock.dev/data"
)

// addNoise adds normal noise of a deviation to a copy of the values. The draw is
// keyed by the image's content, so that an image has one score wherever it stands:
// pairs of uniform numbers u, v of data.Draw(SHA-256 of the file, seed, draw) give
// √(-2 ln(1-u)) cos 2πv and √(-2 ln(1-u)) sin 2πv (Box and Muller 1958).
func addNoise(values []float32, deviation float64, content data.ID, seed int64, draw int) []float32 {
	rng := data.Draw(content, seed, draw)
	out := make([]float32, len(values))
	for i := 0; i < len(values); i += 2 {
		radius := deviation * math.Sqrt(-2*math.Log(1-rng.Float64()))
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		out[i] = values[i] + float32(radius*cos)
		if i+1 < len(values) {
			out[i+1] = values[i+1] + float32(radius*sin)
		}
	}
	return out
}

// contentID names an image by what is in its file.
func contentID(file []byte) data.ID {
	sum := sha256.Sum256(file)
	return data.KeyID(hex.EncodeToString(sum[:]))
}

// blurred is a Gaussian blur of a kernel of 3 by 3, borders mirrored.
func blurred(planes []float32, height, width int, sigma float64) []float32 {
	side := math.Exp(-1 / (2 * sigma * sigma))
	total := 1 + 2*side
	weights := [3]float32{float32(side / total), float32(1 / total), float32(side / total)}
	mirror := func(i, n int) int {
		switch {
		case i < 0:
			return min(-i, n-1)
		case i >= n:
			return max(2*n-2-i, 0)
		}
		return i
	}
	across, out := make([]float32, len(planes)), make([]float32, len(planes))
	for channel := range 3 {
		at := channel * height * width
		for y := range height {
			for x := range width {
				for k, weight := range weights {
					across[at+y*width+x] += weight * planes[at+y*width+mirror(x+k-1, width)]
				}
			}
		}
		for y := range height {
			for x := range width {
				for k, weight := range weights {
					out[at+y*width+x] += weight * across[at+mirror(y+k-1, height)*width+x]
				}
			}
		}
	}
	return out
}

// cosine is the similarity of two vectors.
func cosine(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	return dot / math.Sqrt(aa*bb)
}
