package images

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MaxPixels bounds an image.
const MaxPixels = 64 << 20

// RGB is an image of 8 bits a channel: row by row, red, green, blue.
type RGB struct {
	Width, Height int
	Pix           []uint8 // 3*Width*Height
}

// Formats are the names of the formats that are decoded.
var Formats = []string{"jpeg", "png", "gif", "webp", "bmp", "tiff"}

// Describe reads the header of an image file: its format and its size as stored, in
// pixels.
func Describe(b []byte) (format string, width, height int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged image: %v", p)
		}
	}()
	config, format, err := image.DecodeConfig(bytes.NewReader(b))
	width, height = config.Width, config.Height
	switch {
	case errors.Is(err, image.ErrFormat):
		err = errors.New("not a png, jpeg, gif, webp, bmp or tiff image")
	case err != nil:
		err = fmt.Errorf("damaged image: %w", err)
	case width <= 0 || height <= 0:
		err = fmt.Errorf("%s image of %d by %d pixels", format, width, height)
	case width > MaxPixels/height:
		err = fmt.Errorf("%s image of %d by %d pixels, more than %d million", format, width, height, MaxPixels>>20)
	}
	return format, width, height, err
}

// Decode decodes an image file.
func Decode(b []byte) (img *RGB, err error) {
	defer func() {
		if p := recover(); p != nil {
			img, err = nil, fmt.Errorf("damaged image: %v", p)
		}
	}()
	format, width, height, err := Describe(b)
	if err != nil {
		return nil, err
	}
	decoded, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("damaged %s image: %w", format, err)
	}
	if size := decoded.Bounds().Size(); size.X != width || size.Y != height {
		return nil, fmt.Errorf("damaged %s image: %d by %d pixels, its header says %d by %d", format, size.X, size.Y, width, height)
	}
	return toRGB(decoded).oriented(orientation(b, format)), nil
}

// toRGB copies the colours without their transparency.
func toRGB(from image.Image) *RGB {
	r := from.Bounds()
	img := &RGB{Width: r.Dx(), Height: r.Dy(), Pix: make([]uint8, 0, 3*r.Dx()*r.Dy())}
	at := colours(from)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			red, green, blue := at(x, y)
			img.Pix = append(img.Pix, red, green, blue)
		}
	}
	return img
}

// colours gives the colour at a point, for the forms that decoders return.
func colours(from image.Image) func(x, y int) (r, g, b uint8) {
	switch m := from.(type) {
	case *image.YCbCr:
		return func(x, y int) (r, g, b uint8) {
			c := m.YCbCrAt(x, y)
			return color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		}
	case *image.NYCbCrA:
		return func(x, y int) (r, g, b uint8) {
			c := m.YCbCrAt(x, y)
			return color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		}
	case *image.NRGBA:
		return func(x, y int) (r, g, b uint8) { c := m.NRGBAAt(x, y); return c.R, c.G, c.B }
	case *image.NRGBA64:
		return func(x, y int) (r, g, b uint8) {
			c := m.NRGBA64At(x, y)
			return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
		}
	case *image.Gray:
		return func(x, y int) (r, g, b uint8) { v := m.GrayAt(x, y).Y; return v, v, v }
	case *image.CMYK:
		return func(x, y int) (r, g, b uint8) { c := m.CMYKAt(x, y); return color.CMYKToRGB(c.C, c.M, c.Y, c.K) }
	case *image.Paletted:
		palette := make([]color.NRGBA, len(m.Palette))
		for i, c := range m.Palette {
			palette[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
		}
		return func(x, y int) (r, g, b uint8) {
			i := int(m.ColorIndexAt(x, y))
			if i >= len(palette) {
				return 0, 0, 0
			}
			return palette[i].R, palette[i].G, palette[i].B
		}
	}
	return func(x, y int) (r, g, b uint8) {
		c := color.NRGBA64Model.Convert(from.At(x, y)).(color.NRGBA64)
		return uint8(c.R >> 8), uint8(c.G >> 8), uint8(c.B >> 8)
	}
}
