package distill

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"penstock.dev/data"
	"penstock.dev/data/images"
	"penstock.dev/transforms"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/models/nets"
)

// Columns say where the images and labels of an input are. Images are files (bytes,
// decoded as colours, or grey), or numbers: a tensor or nested list [height, width],
// [height, width, channels] or [channels, height, width] with 1 or 3 channels. Whole
// numbers are 0 to 255, others 0 to 1.
type Columns struct {
	Image string `json:"image"`
	Label string `json:"label"` // whole numbers or texts
	Grey  bool   `json:"grey"`  // of image files
	Size  int    `json:"size"`  // pixels a side to which image files are brought; 0 leaves them
	Shape []int  `json:"shape"` // of images that are flat lists
}

// check checks the columns of an input.
func (c Columns) check(s *data.Schema, port string) error {
	if s == nil {
		return &transforms.FieldError{Field: port, Message: "takes images, but nothing is connected"}
	}
	err := transforms.NeedColumn(s, "image", c.Image, data.Tensor, data.List)
	if f, ok := s.Lookup(c.Image); ok && f.Type.Kind != data.Tensor && f.Type.Kind != data.List {
		err = transforms.NeedImage(s, "image", c.Image)
	}
	return errors.Join(err, transforms.NeedColumn(s, "label", c.Label, data.Int64, data.String))
}

// mostValues bounds a set in memory, to 8 GB.
const mostValues = 1 << 31

// collector gathers the rows of a port into a set.
type collector struct {
	columns Columns
	port    string
	set     *labelled.Set
	labels  []data.Value
	first   data.ID
}

// read reads the images at a port, all of one shape. A row that holds no image is
// rejected. The set's classes are those given, or all labels that occur, in their order.
func (c Columns) read(in transforms.Inputs, port string, classes []string) (*labelled.Set, error) {
	k := &collector{columns: c, port: port, set: &labelled.Set{}}
	for r, err := range in.Rows(port) {
		if err != nil {
			return nil, err
		}
		values, shape, err := c.pixels(r)
		if err != nil {
			in.Reject(transforms.AsRejected(r, err))
			continue
		}
		if err := k.add(r, values, shape); err != nil {
			return nil, err
		}
	}
	if len(k.labels) == 0 {
		return nil, fmt.Errorf("%s: there are no images", port)
	}
	return k.set, k.classify(classes)
}

// pixels are the values of a row's image, [height, width, channels].
func (c Columns) pixels(r *data.Record) ([]float32, nets.Shape, error) {
	v := r.Get(c.Image)
	f, _ := r.Schema.Lookup(c.Image)
	switch {
	case r.Get(c.Label).IsNull():
		return nil, nets.Shape{}, transforms.Reject("null", "column %s is null", c.Label)
	case v.Kind() == data.Tensor || v.Kind() == data.List:
		return c.numbers(v)
	}
	file, err := transforms.ImageBytes(v, f.Type)
	if err != nil {
		return nil, nets.Shape{}, err
	}
	if c.Size > 0 {
		m, err := transforms.SquareImage(file, c.Size, false)
		if err != nil {
			return nil, nets.Shape{}, err
		}
		values, shape := c.colours(m)
		return values, shape, nil
	}
	m, err := images.Decode(file)
	if err != nil {
		return nil, nets.Shape{}, transforms.Reject("image", "%v", err)
	}
	values, shape := c.colours(m)
	return values, shape, nil
}

// colours are a decoded image's values, or its luma (ITU-R BT.601) if grey is wanted.
func (c Columns) colours(m *images.RGB) ([]float32, nets.Shape) {
	if !c.Grey {
		values := make([]float32, len(m.Pix))
		for i, p := range m.Pix {
			values[i] = float32(p) / 255
		}
		return values, nets.Shape{Height: m.Height, Width: m.Width, Channels: 3}
	}
	values := make([]float32, m.Width*m.Height)
	for i := range values {
		p := m.Pix[3*i : 3*i+3]
		values[i] = (0.299*float32(p[0]) + 0.587*float32(p[1]) + 0.114*float32(p[2])) / 255
	}
	return values, nets.Shape{Height: m.Height, Width: m.Width, Channels: 1}
}

// numbers are the values of a tensor or a nested list.
func (c Columns) numbers(v data.Value) ([]float32, nets.Shape, error) {
	values, extents, err := flat(v)
	if err != nil {
		return nil, nets.Shape{}, transforms.Reject("image", "column %s %v", c.Image, err)
	}
	if len(c.Shape) > 0 {
		extents = c.Shape
	}
	shape, planar, ok := shapeOf(extents)
	if !ok || shape.Size() != len(values) {
		return nil, nets.Shape{}, transforms.Reject("image", "column %s has %d values of extents %v, want [height, width] or those and 1 or 3 channels (shape says it of flat lists)", c.Image, len(values), extents)
	}
	for _, x := range values {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, nets.Shape{}, transforms.Reject("image", "column %s holds %g", c.Image, x)
		}
	}
	if planar {
		values = interleaved(values, shape.Channels)
	}
	return values, shape, nil
}

