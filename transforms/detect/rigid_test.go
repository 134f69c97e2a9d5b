package detect

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var tinyDINOv2 = filepath.Join("..", "models", "testdata", "tiny", "dinov2")

var imageColumn = data.MustSchema(data.Field{Name: "image", Type: data.BytesType})

// openPerturbation configures RIGID or MINDER as a graph does.
func openPerturbation(t *testing.T, minder bool, set map[string]any) *Perturbation {
	t.Helper()
	config := map[string]any{"column": "image", "model": tinyDINOv2, "noise": 1.5, "draws": 3, "size": 40, "resize": "squeeze", "positions": "hub", "seed": 0, "batchPatches": 4096, "maxWait": "1ms"}
	if minder {
		config["blur"] = 0.55
	}
	for k, v := range set {
		config[k] = v
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newPerturbation(b, minder)
	if err != nil {
		t.Fatal(err)
	}
	p := n.(*Perturbation)
	if _, err := p.Columns(transforms.Ports{{Name: transforms.In, Schema: imageColumn}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func scoreImage(ctx context.Context, p *Perturbation, file []byte) (out *data.Record, err error) {
	r := &data.Record{Schema: imageColumn, ID: data.KeyID("x"), Values: []data.Value{data.BytesValue(file)}}
	err = p.Process(ctx, r, func(_ string, r *data.Record) { out = r })
	return out, err
}

type rigidGolden struct {
	File                    []byte
	Similarity, Error, Blur float64
}

func readRIGID(t *testing.T) (rows []rigidGolden) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "rigid.json"))
	if err == nil {
		err = json.Unmarshal(b, &rows)
	}
	if err != nil || len(rows) != 20 {
		t.Fatal(len(rows), err)
	}
	return rows
}

// Scores are those of an independent computation in PyTorch, resizing, positions and
// noise included (testdata/make_rigid.py).
func TestRIGIDEqualsPyTorch(t *testing.T) {
	rigid, minder := openPerturbation(t, false, nil), openPerturbation(t, true, nil)
	spread := map[float64]bool{}
	for i, want := range readRIGID(t) {
		got, err := scoreImage(t.Context(), rigid, want.File)
		if err != nil {
			t.Fatal(i, err)
		}
		both, err := scoreImage(t.Context(), minder, want.File)
		if err != nil {
			t.Fatal(i, err)
		}
		for _, c := range []struct {
			name      string
			got, want float64
		}{
			{"rigid_similarity", got.Get("rigid_similarity").Float64(), want.Similarity},
			{"rigid", got.Get("rigid").Float64(), 1 - want.Similarity},
			{"rigid_error", got.Get("rigid_error").Float64(), want.Error},
			{"minder_noise", both.Get("minder_noise").Float64(), 1 - want.Similarity},
			{"minder_blur", both.Get("minder_blur").Float64(), want.Blur},
			{"minder", both.Get("minder").Float64(), min(1-want.Similarity, want.Blur)},
		} {
			if !(math.Abs(c.got-c.want) <= 1e-4) {
				t.Errorf("image %d: %s is %g, PyTorch has %g", i, c.name, c.got, c.want)
			}
		}
		spread[math.Round(1e4*want.Similarity)] = true
	}
	if len(spread) < 10 {
		t.Errorf("the images have %d different scores: they test little", len(spread))
	}
}

// An image has one score, whatever is scored beside it.
func TestRIGIDIsIndependentOfCompany(t *testing.T) {
	p := openPerturbation(t, false, map[string]any{"maxWait": "50ms"})
	rows := readRIGID(t)
	alone := make([]float64, len(rows))
	for i, row := range rows[:4] {
		r, err := scoreImage(t.Context(), p, row.File)
		if err != nil {
			t.Fatal(err)
		}
		alone[i] = r.Get("rigid").Float64()
	}
	var running sync.WaitGroup
	for i, row := range rows {
		running.Go(func() {
			r, err := scoreImage(t.Context(), p, row.File)
			if err != nil {
				t.Error(err)
			} else if got := r.Get("rigid").Float64(); i < 4 && math.Abs(got-alone[i]) > 1e-6 {
				t.Errorf("image %d: %g in company, %g alone", i, got, alone[i])
			}
		})
	}
	running.Wait()
}

// What is no image costs its row.
func TestRIGIDRejects(t *testing.T) {
	p := openPerturbation(t, false, map[string]any{"resize": "crop"})
	file := readRIGID(t)[0].File
	for name, bytes := range map[string][]byte{"text": []byte("no image"), "empty": {}, "cut off": file[:len(file)/2]} {
		_, err := scoreImage(t.Context(), p, bytes)
		if r := transforms.AsRejected(&data.Record{}, err); err == nil || transforms.IsFatal(err) || r.Class != "image" {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// The column may be a struct of bytes and path; its bytes are scored.
func TestImagesInStructs(t *testing.T) {
	typ := data.Type{Kind: data.Struct, Fields: []data.Field{{Name: "bytes", Type: data.BytesType, Nullable: true}, {Name: "path", Type: data.StringType, Nullable: true}}}
	v := data.StructValue([]data.Value{data.BytesValue([]byte{1, 2}), data.StringValue("a.png")})
	got, err := transforms.ImageBytes(v, typ)
	if err != nil || !slices.Equal(got, []byte{1, 2}) {
		t.Errorf("%v, error %v", got, err)
	}
	if err := transforms.NeedImage(data.MustSchema(data.Field{Name: "image", Type: typ}), "column", "image"); err != nil {
		t.Error(err)
	}
	if err := transforms.NeedImage(data.MustSchema(data.Field{Name: "image", Type: data.StringType}), "column", "image"); err == nil {
		t.Error("a column of strings passed for images")
	}
}

// Blurring leaves a flat image flat, and two blurs of a point have unit sum.
func TestBlurKeepsTheSum(t *testing.T) {
	point := make([]float32, 3*7*7)
	point[3*7+3] = 1
	sum := float32(0)
	for _, v := range blurred(point, 7, 7, 0.55) {
		sum += v
	}
	if math.Abs(float64(sum)-1) > 1e-6 {
		t.Errorf("sum %g", sum)
	}
}
