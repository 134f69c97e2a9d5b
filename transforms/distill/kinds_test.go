package distill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var imageSchema = data.MustSchema(
	data.Field{Name: "image", Type: data.Type{Kind: data.Tensor, Elem: &data.Float32Type, Shape: []int{8, 8}}},
	data.Field{Name: "label", Type: data.StringType},
)

var shapes = []string{"bar", "dot", "rest"}

// picture is an image of a class: a bar, a dot or nothing, with noise.
func picture(i int, class string) *data.Record {
	r := data.Draw(data.ID{Source: "picture", Row: int64(i)}, 1, 0)
	pixels := make([]float32, 64)
	for k := range pixels {
		pixels[k] = r.Float32() / 3
	}
	at := r.IntN(6)
	switch class {
	case "bar":
		for y := range 8 {
			pixels[8*y+at] += 0.6
		}
	case "dot":
		for k := range 4 {
			pixels[8*(at+k/2)+at+k%2] += 0.6
		}
	}
	return &data.Record{Schema: imageSchema, ID: data.ID{Source: "pictures", Row: int64(i)}, Order: int64(i), Values: []data.Value{
		data.TensorValue(&data.Array{Shape: []int{8, 8}, Data: pixels}), data.StringValue(class),
	}}
}

// pictures are n images of each class, from the first-th on.
func pictures(first, n int) []*data.Record {
	var rows []*data.Record
	for i := range n * len(shapes) {
		rows = append(rows, picture(first+i, shapes[i%len(shapes)]))
	}
	return rows
}

// rows are the inputs of a node by port; they collect what it refuses.
type rows map[string][]*data.Record

