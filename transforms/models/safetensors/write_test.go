package safetensors

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

// What is written is read again: values to the bit, shapes and text.
func TestWriteThenRead(t *testing.T) {
	want := []Floats{
		{"trajectory", []int{2, 3}, []float32{1, -0.5, float32(math.Inf(1)), 3e-40, 0, 6}},
		{"empty", []int{0, 4}, nil},
		{"scalar", nil, []float32{7}},
	}
	var b bytes.Buffer
	if err := Write(&b, map[string]string{"key": "value", "quote": `"é`}, want...); err != nil {
		t.Fatal(err)
	}
	f, err := New(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Metadata(); m["key"] != "value" || m["quote"] != `"é` {
		t.Errorf("metadata %v", m)
	}
	for _, w := range want {
		tensor, ok := f.Tensor(w.Name)
		if !ok {
			t.Fatalf("no tensor %s", w.Name)
		}
		got, err := tensor.Float32s()
		if err != nil || !slices.Equal(got, w.Values) && len(w.Values) > 0 || !slices.Equal(tensor.Shape(), w.Shape) && len(w.Shape) > 0 {
			t.Errorf("%s: %v of shape %v, error %v", w.Name, got, tensor.Shape(), err)
		}
	}
	if err := Write(&b, nil, Floats{"short", []int{3}, []float32{1}}); err == nil {
		t.Error("one value of three was written")
	}
}
