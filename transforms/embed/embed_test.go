package embed

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
)

var tiny = filepath.Join("..", "models", "testdata", "tiny")

func open(t *testing.T, schema *data.Schema, set map[string]any) *Embed {
	t.Helper()
	config := map[string]any{"column": "text", "model": filepath.Join(tiny, "bert"), "as": "embedding", "pooling": "model", "normalise": true,
		"long": "reject", "size": 32, "resize": "squeeze", "positions": "hub", "batchTokens": 4096, "maxWait": "1ms"}
	for k, v := range set {
		config[k] = v
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	e := &Embed{}
	if err := transforms.Decode(b, &e.config); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Columns(transforms.Ports{{Name: transforms.In, Schema: schema}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

var (
	texts    = data.MustSchema(data.Field{Name: "text", Type: data.StringType})
	pictures = data.MustSchema(data.Field{Name: "image", Type: data.BytesType})
)

func vector(ctx context.Context, e *Embed, schema *data.Schema, v data.Value) (out []float32, err error) {
	r := &data.Record{Schema: schema, ID: data.KeyID("x"), Values: []data.Value{v}}
	err = e.Process(ctx, r, func(_ string, r *data.Record) {
		for _, x := range r.Get(e.config.As).List() {
			out = append(out, x.Float32())
		}
	})
	return out, err
}

func TestVectorsHaveUnitLength(t *testing.T) {
	text := open(t, texts, nil)
	image := open(t, pictures, map[string]any{"column": "image", "model": filepath.Join(tiny, "dinov2")})
	files, err := filepath.Glob(filepath.Join("..", "..", "data", "samples", "images", "*", "*.jpg"))
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	file, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, get := range map[string]func() ([]float32, error){
		"text":  func() ([]float32, error) { return vector(t.Context(), text, texts, data.StringValue("a word")) },
		"image": func() ([]float32, error) { return vector(t.Context(), image, pictures, data.BytesValue(file)) },
	} {
		v, err := get()
		if err != nil {
			t.Fatal(name, err)
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if len(v) != 32 || math.Abs(sum-1) > 1e-5 {
			t.Errorf("%s: %d values, squares sum to %g", name, len(v), sum)
		}
	}
}

// A long text is rejected, or cut to one that ends as a text does: the same as the
// text that just fits.
func TestLongTexts(t *testing.T) {
	fits, long := "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l", "a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o"
	reject := open(t, texts, nil)
	_, err := vector(t.Context(), reject, texts, data.StringValue(long))
	if r := transforms.AsRejected(&data.Record{}, err); err == nil || r.Class != "too-long" {
		t.Errorf("error %v", err)
	}
	cut := open(t, texts, map[string]any{"long": "cut"})
	a, err := vector(t.Context(), cut, texts, data.StringValue(fits))
	if err != nil {
		t.Fatal(err)
	}
	b, err := vector(t.Context(), cut, texts, data.StringValue(long))
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("value %d is %g, want %g", i, b[i], a[i])
		}
	}
}

func TestRejects(t *testing.T) {
	text := open(t, texts, nil)
	image := open(t, pictures, map[string]any{"column": "image", "model": filepath.Join(tiny, "dinov2")})
	for _, c := range []struct {
		e      *Embed
		schema *data.Schema
		v      data.Value
		class  string
	}{
		{text, texts, data.Value{}, "null"},
		{text, texts, data.StringValue("\xff"), "utf8"},
		{image, pictures, data.Value{}, "null"},
		{image, pictures, data.BytesValue([]byte("no image")), "image"},
	} {
		_, err := vector(t.Context(), c.e, c.schema, c.v)
		if r := transforms.AsRejected(&data.Record{}, err); err == nil || transforms.IsFatal(err) || r.Class != c.class {
			t.Errorf("error %v, want class %s", err, c.class)
		}
	}
}

// Sentences have the vectors that transformers gives all-MiniLM-L6-v2
// (testdata/make_minilm.py).
func TestMiniLMEqualsTransformers(t *testing.T) {
	if os.Getenv("PENSTOCK_LONG") == "" {
		t.Skip("needs a model of 91 MB: set PENSTOCK_LONG=1 (make test-long)")
	}
	if _, err := models.CheckEncoder("minilm"); err != nil {
		t.Skip(err)
	}
	var golden []struct {
		Text   string
		Vector []float32
	}
	b, err := os.ReadFile(filepath.Join("testdata", "minilm.json"))
	if err == nil {
		err = json.Unmarshal(b, &golden)
	}
	if err != nil || len(golden) == 0 {
		t.Fatal(err)
	}
	e := open(t, texts, map[string]any{"model": "minilm"})
	for _, row := range golden {
		got, err := vector(t.Context(), e, texts, data.StringValue(row.Text))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range row.Vector {
			if d := math.Abs(float64(got[i] - want)); !(d <= 1e-4) {
				t.Fatalf("%q: value %d is %g, transformers has %g", row.Text, i, got[i], want)
			}
		}
	}
}
