package images

// Means and deviations of ImageNet's channels, by which vision encoders were trained
// to have their input normalised.
var (
	channelMean      = [3]float32{0.485, 0.456, 0.406}
	channelDeviation = [3]float32{0.229, 0.224, 0.225}
)

// Squeeze resizes an image to a square without regard to its shape.
func (m *RGB) Squeeze(size int) *RGB { return m.Resize(size, size, Bilinear) }

// Crop resizes the shorter side to size and cuts the middle out.
func (m *RGB) Crop(size int) *RGB {
	w, h := size, size
	if m.Width < m.Height {
		h = int(float64(size) * float64(m.Height) / float64(m.Width))
	} else {
		w = int(float64(size) * float64(m.Width) / float64(m.Height))
	}
	return m.Resize(w, h, Bilinear).CropCentre(size, size)
}

// Planes are the values in [0, 1] by channel: [3, height, width].
func (m *RGB) Planes() []float32 {
	n := m.Width * m.Height
	out := make([]float32, 3*n)
	for i := range n {
		for channel := range 3 {
			out[channel*n+i] = float32(m.Pix[3*i+channel]) / 255
		}
	}
	return out
}

// Normalised is planes with the means taken out and divided by the deviations of
// ImageNet's channels.
func Normalised(planes []float32) []float32 {
	out := make([]float32, len(planes))
	n := len(planes) / 3
	for i, v := range planes {
		out[i] = (v - channelMean[i/n]) / channelDeviation[i/n]
	}
	return out
}