func (r rows) Rows(port string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		for _, row := range r[port] {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func (r rows) Count(port string) int64 { return int64(len(r[port])) }

func (r rows) Reject(refused *transforms.Rejected) {
	r["refused"] = append(r["refused"], refused.Record)
	r[refused.Class+": "+refused.Err] = nil
}

// run runs a node on inputs, with its cache in a folder.
func run(ctx context.Context, kind, config, folder string, in rows) ([]*data.Record, transforms.Node, error) {
	k, _ := transforms.Lookup(kind)
	n, err := k.New([]byte(config))
	if err != nil {
		return nil, nil, err
	}
	var ports transforms.Ports
	for port, rows := range in {
		if len(rows) > 0 {
			ports = append(ports, transforms.Port{Name: port, Schema: rows[0].Schema})
		}
	}
	if _, err := n.Columns(ports); err != nil {
		return nil, nil, err
	}
	if keeper, ok := n.(transforms.Keeper); ok {
		if err := keeper.Open(ctx, transforms.Run{State: folder}); err != nil {
			return nil, nil, err
		}
	}
	var out []*data.Record
	err = n.(transforms.Global).Run(ctx, in, func(_ string, r *data.Record) { out = append(out, r) })
	return out, n, err
}

func must(t *testing.T, kind, config, folder string, in rows) ([]*data.Record, transforms.Node) {
	t.Helper()
	out, n, err := run(t.Context(), kind, config, folder, in)
	if err != nil {
		t.Fatal(err)
	}
	return out, n
}

const (
	imageConfig  = `"image":"image","label":"label"`
	netConfig    = `"net":{"family":"convnet","width":4,"depth":2}`
	expertConfig = `{` + imageConfig + `,` + netConfig + `,"experts":2,"epochs":%d,"batch":16,"rate":0.05,"momentum":0.5,"augment":["crop","color"],"sharpness":0.01,"surrogate":0.3}`
	matchConfig  = `{` + imageConfig + `,` + netConfig + `,"method":"%s","imagesPerClass":2,"start":"%s","soft":%t,"iterations":%d,"augment":["crop","rotate"],"rate":0.05,` +
		`"rateOf":{"images":1,"labels":0.5,"rate":0.0001},"trajectory":{"steps":4,"epochs":1,"batch":4,"furthest":1,"growth":4,"threshold":5,"pieces":2,"gradient":"adjoint"},"realBatch":10,` +
		`"students":{"epochs":20,"batch":16},"validate":{"every":3,"networks":2},"checkpoint":2}`
)

func trainExperts(t *testing.T, folder string, in []*data.Record) []*data.Record {
	t.Helper()
	out, _ := must(t, "TrainExperts", fmt.Sprintf(expertConfig, 3), folder, rows{"in": in})
	return out
}

func floats(t *testing.T, r *data.Record, column string) []float32 {
	t.Helper()
	values, _, err := flat(r.Get(column))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// Experts learn, and are the same on any number of processors, from the cache, and when
// epochs are added later.
func TestExpertsAreRepeatable(t *testing.T) {
	in := pictures(0, 20)
	folder := t.TempDir()
	first := trainExperts(t, folder, in)
	if len(first) != 2 {
		t.Fatalf("%d experts", len(first))
	}
	files := func(experts []*data.Record) (all [][]byte) {
		for _, r := range experts {
			b, err := os.ReadFile(r.Get("path").Text())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
		return all
	}
	want := files(first)
	if reflect.DeepEqual(want[0], want[1]) {
		t.Error("both experts are the same")
	}
	for _, r := range first {
		if a := r.Get("accuracy").Float64(); a < 0.6 || r.Get("epochs").Int64() != 3 {
			t.Errorf("%s: accuracy %g after %d epochs", r.ID, a, r.Get("epochs").Int64())
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	later := t.TempDir()
	must(t, "TrainExperts", fmt.Sprintf(expertConfig, 1), later, rows{"in": in})
	if got := files(trainExperts(t, later, in)); !reflect.DeepEqual(got, want) {
		t.Error("three epochs at once and one after the other differ")
	}
	before, err := os.Stat(first[0].Get("path").Text())
	if err != nil {
		t.Fatal(err)
	}
	trainExperts(t, folder, in)
	if after, err := os.Stat(first[0].Get("path").Text()); err != nil || !os.SameFile(before, after) {
		t.Error("a trained expert was trained again")
	}
}

// same says whether two distilled sets are the same to the bit.
func same(t *testing.T, a, b []*data.Record) bool {
	t.Helper()
	return slices.EqualFunc(a, b, func(x, y *data.Record) bool {
		return slices.Equal(floats(t, x, "image"), floats(t, y, "image")) && slices.Equal(floats(t, x, "logits"), floats(t, y, "logits")) &&
			x.Get("learning_rate").Float64() == y.Get("learning_rate").Float64() && x.Get("recipe").Text() == y.Get("recipe").Text()
	})
}

// A run that is stopped anywhere and taken up again gives the same set, on any number of
// processors.
func TestStoppedRunsEndTheSame(t *testing.T) {
	folder := t.TempDir()
	train, held := pictures(0, 20), pictures(1000, 5)
	experts := trainExperts(t, folder, train)
	for _, method := range []string{"tm", "dm"} {
		config := fmt.Sprintf(matchConfig, method, "random", method == "tm", 7)
		in := rows{"in": train, "experts": experts, "heldOut": held}
		want, n := must(t, "Distill", config, t.TempDir(), in)
		if len(n.(transforms.Metered).Metrics()) == 0 || len(n.(transforms.Summarised).Summary()) != 2 {
			t.Errorf("%s: nothing was measured", method)
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		cache := t.TempDir()
		for stops := 0; ; stops++ {
			ctx, cancel := context.WithCancel(t.Context())
			stop := &stopping{Context: ctx, cancel: cancel}
			stop.left.Store(int64(3 + 2*stops))
			got, _, err := run(stop, "Distill", config, cache, in)
			cancel()
			if errors.Is(err, context.Canceled) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if stops < 1 {
				t.Errorf("%s was stopped %d times", method, stops)
			}
			if !same(t, got, want) {
				t.Errorf("%s: the images differ after %d stops", method, stops)
			}
			break
		}
	}
}

// stopping is a context that is cancelled when it was asked often enough.
type stopping struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func (s *stopping) Err() error {
	if s.left.Add(-1) < 0 {
		s.cancel()
	}
	return s.Context.Err()
}

// Every method gives as many rows a class as asked for, with all that training needs.
func TestEveryMethodGivesACompleteSet(t *testing.T) {
	folder := t.TempDir()
	train := pictures(0, 20)
	experts := trainExperts(t, folder, train)
	for _, c := range []struct {
		method, start string
		soft          bool
	}{
		{"tm", "correct", true}, {"tm", "herding", false}, {"dm", "kmeans", false},
		{"select", "random", false}, {"select", "kmeans", true}, {"select", "herding", false},
	} {
		in := rows{"in": train}
		if c.method == "tm" || c.soft {
			in["experts"] = experts
		}
		out, _ := must(t, "Distill", fmt.Sprintf(matchConfig, c.method, c.start, c.soft, 3), t.TempDir(), in)
		if len(out) != 6 {
			t.Fatalf("%v: %d rows", c, len(out))
		}
		for i, r := range out {
			if r.Get("class").Int64() != int64(i/2) || r.Get("label").Text() != shapes[i/2] {
				t.Errorf("%v: row %d is of class %d, %s", c, i, r.Get("class").Int64(), r.Get("label").Text())
			}
			if r.Get("logits").IsNull() == c.soft || len(r.Get("preview").Bytes()) < 60 || !slices.Equal(r.Get("image").Tensor().Shape, []int{1, 8, 8}) {
				t.Errorf("%v: row %d lacks something", c, i)
			}
			for _, v := range floats(t, r, "image") {
				if math.IsNaN(float64(v)) {
					t.Fatalf("%v: a pixel of NaN", c)
				}
			}
		}
		d, err := readDistilled(rows{"in": out}, "in")
		if err != nil || d.Method != c.method || d.Soft != c.soft || !slices.Equal(d.Classes, shapes) {
			t.Errorf("%v: recipe %+v, error %v", c, d, err)
		}
	}
}

// Distilled images teach more than random ones.
func TestEvaluationTellsDistilledFromRandom(t *testing.T) {
	folder := t.TempDir()
	train, held := pictures(0, 30), pictures(1000, 40)
	experts := trainExperts(t, folder, train)
	distilled, _ := must(t, "Distill", strings.Replace(fmt.Sprintf(matchConfig, "tm", "correct", true, 30), `"images":1,`, `"images":20,`, 1), folder, rows{"in": train, "experts": experts})
	baseline, _ := must(t, "Distill", fmt.Sprintf(matchConfig, "select", "correct", true, 0), folder, rows{"in": train, "experts": experts})
	config := `{` + imageConfig + `,"networks":4,"plain":true,"epochs":40,"nets":[{"family":"mlp","width":8,"depth":1}]}`
	out, n := must(t, "EvaluateDistilled", config, folder, rows{"in": distilled, "baseline": baseline, "real": train, "heldOut": held})
	// Soft and hard labels of two sets and random images, with and without augmentation,
	// on two networks.
	if len(out) != 5*2*2 || len(n.(transforms.Summarised).Summary()) != len(out) {
		t.Fatalf("%d rows", len(out))
	}
	accuracy := map[string]float64{}
	for _, r := range out {
		if r.Get("networks").Int64() != 4 || r.Get("rows").Int64() != 6 || len(r.Get("accuracies").List()) != 4 {
			t.Errorf("row %s counts wrongly", r.ID)
		}
		if r.Get("augmented").Bool() && r.Get("net").Text() == "convnet-2 of width 4" {
			accuracy[r.Get("images").Text()+" "+r.Get("labels").Text()] = r.Get("accuracy").Float64()
		}
	}
	if d, r := accuracy["distilled soft"], accuracy["random real hard"]; !(d > r) {
		t.Errorf("accuracy %g distilled, %g random: %v", d, r, accuracy)
	}
	again, _ := must(t, "EvaluateDistilled", config, folder, rows{"in": distilled, "baseline": baseline, "real": train, "heldOut": held})
	for i := range out {
		if out[i].Get("accuracy").Float64() != again[i].Get("accuracy").Float64() {
			t.Errorf("row %d differs the second time", i)
		}
	}
}

// What is wrong with the inputs ends the run in one line that says what, where and what
// to do.
func TestBadInputsAreNamed(t *testing.T) {
	folder := t.TempDir()
	train := pictures(0, 6)
	experts := trainExperts(t, folder, train)
	config := fmt.Sprintf(matchConfig, "tm", "random", true, 1)
	small := picture(99, "bar").With(imageSchema, []data.Value{data.TensorValue(&data.Array{Shape: []int{4, 4}, Data: make([]float32, 16)}), data.StringValue("bar")})
	strange := picture(99, "cross")
	torn := filepath.Join(t.TempDir(), "torn.safetensors")
	if err := os.WriteFile(torn, []byte("no tensors"), 0o644); err != nil {
		t.Fatal(err)
	}
	with := func(column string, v data.Value) []*data.Record {
		values := slices.Clone(experts[0].Values)
		values[expertSchema.Index(column)] = v
		return []*data.Record{experts[0].With(expertSchema, values)}
	}
	distilled, _ := must(t, "Distill", fmt.Sprintf(matchConfig, "select", "random", false, 0), folder, rows{"in": train})
	evaluation := `{` + imageConfig + `,"networks":1,"epochs":1}`
	broken := func(column string, v data.Value) []*data.Record {
		values := slices.Clone(distilled[1].Values)
		values[distilledSchema.Index(column)] = v
		return []*data.Record{distilled[0], distilled[1].With(distilledSchema, values)}
	}
	for _, c := range []struct {
		kind, config string
		in           rows
		want         string
	}{
		{"TrainExperts", fmt.Sprintf(expertConfig, 1), rows{"in": append(slices.Clone(train), small)}, "in: the image of pictures#99 is 4x4x1, that of pictures#0 8x8x1: bring all to one size"},
		{"TrainExperts", strings.Replace(fmt.Sprintf(expertConfig, 1), `"depth":2`, `"depth":4`, 1), rows{"in": train}, "net: images of 8x8x1 are too small for convnet-4 of width 4, which wants 16 pixels a side"},
		{"TrainExperts", strings.Replace(fmt.Sprintf(expertConfig, 1), `"rate":0.05`, `"rate":1e39`, 1), rows{"in": train}, "lower the rate"},
		{"TrainExperts", fmt.Sprintf(expertConfig, 1), rows{"in": train[:1]}, `in: column label has one label, "bar", want two classes or more`},
		{"Distill", config, rows{"in": train[:5], "experts": experts}, `class "rest" has 1 images, fewer than the 2 a class that are asked for (imagesPerClass)`},
		{"Distill", config, rows{"in": pictures(7, 6), "experts": experts}, "experts: expert 0 was trained on other images"},
		{"Distill", config, rows{"in": train, "experts": with("path", data.StringValue(torn))}, "torn.safetensors is damaged"},
		{"Distill", config, rows{"in": train, "experts": with("recipe", data.StringValue("{}"))}, "a trajectory of another data set, network or recipe"},
		{"Distill", config, rows{"in": train, "experts": with("epochs", data.Int64Value(1))}, "experts: expert 0 has 1 epochs, a start at epoch 1 (trajectory.furthest) and 1 epochs (trajectory.epochs) want 2"},
		{"Distill", fmt.Sprintf(matchConfig, "dm", "random", false, 1), rows{"in": train[:2]}, `class "bar" has 1 images, fewer than the 2`},
		{"Distill", config, rows{"in": train}, "experts: tm, soft labels and the start correct need experts"},
		{"Distill", config, rows{"in": train, "experts": experts, "heldOut": {strange}}, `heldOut: label "cross" in column label is none of the 3 classes`},
		{"Distill", strings.Replace(config, `"furthest":1`, `"furthest":-1`, 1), rows{"in": train, "experts": experts}, "trajectory.furthest: epoch -1 is before the last, 0"},
		{"EvaluateDistilled", evaluation, rows{"in": distilled, "heldOut": {small}}, "heldOut: images are 4x4x1, the distilled ones 8x8x1"},
		{"EvaluateDistilled", evaluation, rows{"in": broken("class", data.Int64Value(3)), "heldOut": train}, "in: distilled#1: class 3 of 3"},
		{"EvaluateDistilled", evaluation, rows{"in": broken("image", data.ListValue(nil)), "heldOut": train}, "in: distilled#1: column image has 0 values, want 8x8x1"},
		{"EvaluateDistilled", evaluation, rows{"in": broken("recipe", data.StringValue("{}")), "heldOut": train}, "in: distilled#1 is of another distilled set"},
		{"EvaluateDistilled", evaluation, rows{"in": train, "heldOut": train}, `in: no column "class" in the input`},
	} {
		_, _, err := run(t.Context(), c.kind, c.config, folder, c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v\n  want %q", c.kind, err, c.want)
		}
		if err != nil && c.kind != "EvaluateDistilled" && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than a line: %v", c.kind, err)
		}
	}
}

// An experts' node that gave no rows is no reason to stumble.
func TestNoExperts(t *testing.T) {
	n, err := newDistill([]byte(fmt.Sprintf(matchConfig, "tm", "random", false, 1)))
	if err != nil {
		t.Fatal(err)
	}
	err = n.(transforms.Global).Run(t.Context(), rows{"in": pictures(0, 3)}, nil)
	if err == nil || err.Error() != "experts: there are no experts" {
		t.Errorf("error %v", err)
	}
}

// A row without an image costs itself alone.
func TestBadImagesAreRejected(t *testing.T) {
	train := pictures(0, 3)
	odd := func(v data.Value) *data.Record {
		return picture(50, "bar").With(imageSchema, []data.Value{v, data.StringValue("bar")})
	}
	nan := make([]float32, 64)
	nan[5] = float32(math.NaN())
	in := rows{"in": append(train,
		odd(data.Value{}), odd(data.ListValue([]data.Value{data.StringValue("x")})),
		odd(data.TensorValue(&data.Array{Shape: []int{8, 8}, Data: nan})),
		odd(data.TensorValue(&data.Array{Shape: []int{64}, Data: nan})),
		picture(51, "bar").With(imageSchema, []data.Value{picture(51, "bar").Values[0], {}}))}
	c := Columns{Image: "image", Label: "label"}
	set, err := c.read(in, "in", nil)
	if err != nil || set.Len() != 9 || len(in["refused"]) != 5 {
		t.Fatalf("%d images, %d refused, error %v", set.Len(), len(in["refused"]), err)
	}
	for _, want := range []string{"null: there is no image", "image: column image holds string, want numbers", "image: column image holds NaN", "null: column label is null"} {
		if _, ok := in[want]; !ok {
			t.Errorf("no row was refused for %q: %v", want, in)
		}
	}
}

// Pixels of every form are the same image.
func TestFormsOfImages(t *testing.T) {
	c := Columns{Image: "image"}
	list := func(values ...int64) data.Value {
		var l []data.Value
		for _, v := range values {
			l = append(l, data.Int64Value(v))
		}
		return data.ListValue(l)
	}
	want := []float32{0, 0.2, 0.4, 0.6, 0.8, 1}
	check := func(name string, v data.Value, c Columns, extents string) {
		t.Helper()
		got, shape, err := c.numbers(v)
		if err != nil || !slices.Equal(got, want) || shape.String() != extents {
			t.Errorf("%s: %v of %s, error %v", name, got, shape, err)
		}
	}
	check("bytes", data.TensorValue(&data.Array{Shape: []int{2, 3}, Data: []uint8{0, 51, 102, 153, 204, 255}}), c, "2x3x1")
	check("nested lists", data.ListValue([]data.Value{list(0, 51, 102), list(153, 204, 255)}), c, "2x3x1")
	flat := c
	flat.Shape = []int{1, 2, 3}
	check("channels last", list(0, 51, 102, 153, 204, 255), Columns{Image: "image", Shape: []int{2, 1, 3}}, "2x1x3")
	check("one channel first", list(0, 51, 102, 153, 204, 255), flat, "2x3x1")
	check("planes", data.TensorValue(&data.Array{Shape: []int{3, 1, 2}, Data: []float64{0, 0.6, 0.2, 0.8, 0.4, 1}}), c, "1x2x3")
}
