package folder

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func TestReadTextKeepsWhatIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	for content, want := range map[string]string{"": "", "\uFEFFx\r\n": "x\r\n", "é\x00": "é\x00"} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadText(path); err != nil || got != want {
			t.Errorf("%q is read as %q, %v", content, got, err)
		}
	}
}

func TestErrorsOfTheDiskAreNotTheRows(t *testing.T) {
	_, err := ReadImage(filepath.Join(t.TempDir(), "none.png"))
	if _, isRow := err.(*Error); err == nil || isRow {
		t.Errorf("error %v, want one of the file system", err)
	}
}

// FuzzReadImage makes sure that no header crashes the decoders or gives an image
// without pixels.
func FuzzReadImage(f *testing.F) {
	img := image.NewGray(image.Rect(0, 0, 2, 3))
	for _, encode := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return png.Encode(b, img) },
		func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) },
		func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) },
		func(b *bytes.Buffer) error { return bmp.Encode(b, img) },
		func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8 \x0e\x00\x00\x00"))
	path := filepath.Join(f.TempDir(), "image")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		img, err := ReadImage(path)
		if err != nil {
			if _, ok := err.(*Error); !ok {
				t.Fatal(err)
			}
			return
		}
		if img.Width <= 0 || img.Height <= 0 || img.Format == "" || !bytes.Equal(img.Bytes, b) {
			t.Errorf("%s image of %d by %d", img.Format, img.Width, img.Height)
		}
	})
}
