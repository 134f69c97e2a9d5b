package models

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// Vectors of texts are those of transformers, alone and in company, under every
// pooling.
func TestTextVectorsEqualTransformers(t *testing.T) {
	for _, name := range []string{"bert", "roberta"} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", "tiny", name)
			var golden []struct {
				IDs            []int32
				Mean, CLS, Max []float32
			}
			readJSONFile(t, filepath.Join(folder, "expected.json"), &golden)
			for _, pooling := range []Pooling{ModelPooling, MeanPooling, ClassPooling, MaxPooling} {
				e, err := OpenEncoder(t.Context(), folder, EncoderOptions{Pooling: pooling})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				together := make([][]float32, len(golden))
				var running sync.WaitGroup
				for i, row := range golden {
					running.Go(func() { together[i], _ = e.Embed(t.Context(), row.IDs) })
				}
				running.Wait()
				for i, row := range golden {
					want := map[Pooling][]float32{ModelPooling: row.Mean, MeanPooling: row.Mean, ClassPooling: row.CLS, MaxPooling: row.Max}[pooling]
					alone, err := e.Embed(t.Context(), row.IDs)
					if err != nil {
						t.Fatal(err)
					}
					if d := maxDifference(alone, want); d > 1e-4 {
						t.Errorf("%s of %d tokens is off by %g", pooling, len(row.IDs), d)
					}
					if d := maxDifference(alone, together[i]); d > e.traits.batchTolerance {
						t.Errorf("%s of %d tokens differs by %g in company", pooling, len(row.IDs), d)
					}
				}
			}
		})
	}
}

// pixels is the image that make_encoders.py makes: [3, height, width].
func pixels(height, width int) []float32 {
	var image []float32
	for channel := range 3 {
		for y := range height {
			for x := range width {
				image = append(image, float32((7*y+13*x+29*channel)%64-32)/20)
			}
		}
	}
	return image
}

// Class tokens are those of transformers, and under the hub's rule for positions
// those of PyTorch's interpolation, at the size that was trained on and at others.
func TestClassTokensEqualTransformers(t *testing.T) {
	for _, name := range []string{"vit", "dinov2", "dinov2-registers", "dinov2-swiglu"} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", "tiny", name)
			var golden []struct {
				Height, Width int
				HF, Hub       []float32
			}
			readJSONFile(t, filepath.Join(folder, "expected.json"), &golden)
			differ := false
			for _, rule := range []Positions{HFPositions, HubPositions} {
				v, err := OpenVision(t.Context(), folder, VisionOptions{Positions: rule})
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				together := make([][]float32, 3*len(golden))
				var running sync.WaitGroup
				for i := range together {
					row := golden[i%len(golden)]
					running.Go(func() { together[i], _ = v.Embed(t.Context(), pixels(row.Height, row.Width), row.Height, row.Width) })
				}
				running.Wait()
				for i, row := range golden {
					want := row.HF
					if rule == HubPositions && row.Hub != nil {
						want = row.Hub
						differ = differ || maxDifference(row.HF, row.Hub) > 1e-3
					}
					alone, err := v.Embed(t.Context(), pixels(row.Height, row.Width), row.Height, row.Width)
					if err != nil {
						t.Fatal(err)
					}
					if d := maxDifference(alone, want); d > 1e-4 {
						t.Errorf("%s: %d by %d is off by %g", rule, row.Height, row.Width, d)
					}
					for j := i; j < len(together); j += len(golden) {
						if d := maxDifference(alone, together[j]); d > v.traits.batchTolerance {
							t.Errorf("%s: %d by %d differs by %g in company", rule, row.Height, row.Width, d)
						}
					}
				}
			}
			if rules := name == "dinov2" || name == "dinov2-swiglu"; rules != differ {
				t.Errorf("the two rules differ: %v", differ)
			}
		})
	}
}

// The taps that were computed by hand from both rules for 37 positions made 16.
func TestPositionTaps(t *testing.T) {
	for _, test := range []struct {
		hub     bool
		at      []int
		weights []float64
	}{
		{true, []int{0, 0, 1, 2}, []float64{-0.059951, 0.393905, 0.776929, -0.110883}},
		{false, []int{0, 0, 1, 2}, []float64{-0.058159, 0.384285, 0.784904, -0.111031}},
	} {
		taps := resampling(37, 16, test.hub, false)[0]
		for i, tap := range taps {
			if tap.at != test.at[i] || tap.weight < test.weights[i]-1e-6 || tap.weight > test.weights[i]+1e-6 {
				t.Errorf("hub %v: tap %d is %d with %f, want %d with %f", test.hub, i, tap.at, tap.weight, test.at[i], test.weights[i])
			}
		}
	}
}

// What cannot be embedded is an error, and changes nothing for others.
func TestEncoderRefusals(t *testing.T) {
	e, err := OpenEncoder(t.Context(), filepath.Join("testdata", "tiny", "bert"), EncoderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, ids := range [][]int32{nil, {100}, {-1}, make([]int32, 41)} {
		if _, err := e.Embed(t.Context(), ids); err == nil {
			t.Errorf("%v was embedded", ids)
		}
	}
	v, err := OpenVision(t.Context(), filepath.Join("testdata", "tiny", "dinov2"), VisionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, size := range [][2]int{{0, 8}, {8, 12}, {8, 16}} {
		if _, err := v.Embed(t.Context(), make([]float32, 3*64), size[0], size[1]); err == nil {
			t.Errorf("an image of %v was embedded", size)
		}
	}
}

func TestModelsOfAnotherShapeAreRefused(t *testing.T) {
	for _, test := range []struct {
		open func(ref string) error
		ref  string
		want string
	}{
		{func(ref string) error { _, err := OpenVision(t.Context(), ref, VisionOptions{}); return err }, "llama-tied", `model testdata/tiny/llama-tied: config.json: architecture "llama" is not supported (supported: dinov2, dinov2_with_registers, vit)`},
		{func(ref string) error { _, err := CheckVision(ref); return err }, "bert", `model testdata/tiny/bert: config.json: architecture "bert" is not supported (supported: dinov2, dinov2_with_registers, vit)`},
		{func(ref string) error { _, err := OpenEncoder(t.Context(), ref, EncoderOptions{}); return err }, "vit", `model testdata/tiny/vit: config.json: architecture "vit" is not supported (supported: bert, roberta, xlm-roberta)`},
		{func(ref string) error { _, err := OpenVision(t.Context(), ref, VisionOptions{}); return err }, "none", `model testdata/tiny/none: no such folder (want config.json and *.safetensors in it)`},
	} {
		err := test.open(filepath.Join("testdata", "tiny", test.ref))
		if err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

// patchesOf keeps every value, patch by patch.
func TestPatches(t *testing.T) {
	image := make([]float32, 3*4*6)
	for i := range image {
		image[i] = float32(i)
	}
	got := patchesOf(image, 4, 6, 2)
	// Second patch of the first row: columns 2 and 3 of rows 0 and 1, by channel.
	want := []float32{2, 3, 8, 9, 26, 27, 32, 33, 50, 51, 56, 57}
	if !slices.Equal(got[12:24], want) {
		t.Errorf("second patch is %v, want %v", got[12:24], want)
	}
}
