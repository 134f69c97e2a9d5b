// Package folder reads files that are a row each: texts and images. [ReadText]
// and [ReadImage] read one; the images' bytes are left as they are.
package folder

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
	"unicode/utf8"

	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MaxBytes bounds the files that are read: a row must fit in memory.
const MaxBytes = 256 << 20

// TextExtensions and ImageExtensions are the ends of names that folders are
// searched for.
var (
	TextExtensions  = []string{".txt", ".text", ".md"}
	ImageExtensions = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"}
)

// Error says why a file is no row. Class is "too-long", "utf8" or "image".
type Error struct{ Class, Message string }

func (e *Error) Error() string { return e.Message }

// ReadText reads a text file, without a byte order mark. What is too long or not
// UTF-8 is an *Error.
func ReadText(path string) (string, error) {
	b, err := read(path)
	if err != nil {
		return "", err
	}
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	if !utf8.Valid(b) {
		return "", &Error{"utf8", "the text is not UTF-8"}
	}
	return string(b), nil
}

// Image is an image file and what its header says.
type Image struct {
	Bytes         []byte
	Format        string // png, jpeg, gif, webp, bmp or tiff
	Width, Height int    // pixels
}

// ReadImage reads an image file. Pixels are not decoded; a file whose header is
// no image's is an *Error.
func ReadImage(path string) (Image, error) {
	b, err := read(path)
	if err != nil {
		return Image{}, err
	}
	config, format, err := decodeConfig(b)
	switch {
	case errors.Is(err, image.ErrFormat):
		return Image{}, &Error{"image", "not a png, jpeg, gif, webp, bmp or tiff image"}
	case err != nil:
		return Image{}, &Error{"image", err.Error()}
	case config.Width <= 0 || config.Height <= 0:
		return Image{}, &Error{"image", fmt.Sprintf("%s image of %d by %d pixels", format, config.Width, config.Height)}
	}
	return Image{b, format, config.Width, config.Height}, nil
}

// decodeConfig keeps a decoder's panic on hostile bytes from taking other files
// with it.
func decodeConfig(b []byte) (config image.Config, format string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged image: %v", p)
		}
	}()
	return image.DecodeConfig(bytes.NewReader(b))
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(b) > MaxBytes {
		return nil, &Error{"too-long", fmt.Sprintf("the file exceeds %d bytes", MaxBytes)}
	}
	return b, err
}
