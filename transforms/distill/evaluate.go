package distill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/distill/student"
	"penstock.dev/transforms/models/nets"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "EvaluateDistilled",
		Inputs:  []string{transforms.In, portHeldOut, portReal, portBaseline},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newEvaluate,
	})
}

// Input ports of EvaluateDistilled beside in and heldOut.
const (
	portReal     = "real"
	portBaseline = "baseline"
)

// EvaluateConfig trains fresh networks on distilled images and measures them on
// others; see specs.#EvaluateDistilled.
type EvaluateConfig struct {
	Columns
	Networks int         `json:"networks"`
	Nets     []NetConfig `json:"nets"`   // beside that of the distilled images
	Plain    bool        `json:"plain"`  // without augmentation too
	Epochs   int         `json:"epochs"` // 0 takes the recipe's
	Seed     int64       `json:"seed"`
}

type evaluator struct {
	config EvaluateConfig

	mutex   sync.Mutex
	summary []string
}

var (
	_ transforms.Global     = (*evaluator)(nil)
	_ transforms.Summarised = (*evaluator)(nil)
)

func newEvaluate(config []byte) (transforms.Node, error) {
	n := &evaluator{}
	return n, transforms.Decode(config, &n.config)
}

var evaluationSchema = data.MustSchema(
	data.Field{Name: "images", Type: data.StringType}, // distilled, baseline or random real
	data.Field{Name: "labels", Type: data.StringType}, // soft or hard
	data.Field{Name: "net", Type: data.StringType},
	data.Field{Name: "augmented", Type: data.BoolType},
	data.Field{Name: "rows", Type: data.Int64Type},
	data.Field{Name: "networks", Type: data.Int64Type},
	data.Field{Name: "accuracy", Type: data.Float64Type}, // mean
	data.Field{Name: "deviation", Type: data.Float64Type},
	data.Field{Name: "accuracies", Type: data.ListOf(data.Float64Type, false)},
)

// Columns checks the inputs.
func (n *evaluator) Columns(in transforms.Ports) (transforms.Ports, error) {
	err := errors.Join(needDistilled(in.Get(transforms.In), transforms.In), n.config.check(in.Get(portHeldOut), portHeldOut))
	if s := in.Get(portReal); s != nil {
		err = errors.Join(err, n.config.check(s, portReal))
	}
	if s := in.Get(portBaseline); s != nil {
		err = errors.Join(err, needDistilled(s, portBaseline))
	}
	if err != nil {
		return nil, err
	}
	return transforms.OutPort(evaluationSchema), nil
}

// contestant is something to train on.
type contestant struct {
	images, labels string // as the rows name them
	rate           float64
	// give is the scaled images and targets that the i-th network is trained on.
	give func(i int) (images, targets []float32)
	rows int
}

// trial is a contestant under a protocol.
type trial struct {
	contestant
	net     nets.Net
	augment []string
}

// Run trains and measures.
func (n *evaluator) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	d, err := readDistilled(in, transforms.In)
	if err != nil {
		return err
	}
	heldOut, err := n.images(in, portHeldOut, d)
	if err != nil {
		return err
	}
	all, err := n.contestants(in, d)
	if err != nil {
		return err
	}
	networks := []nets.Net{d.Net}
	for _, c := range n.config.Nets {
		networks = append(networks, c.net(heldOut))
	}
	for _, net := range networks {
		if err := n.compare(ctx, net, d, all, heldOut, emit); err != nil {
			return err
		}
	}
	return nil
}

// images reads real images and scales them as the distilled ones are.
func (n *evaluator) images(in transforms.Inputs, port string, d *distilled) (*labelled.Set, error) {
	s, err := n.config.read(in, port, d.Classes)
	if err != nil {
		return nil, err
	}
	if s.Shape != d.Net.Image {
		return nil, fmt.Errorf("%s: images are %s, the distilled ones %s", port, s.Shape, d.Net.Image)
	}
	return d.Scaling.Apply(s), nil
}

// contestants lists what is compared: the distilled images with their own labels and, if
// those are soft, with hard ones; the baseline; as many real images, drawn anew for each
// network.
func (n *evaluator) contestants(in transforms.Inputs, d *distilled) ([]contestant, error) {
	all := of("distilled", d)
	if in.Count(portBaseline) > 0 {
		b, err := readDistilled(in, portBaseline)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(b.Classes, d.Classes) || b.Net.Image != d.Net.Image || b.Data != d.Data {
			return nil, fmt.Errorf("%s: these were distilled from other images than those of %s", portBaseline, transforms.In)
		}
		all = append(all, of(portBaseline, b)...)
	}
	if in.Count(portReal) > 0 {
		real, err := n.images(in, portReal, d)
		if err != nil {
			return nil, err
		}
		random, err := n.random(real, d)
		if err != nil {
			return nil, err
		}
		all = append(all, random)
	}
	return all, nil
}