// shapeOf reads extents; planar says that the channels come first.
func shapeOf(extents []int) (shape nets.Shape, planar, ok bool) {
	few := func(n int) bool { return n == 1 || n == 3 }
	for _, e := range extents {
		if e < 1 || e > 1<<16 {
			return nets.Shape{}, false, false
		}
	}
	switch {
	case len(extents) == 2:
		return nets.Shape{Height: extents[0], Width: extents[1], Channels: 1}, false, true
	case len(extents) == 3 && few(extents[0]):
		return nets.Shape{Height: extents[1], Width: extents[2], Channels: extents[0]}, true, true
	case len(extents) == 3 && few(extents[2]):
		return nets.Shape{Height: extents[0], Width: extents[1], Channels: extents[2]}, false, true
	}
	return nets.Shape{}, false, false
}

// interleaved turns [channels, pixels] into [pixels, channels].
func interleaved(planes []float32, channels int) []float32 {
	n := len(planes) / channels
	out := make([]float32, len(planes))
	for c := range channels {
		for i, v := range planes[c*n : (c+1)*n] {
			out[i*channels+c] = v
		}
	}
	return out
}

// planar turns [pixels, channels] into [channels, pixels].
func planar(values []float32, channels int) []float32 {
	return interleaved(values, len(values)/channels)
}

// flat are the numbers in a tensor or nested list, whole ones divided by 255, and its
// extents.
func flat(v data.Value) (values []float32, extents []int, err error) {
	if v.Kind() == data.Tensor {
		a := v.Tensor()
		switch x := a.Data.(type) {
		case []uint8:
			return divided(x), a.Shape, nil
		case []int64:
			return divided(x), a.Shape, nil
		case []float32:
			return slices.Clone(x), a.Shape, nil
		case []float64:
			return converted(x), a.Shape, nil
		}
		return nil, nil, fmt.Errorf("holds %T", a.Data)
	}
	return nested(v.List())
}

func divided[T uint8 | int64](x []T) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v) / 255
	}
	return out
}

func converted(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

func nested(list []data.Value) (values []float32, extents []int, err error) {
	for i, e := range list {
		switch e.Kind() {
		case data.Int64:
			values = append(values, float32(e.Int64())/255)
		case data.Float32, data.Float64:
			values = append(values, float32(e.Float64()))
		case data.List:
			inner, below, err := nested(e.List())
			if err != nil {
				return nil, nil, err
			}
			if i > 0 && !slices.Equal(below, extents) {
				return nil, nil, errors.New("holds lists of unequal lengths")
			}
			values, extents = append(values, inner...), below
		default:
			return nil, nil, fmt.Errorf("holds %s, want numbers", e.Kind())
		}
	}
	return values, append([]int{len(list)}, extents...), nil
}

// add takes a row's image; one of another shape ends the run.
func (k *collector) add(r *data.Record, values []float32, shape nets.Shape) error {
	if len(k.labels) == 0 {
		k.set.Shape, k.first = shape, r.ID
	}
	switch {
	case shape != k.set.Shape:
		return fmt.Errorf("%s: the image of %s is %s, that of %s %s: bring all to one size (size does that with image files)", k.port, r.ID, shape, k.first, k.set.Shape)
	case len(k.set.Images) > mostValues-len(values):
		return fmt.Errorf("%s: more than %d values of images, which are held in memory: take fewer rows or smaller images", k.port, mostValues)
	}
	k.set.Images = append(k.set.Images, values...)
	k.labels = append(k.labels, r.Get(k.columns.Label))
	return nil
}

// mostClasses bounds the classes of a set.
const mostClasses = 10_000

// classify turns labels into numbers of classes.
func (k *collector) classify(classes []string) error {
	given := classes != nil
	if !given {
		classes = distinct(k.labels)
	}
	switch n := len(classes); {
	case n < 2:
		return fmt.Errorf("%s: column %s has one label, %q, want two classes or more", k.port, k.columns.Label, classes[0])
	case n > mostClasses:
		return fmt.Errorf("%s: column %s has %d labels, more than %d classes", k.port, k.columns.Label, n, mostClasses)
	}
	numbers := map[string]int{}
	for i, c := range classes {
		numbers[c] = i
	}
	k.set.Classes, k.set.Labels = classes, make([]int, len(k.labels))
	for i, v := range k.labels {
		number, known := numbers[labelText(v)]
		if !known {
			return fmt.Errorf("%s: label %q in column %s is none of the %d classes of the training images", k.port, labelText(v), k.columns.Label, len(classes))
		}
		k.set.Labels[i] = number
	}
	return nil
}

func labelText(v data.Value) string {
	if v.Kind() == data.Int64 {
		return strconv.FormatInt(v.Int64(), 10)
	}
	return v.Text()
}

// distinct lists the labels that occur, numbers by size and texts by letters.
func distinct(labels []data.Value) []string {
	seen := map[string]bool{}
	var some []data.Value
	for _, v := range labels {
		if text := labelText(v); !seen[text] {
			seen[text] = true
			some = append(some, v)
		}
	}
	slices.SortFunc(some, func(a, b data.Value) int {
		return cmp.Or(cmp.Compare(a.Int64(), b.Int64()), cmp.Compare(labelText(a), labelText(b)))
	})
	names := make([]string, len(some))
	for i, v := range some {
		names[i] = labelText(v)
	}
	return names
}
