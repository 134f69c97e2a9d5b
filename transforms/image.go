package transforms

import (
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/images"
)

// maxImageBytes bounds an image file.
const maxImageBytes = 64 << 20

// mostAspect bounds how much longer one side of an image may be than the other.
const mostAspect = 64

// NeedImage checks that a column can hold image files: bytes, or a struct with the
// field bytes, as Hugging Face data sets keep images.
func NeedImage(s *data.Schema, field, column string) error {
	if f, ok := s.Lookup(column); ok && imageField(f.Type) >= 0 {
		return nil
	}
	return NeedColumn(s, field, column, data.Bytes)
}

// imageField is the field of a struct that holds the file, -1 if there is none.
func imageField(t data.Type) int {
	if t.Kind != data.Struct {
		return -1
	}
	for i, f := range t.Fields {
		if f.Name == "bytes" && f.Type.Kind == data.Bytes {
			return i
		}
	}
	return -1
}

// ImageBytes is the file in a value of a column that NeedImage passed.
func ImageBytes(v data.Value, t data.Type) ([]byte, error) {
	if i := imageField(t); i >= 0 && !v.IsNull() {
		v = v.Struct()[i]
	}
	switch {
	case v.IsNull():
		return nil, Reject("null", "there is no image")
	case len(v.Bytes()) > maxImageBytes:
		return nil, Reject("too-long", "an image of %d bytes, more than %d", len(v.Bytes()), maxImageBytes)
	}
	return v.Bytes(), nil
}

// SquareImage decodes an image file and brings it to size by size pixels: squeezed,
// or with crop its middle after the shorter side is resized. What is no image is a
// reject.
func SquareImage(file []byte, size int, crop bool) (*images.RGB, error) {
	m, err := images.Decode(file)
	if err != nil {
		return nil, Reject("image", "%v", err)
	}
	if !crop {
		return m.Squeeze(size), nil
	}
	if max(m.Width, m.Height) > mostAspect*min(m.Width, m.Height) {
		return nil, Reject("image", "%d by %d pixels: the longer side is more than %d times the shorter", m.Width, m.Height, mostAspect)
	}
	return m.Crop(size), nil
}

// WithImageBytes is a value of a column that NeedImage passed with another file in it.
func WithImageBytes(v data.Value, t data.Type, file []byte) data.Value {
	i := imageField(t)
	if i < 0 {
		return data.BytesValue(file)
	}
	fields := slices.Clone(v.Struct())
	fields[i] = data.BytesValue(file)
	return data.StructValue(fields)
}
