package images

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type golden struct {
	Cases []struct {
		Name          string
		File, Pixels  []byte
		Width, Height int
		Tolerance     int
	}
	Resize struct {
		File []byte
		To   []struct {
			Filter        string
			Width, Height int
			Pixels        []byte
		}
	}
}

// readGolden reads what Pillow and torchvision made (testdata/make_golden.py).
func readGolden(t testing.TB) golden {
	t.Helper()
	var g golden
	b, err := os.ReadFile(filepath.Join("testdata", "images.json"))
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func worst(a, b []byte) int {
	if len(a) != len(b) {
		return 256
	}
	d := 0
	for i := range a {
		d = max(d, int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return d
}

// Pixels are Pillow's, of every format and orientation; those of JPEG within the
// difference of the decoders.
func TestPixelsEqualPillow(t *testing.T) {
	for _, c := range readGolden(t).Cases {
		m, err := Decode(c.File)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if m.Width != c.Width || m.Height != c.Height {
			t.Errorf("%s: %d by %d, want %d by %d", c.Name, m.Width, m.Height, c.Width, c.Height)
		} else if d := worst(m.Pix, c.Pixels); d > c.Tolerance {
			t.Errorf("%s: a value is off by %d", c.Name, d)
		}
	}
}

// Resizing is torchvision's on Pillow images, to the last bit.
func TestResizeEqualsTorchvision(t *testing.T) {
	g := readGolden(t)
	m, err := Decode(g.Resize.File)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range g.Resize.To {
		f := Bilinear
		if to.Filter == "bicubic" {
			f = Bicubic
		}
		if d := worst(m.Resize(to.Width, to.Height, f).Pix, to.Pixels); d > 0 {
			t.Errorf("%s to %d by %d: a value is off by %d", to.Filter, to.Width, to.Height, d)
		}
	}
}

func TestCropCentre(t *testing.T) {
	m := &RGB{Width: 4, Height: 3, Pix: make([]uint8, 36)}
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 3)
	}
	got := m.CropCentre(2, 1)
	if !bytes.Equal(got.Pix, []byte{5, 5, 5, 6, 6, 6}) {
		t.Errorf("pixels %v", got.Pix)
	}
}

// A header that promises more pixels than are allowed is refused before any memory
// is taken.
func TestHugeImageIsRefused(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	copy(file[16:24], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // width and height 65536
	// The checksum is wrong now; a decoder that looked at the size first would say so.
	if _, err := Decode(file); err == nil {
		t.Error("decoded")
	}
	var gif = []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00")
	if _, err := Decode(gif); err == nil || !strings.Contains(err.Error(), "more than 64 million") {
		t.Errorf("error %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range readGolden(f).Cases {
		f.Add(c.File)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err == nil && len(m.Pix) != 3*m.Width*m.Height {
			t.Errorf("%d values for %d by %d", len(m.Pix), m.Width, m.Height)
		}
	})
}
