package images

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
)

// JPEG is the image as a JPEG file of a quality from 1 to 100 on the scale of the
// Independent JPEG Group, colours at half the resolution (4:2:0).
func (m *RGB) JPEG(quality int) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, m.image(), &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}

// PNG is the image as a PNG file.
func (m *RGB) PNG() ([]byte, error) {
	var b bytes.Buffer
	err := png.Encode(&b, m.image())
	return b.Bytes(), err
}

func (m *RGB) image() image.Image {
	out := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(out.Pix[4*i:4*i+3], m.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}
