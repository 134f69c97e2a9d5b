package degrade

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
)

// golden is testdata/images.json, made by Pillow and SciPy; see make_golden.py beside it.
type golden struct {
	File          []byte `json:"file"`
	Width, Height int
	Blur          []struct {
		Sigma  float64
		Pixels []byte
	} `json:"blur"`
	Resize []struct {
		Share         float64
		Width, Height int
		Pixels        []byte
	} `json:"resize"`
	JPEG []struct {
		Quality int
		Tables  [][]byte // of quantisation, of luma and of chroma, row by row
		Luma    []byte
	} `json:"jpeg"`
}

func readGolden(t *testing.T) *golden {
	t.Helper()
	b, err := os.ReadFile("testdata/images.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(b, g); err != nil {
		t.Fatal(err)
	}
	return g
}

var imageSchema = data.MustSchema(data.Field{Name: "image", Type: data.BytesType, Nullable: true})

// degraded runs a file through a node of some fields and decodes what comes out.
func degraded(t *testing.T, fields string, file []byte) (*images.RGB, *data.Record, error) {
	t.Helper()
	n, err := newDegradeImage([]byte(`{"column":"image","as":"degradation","seed":0,` + fields + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: imageSchema}}); err != nil {
		t.Fatal(err)
	}
	var out *data.Record
	row := &data.Record{Schema: imageSchema, Values: []data.Value{data.BytesValue(file)}}
	if err := n.(transforms.Row).Process(t.Context(), row, func(_ string, r *data.Record) { out = r }); err != nil {
		return nil, nil, err
	}
	m, err := images.Decode(out.Get("image").Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return m, out, nil
}

// apart are the largest and the mean difference of two images, in levels.
func apart(t *testing.T, a, b []byte) (most, mean float64) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d values and %d", len(a), len(b))
	}
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		most, mean = max(most, d), mean+d/float64(len(a))
	}
	return most, mean
}

func TestBlurEqualsSciPy(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Blur {
		m, _, err := degraded(t, fmt.Sprintf(`"blur":%g`, want.Sigma), g.File)
		if err != nil {
			t.Fatal(err)
		}
		if most, mean := apart(t, m.Pix, want.Pixels); most > 1 || mean > 0.01 {
			t.Errorf("sigma %g: off by %g levels at most, %g on average", want.Sigma, most, mean)
		}
	}
}

func TestResizeEqualsPillow(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.Resize {
		m, _, err := degraded(t, fmt.Sprintf(`"resize":%g`, want.Share), g.File)
		if err != nil {
			t.Fatal(err)
		}
		if m.Width != want.Width || m.Height != want.Height || !bytes.Equal(m.Pix, want.Pixels) {
			t.Errorf("resize %g differs from Pillow's", want.Share)
		}
	}
}

// A quality means the same loss as in libjpeg: the tables of quantisation are equal, and
// so is the luma but for rounding. (Decoders blow the colours up in ways of their own.)
func TestJPEGLosesWhatPillowLoses(t *testing.T) {
	g := readGolden(t)
	for _, want := range g.JPEG {
		m, row, err := degraded(t, fmt.Sprintf(`"jpeg":%d`, want.Quality), g.File)
		if err != nil {
			t.Fatal(err)
		}
		if tables := quantisation(t, row.Get("image").Bytes()); !slices.EqualFunc(tables, want.Tables, bytes.Equal) {
			t.Errorf("quality %d: tables %v, want %v", want.Quality, tables, want.Tables)
		}
		luma := make([]byte, len(want.Luma))
		for i := range luma {
			y, _, _ := color.RGBToYCbCr(m.Pix[3*i], m.Pix[3*i+1], m.Pix[3*i+2])
			luma[i] = y
		}
		if most, mean := apart(t, luma, want.Luma); mean > 1 {
			t.Errorf("quality %d: luma off by %g levels at most, %.2f on average", want.Quality, most, mean)
		}
	}
}

// quantisation reads the tables of a JPEG file out of their zigzag order.
func quantisation(t *testing.T, file []byte) (tables [][]byte) {
	t.Helper()
	for at := 2; at+4 < len(file) && file[at+1] != 0xda; {
		length := int(file[at+2])<<8 | int(file[at+3])
		if file[at+1] == 0xdb {
			for segment := file[at+4 : at+2+length]; len(segment) >= 65; segment = segment[65:] {
				tables = append(tables, unzigzag(segment[1:65]))
			}
		}
		at += 2 + length
	}
	return tables
}

func unzigzag(from []byte) []byte {
	to := make([]byte, 64)
	x, y, step := 0, 0, 1
	for _, v := range from {
		to[8*y+x] = v
		switch nx, ny := x+step, y-step; {
		case nx > 7:
			y, step = y+1, -step
		case ny < 0:
			x, step = x+1, -step
		case ny > 7:
			x, step = x+1, -step
		case nx < 0:
			y, step = y+1, -step
		default:
			x, y = nx, ny
		}
	}
	return to
}

// Noise has its deviation, is the same for the same file, and another for another seed.
func TestNoiseIsKeyedByTheFile(t *testing.T) {
	grey := &images.RGB{Width: 64, Height: 64, Pix: bytes.Repeat([]byte{128}, 3*64*64)}
	file, err := grey.PNG()
	if err != nil {
		t.Fatal(err)
	}
	a, row, err := degraded(t, `"noise":10`, file)
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := degraded(t, `"noise":10`, file)
	if !bytes.Equal(a.Pix, b.Pix) {
		t.Error("the noise differs from run to run")
	}
	if row.Get("degradation").Text() != "noise 10" {
		t.Errorf("degradation %q", row.Get("degradation").Text())
	}
	var sum, squares float64
	for _, v := range a.Pix {
		d := float64(v) - 128
		sum, squares = sum+d, squares+d*d
	}
	n := float64(len(a.Pix))
	mean := sum / n
	if deviation := math.Sqrt(squares/n - mean*mean); math.Abs(mean) > 0.4 || math.Abs(deviation-10) > 0.3 {
		t.Errorf("noise of mean %g and deviation %g, want 0 and 10", mean, deviation)
	}
}

// Steps follow one another: compression comes last.
func TestStepsComeInOrder(t *testing.T) {
	g := readGolden(t)
	_, row, err := degraded(t, `"jpeg":50,"resize":0.5,"noise":2,"blur":1`, g.File)
	if err != nil {
		t.Fatal(err)
	}
	if got := row.Get("degradation").Text(); got != "resize 0.5, blur 1, noise 2, jpeg 50" {
		t.Errorf("degradation %q", got)
	}
	format, width, height, err := images.Describe(row.Get("image").Bytes())
	if err != nil || format != "jpeg" || width != g.Width/2 || height != g.Height/2 {
		t.Errorf("a %s of %d by %d: %v", format, width, height, err)
	}
}

func TestWhatIsNoImageIsRejected(t *testing.T) {
	for _, file := range [][]byte{nil, []byte("no image"), readGolden(t).File[:60]} {
		if _, _, err := degraded(t, `"blur":1`, file); err == nil {
			t.Errorf("%d bytes were taken for an image", len(file))
		}
	}
	small := &images.RGB{Width: 5000, Height: 5000, Pix: make([]byte, 3*5000*5000)}
	file, err := small.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := degraded(t, `"resize":4`, file); err == nil || !strings.Contains(err.Error(), "more than 64 million") {
		t.Errorf("error %v", err)
	}
	if _, err := newDegradeImage([]byte(`{"column":"image","as":"degradation","seed":0}`)); err == nil {
		t.Error("a node that does nothing was accepted")
	}
}