// of are the contestants of a distilled set.
func of(name string, d *distilled) []contestant {
	fixed := func(targets []float32) func(int) ([]float32, []float32) {
		return func(int) ([]float32, []float32) { return d.images, targets }
	}
	c := contestant{images: name, labels: "hard", rate: d.rate, rows: len(d.labels), give: fixed(labelled.OneHot(d.labels, len(d.Classes)))}
	if !d.Soft {
		return []contestant{c}
	}
	soft := c
	soft.labels, soft.give = "soft", fixed(match.Softmax(d.logits, len(d.Classes)))
	return []contestant{soft, c}
}

// random draws as many real images of each class as there are distilled ones.
func (n *evaluator) random(real *labelled.Set, d *distilled) (contestant, error) {
	wanted := make([]int, len(d.Classes))
	for _, class := range d.labels {
		wanted[class]++
	}
	members := real.Of()
	for class, want := range wanted {
		if len(members[class]) < want {
			return contestant{}, fmt.Errorf("%s: class %q has %d images, fewer than the %d distilled ones", portReal, d.Classes[class], len(members[class]), want)
		}
	}
	return contestant{images: "random real", labels: "hard", rate: d.rate, rows: len(d.labels), give: func(i int) (images, targets []float32) {
		var labels []int
		for class, want := range wanted {
			order := draws{"real", n.config.Seed, i}.draw(class).Perm(len(members[class]))
			for _, k := range order[:want] {
				images = append(images, real.Image(members[class][k])...)
				labels = append(labels, class)
			}
		}
		return images, labelled.OneHot(labels, len(d.Classes))
	}}, nil
}

// compare trains networks of one kind on all contestants.
func (n *evaluator) compare(ctx context.Context, net nets.Net, d *distilled, all []contestant, heldOut *labelled.Set, emit transforms.Emit) error {
	l, err := newLearner(net)
	if err != nil {
		return err
	}
	defer l.Close()
	augmentations := [][]string{d.Train.Augment}
	if n.config.Plain && len(d.Train.Augment) > 0 {
		augmentations = append(augmentations, nil)
	}
	for _, augment := range augmentations {
		for _, c := range all {
			accuracies, err := n.try(ctx, l, d, trial{c, net, augment}, heldOut)
			if err != nil {
				return err
			}
			emit(transforms.Out, n.describe(trial{c, net, augment}, accuracies))
		}
	}
	return nil
}

// try trains networks on a contestant and gives their accuracies.
func (n *evaluator) try(ctx context.Context, l *nets.Learner[float32], d *distilled, t trial, heldOut *labelled.Set) ([]float64, error) {
	protocol := d.Train
	protocol.Rate, protocol.Augment = t.rate, t.augment
	if n.config.Epochs > 0 {
		protocol.Epochs = n.config.Epochs
	}
	accuracies := make([]float64, n.config.Networks)
	err := student.Parallel(ctx, l.Callers(), len(accuracies), func(ctx context.Context, i int) (err error) {
		images, targets := t.give(i)
		accuracies[i], err = measure(ctx, l, protocol, images, targets, heldOut, draws{"evaluate", n.config.Seed, i})
		return err
	})
	return accuracies, err
}

// measure trains a fresh network and gives its accuracy on a set.
func measure(ctx context.Context, l *nets.Learner[float32], p student.Protocol, images, targets []float32, on *labelled.Set, d draws) (float64, error) {
	theta := l.Net.Draw(d.draw(0))
	if err := p.Train(ctx, l, theta, images, targets, d.epoch); err != nil {
		return 0, err
	}
	return student.Accuracy(ctx, l, theta, on)
}

// describe is the row of a trial.
func (n *evaluator) describe(t trial, accuracies []float64) *data.Record {
	list := make([]data.Value, len(accuracies))
	for i, a := range accuracies {
		list[i] = data.Float64Value(a)
	}
	mean, deviation := meanOf(accuracies), deviationOf(accuracies)
	name := fmt.Sprintf("%s, %s labels", t.images, t.labels)
	if len(t.augment) == 0 {
		name += ", not augmented"
	}
	n.mutex.Lock()
	n.summary = append(n.summary, fmt.Sprintf("%s: %.1f ± %.1f %% (%s, %d images)", name, 100*mean, 100*deviation, t.net, t.rows))
	row := len(n.summary) - 1
	n.mutex.Unlock()
	return &data.Record{Schema: evaluationSchema, ID: data.ID{Source: "evaluation", Row: int64(row)}, Values: []data.Value{
		data.StringValue(t.images), data.StringValue(t.labels), data.StringValue(t.net.String()), data.BoolValue(len(t.augment) > 0),
		data.Int64Value(int64(t.rows)), data.Int64Value(int64(len(accuracies))),
		data.Float64Value(mean), data.Float64Value(deviation), data.ListValue(list),
	}}
}

// Summary is the comparison.
func (n *evaluator) Summary() []string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return slices.Clone(n.summary)
}
