package degrade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "DegradeImage",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newDegradeImage,
	})
}

// ImageConfig configures the kind DegradeImage; see specs.#DegradeImage. What is nil is
// left out.
type ImageConfig struct {
	Column string   `json:"column"`
	Resize *float64 `json:"resize"` // share of the size, (0, 4]
	Blur   *float64 `json:"blur"`   // standard deviation in pixels
	Noise  *float64 `json:"noise"`  // standard deviation in levels of 256
	JPEG   *int     `json:"jpeg"`   // quality, 1 to 100
	As     string   `json:"as"`     // column that says what was done
	Seed   int64    `json:"seed"`
}

// Image spoils the image of every row: see [ImageConfig].
type Image struct {
	config ImageConfig
	column int
	typ    data.Type
	out    *data.Schema
	done   string
}

var _ transforms.Windowed = (*Image)(nil)

func newDegradeImage(config []byte) (transforms.Node, error) {
	n := &Image{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	c := n.config
	var done []string
	if c.Resize != nil {
		done = append(done, fmt.Sprintf("resize %g", *c.Resize))
	}
	if c.Blur != nil {
		done = append(done, fmt.Sprintf("blur %g", *c.Blur))
	}
	if c.Noise != nil {
		done = append(done, fmt.Sprintf("noise %g", *c.Noise))
	}
	if c.JPEG != nil {
		done = append(done, fmt.Sprintf("jpeg %d", *c.JPEG))
	}
	if len(done) == 0 {
		return nil, &transforms.FieldError{Message: "nothing is done to the images", Hint: "give one of resize, blur, noise and jpeg"}
	}
	n.done = strings.Join(done, ", ")
	return n, nil
}

// Columns implements transforms.Node.
func (n *Image) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	if err := transforms.NeedImage(schema, "column", n.config.Column); err != nil {
		return nil, err
	}
	n.column = schema.Index(n.config.Column)
	n.typ = schema.Field(n.column).Type
	var err error
	n.out, err = transforms.AddColumns(schema, "as", data.Field{Name: n.config.As, Type: data.StringType})
	return transforms.OutPort(n.out), err
}

// Window implements transforms.Windowed: images take a while.
func (n *Image) Window() int { return 8 }

// Process implements transforms.Row.
func (n *Image) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	file, err := transforms.ImageBytes(r.Values[n.column], n.typ)
	if err != nil {
		return err
	}
	m, err := images.Decode(file)
	if err != nil {
		return transforms.Reject("image", "%v", err)
	}
	if m, err = n.spoil(m, file); err != nil {
		return err
	}
	var encoded []byte
	if n.config.JPEG != nil {
		encoded, err = m.JPEG(*n.config.JPEG)
	} else {
		encoded, err = m.PNG()
	}
	if err != nil {
		return transforms.Reject("image", "%v", err)
	}
	out := r.Append(n.out, data.StringValue(n.done))
	out.Values[n.column] = transforms.WithImageBytes(r.Values[n.column], n.typ, encoded)
	emit(transforms.Out, out)
	return nil
}

func (n *Image) spoil(m *images.RGB, file []byte) (*images.RGB, error) {
	c := n.config
	if c.Resize != nil {
		width, height := scaled(m.Width, *c.Resize), scaled(m.Height, *c.Resize)
		if width > images.MaxPixels/height {
			return nil, transforms.Reject("image", "%d by %d pixels times %g are more than %d million", m.Width, m.Height, *c.Resize, images.MaxPixels>>20)
		}
		m = m.Resize(width, height, images.Bicubic)
	}
	if c.Blur != nil && *c.Blur > 0 {
		m = m.Blur(*c.Blur)
	}
	if c.Noise != nil && *c.Noise > 0 {
		sum := sha256.Sum256(file)
		m = noisy(m, *c.Noise, data.Draw(data.KeyID(hex.EncodeToString(sum[:])), c.Seed, 0))
	}
	return m, nil
}

func scaled(n int, share float64) int { return max(1, int(math.Round(float64(n)*share))) }

// noisy adds normal noise of a deviation in levels to every value, rounded and clamped.
func noisy(m *images.RGB, deviation float64, rng *rand.Rand) *images.RGB {
	out := &images.RGB{Width: m.Width, Height: m.Height, Pix: make([]uint8, len(m.Pix))}
	for i, v := range m.Pix {
		out.Pix[i] = uint8(math.Round(min(255, max(0, float64(v)+deviation*rng.NormFloat64()))))
	}
	return out
}
