package distill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/match"
	"penstock.dev/transforms/distill/student"
	"penstock.dev/transforms/models/nets"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Distill",
		Inputs:  []string{transforms.In, portExperts, portHeldOut},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newDistill,
	})
}

// Input ports beside in.
const (
	portExperts = "experts"
	portHeldOut = "heldOut"
)

// Methods of Distill.
const (
	methodTM     = "tm"
	methodDM     = "dm"
	methodSelect = "select"
)

// Config makes a few images a class of many; see specs.#Distill for the fields.
//
// A run is kept in the cache every so many iterations: images, labels, rate, their
// momenta and the iteration, from which every random draw follows. One that was killed
// goes on from there and ends as if it had not been.
type Config struct {
	Columns
	Method     string      `json:"method"`
	ImagesPer  int         `json:"imagesPerClass"`
	Start      string      `json:"start"`
	Soft       bool        `json:"soft"`
	Iterations int         `json:"iterations"`
	Augment    []string    `json:"augment"`
	Net        NetConfig   `json:"net"`
	Rate       float64     `json:"rate"`
	RateOf     Rates       `json:"rateOf"`
	Trajectory Trajectory  `json:"trajectory"`
	RealBatch  int         `json:"realBatch"`
	Validate   Validation  `json:"validate"`
	Checkpoint int         `json:"checkpoint"`
	Cache      string      `json:"cache"`
	Seed       int64       `json:"seed"`
	Students   TrainConfig `json:"students"` // how the result is to be trained on
}

// TrainConfig is a student.Protocol but for its rate and augmentation.
type TrainConfig struct {
	Epochs int `json:"epochs"`
	Batch  int `json:"batch"`
}

// Rates are the step sizes of what is learned, each with its momentum.
type Rates struct {
	Images float64 `json:"images"`
	Labels float64 `json:"labels"`
	Rate   float64 `json:"rate"`
}

// Momenta of the descent on images, labels and rate, which are DATM's.
const (
	imageMomentum = 0.5
	labelMomentum = 0.9
	rateMomentum  = 0.5
)

// Trajectory says what is matched in an iteration.
type Trajectory struct {
	Steps     int          `json:"steps"`     // N, of the student
	Epochs    int          `json:"epochs"`    // M, of the expert
	Batch     int          `json:"batch"`     // distilled images a step; 0 takes all
	First     int          `json:"first"`     // T-, the first epoch to start from
	Last      int          `json:"last"`      // T, the last at the beginning
	Furthest  int          `json:"furthest"`  // T+, the last at the end
	Growth    int          `json:"growth"`    // iterations in which Last becomes Furthest
	Threshold float64      `json:"threshold"` // loss above which a piece changes nothing
	Pieces    int          `json:"pieces"`    // matched in an iteration, their gradients averaged
	Gradient  match.Method `json:"gradient"`
}

// Validation chooses among the states of a run by the images of the port heldOut.
type Validation struct {
	Every    int `json:"every"` // iterations
	Networks int `json:"networks"`
}

type distiller struct {
	config Config
	cache  string

	mutex   sync.Mutex
	account account
}

// account is what a run measured.
type account struct {
	loss       float64 // mean of the last iterations
	iterations int     // of this run, without those of an earlier one
	skipped    int
	seconds    float64
	best       *state // by images held out
}

var (
	_ transforms.Global     = (*distiller)(nil)
	_ transforms.Keeper     = (*distiller)(nil)
	_ transforms.Metered    = (*distiller)(nil)
	_ transforms.Summarised = (*distiller)(nil)
)

func newDistill(config []byte) (transforms.Node, error) {
	n := &distiller{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	return n, n.config.check()
}

func (c *Config) check() error {
	field := func(name, format string, args ...any) error {
		return &transforms.FieldError{Field: name, Message: fmt.Sprintf(format, args...)}
	}
	t := c.Trajectory
	switch {
	case c.Method == methodTM && t.Last < t.First:
		return field("trajectory.last", "epoch %d is before the first, %d", t.Last, t.First)
	case c.Method == methodTM && t.Furthest < t.Last:
		return field("trajectory.furthest", "epoch %d is before the last, %d", t.Furthest, t.Last)
	case c.Method == methodDM && c.Soft:
		return field("soft", "dm does not learn labels")
	}
	if err := augment.Check(c.Augment); err != nil {
		return field("augment", "%v", err)
	}
	return nil
}

// needsExperts says whether there is nothing to be done without experts.
func (c *Config) needsExperts() bool {
	return c.Method == methodTM || c.Soft || c.Start == startCorrect
}

// Columns checks the inputs.
func (n *distiller) Columns(in transforms.Ports) (transforms.Ports, error) {
	err := n.config.Columns.check(in.Get(transforms.In), transforms.In)
	experts := in.Get(portExperts)
	switch c := n.config; {
	case experts != nil:
		for _, f := range []string{columnPath, columnNet, columnRecipe, columnData} {
			err = errors.Join(err, transforms.NeedColumn(experts, portExperts, f, data.String))
		}
		for _, f := range []string{columnExpert, columnEpochs} {
			err = errors.Join(err, transforms.NeedColumn(experts, portExperts, f, data.Int64))
		}
	case c.needsExperts():
		err = errors.Join(err, &transforms.FieldError{Field: portExperts, Message: "tm, soft labels and the start correct need experts", Hint: "connect a TrainExperts node, or use method dm or select with soft: false and start: \"random\""})
	}
	if v := in.Get(portHeldOut); v != nil {
		err = errors.Join(err, n.config.Columns.check(v, portHeldOut))
	}
	if err != nil {
		return nil, err
	}
	return transforms.OutPort(distilledSchema), nil
}

// Open finds the folder of the checkpoints.
func (n *distiller) Open(_ context.Context, run transforms.Run) error {
	n.cache = cacheFolder(n.config.Cache, run, "states")
	return nil
}

// Run distils.
func (n *distiller) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	w, err := n.prepare(ctx, in)
	if err != nil {
		return err
	}
	defer w.learner.Close()
	if err := w.distil(ctx); err != nil {
		return err
	}
	n.mutex.Lock()
	n.account = w.account
	n.mutex.Unlock()
	return w.emit(emit)
}

// work is a distillation under way.
type work struct {
	config  *Config
	data    string // hash of the real images
	key     string // of what it depends on
	cache   string
	real    *labelled.Set // scaled
	of      [][]int       // real images by class
	scaling labelled.Scaling
	heldOut *labelled.Set // scaled; nil if there is none
	experts *trained      // nil if there are none
	learner *nets.Learner[float32]
	state   *state
	account
}

// prepare reads the inputs and makes the first state, or finds one that was kept.
func (n *distiller) prepare(ctx context.Context, in transforms.Inputs) (_ *work, err error) {
	w := &work{config: &n.config, cache: n.cache}
	raw, err := n.config.read(in, transforms.In, nil)
	if err != nil {
		return nil, err
	}
	w.of = raw.Of()
	for class, members := range w.of {
		if len(members) < n.config.ImagesPer {
			return nil, fmt.Errorf("class %q has %d images, fewer than the %d a class that are asked for (imagesPerClass)", raw.Classes[class], len(members), n.config.ImagesPer)
		}
	}
	w.data = raw.Hash()
	net := n.config.Net.net(raw)
	if in.Count(portExperts) > 0 || n.config.needsExperts() {
		if w.experts, err = readExperts(in, w.data); err != nil {
			return nil, err
		}
		net = w.experts.net
	}
	if err := w.checkWindow(); err != nil {
		return nil, err
	}
	w.scaling = raw.Scaling()
	w.real = w.scaling.Apply(raw)
	if in.Count(portHeldOut) > 0 {
		v, err := n.config.read(in, portHeldOut, raw.Classes)
		if err != nil {
			return nil, err
		}
		if v.Shape != raw.Shape {
			return nil, fmt.Errorf("%s: images are %s, those of %s %s", portHeldOut, v.Shape, transforms.In, raw.Shape)
		}
		w.heldOut = w.scaling.Apply(v)
	}
	if w.learner, err = newLearner(net); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.learner.Close()
		}
	}()
	w.key = w.keyOf()
	return w, w.begin(ctx)
}

// checkWindow compares the window of start epochs with the experts' trajectories.
func (w *work) checkWindow() error {
	if w.config.Method != methodTM {
		return nil
	}
	t := w.config.Trajectory
	for i, e := range w.experts.trajectories {
		if epochs := len(e.Points) - 1; epochs < t.Furthest+t.Epochs {
			return fmt.Errorf("%s: expert %d has %d epochs, a start at epoch %d (trajectory.furthest) and %d epochs (trajectory.epochs) want %d", portExperts, i, epochs, t.Furthest, t.Epochs, t.Furthest+t.Epochs)
		}
	}
	return nil
}

// distil runs the iterations that are left.
func (w *work) distil(ctx context.Context) error {
	if w.config.Method == methodSelect {
		return nil
	}
	began := time.Now()
	for w.state.iteration < w.config.Iterations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.iterate(ctx); err != nil {
			return err
		}
		w.state.iteration++
		w.iterations++
		at := w.state.iteration
		last := at == w.config.Iterations
		if w.heldOut != nil && (at%w.config.Validate.Every == 0 || last) {
			if err := w.validate(ctx); err != nil {
				return err
			}
		}
		if at%w.config.Checkpoint == 0 || last {
			if err := w.save(); err != nil {
				return err
			}
		}
	}
	w.seconds = time.Since(began).Seconds()
	return nil
}

// iterate moves the state by one iteration.
func (w *work) iterate(ctx context.Context) error {
	step := w.matchTrajectories
	if w.config.Method == methodDM {
		step = w.matchDistributions
	}
	loss, err := step(ctx)
	if err != nil {
		return err
	}
	const memory = 25 // iterations
	if w.iterations == 0 {
		w.loss = loss
	}
	w.loss += (loss - w.loss) / memory
	return nil
}

// protocol is how students of a rate are trained.
func (w *work) protocol(rate float64) student.Protocol {
	return student.Protocol{Epochs: w.config.Students.Epochs, Batch: w.config.Students.Batch, Rate: rate, Augment: w.config.Augment}
}

// validate measures the state on images held out and keeps it if it is the best.
func (w *work) validate(ctx context.Context) error {
	accuracies := make([]float64, w.config.Validate.Networks)
	err := student.Parallel(ctx, w.learner.Callers(), len(accuracies), func(ctx context.Context, i int) (err error) {
		accuracies[i], err = measure(ctx, w.learner, w.protocol(w.state.rate), w.state.images, w.state.targets(w.config.Soft), w.heldOut, draws{"validate", w.config.Seed, i})
		return err
	})
	if err != nil {
		return err
	}
	if mean := meanOf(accuracies); w.best == nil || mean > w.best.accuracy {
		w.best = w.state.clone()
		w.best.accuracy = mean
	}
	return nil
}

// chosen is the state to be emitted: the best one, or the last if nothing was measured.
func (w *work) chosen() *state {
	if w.best != nil {
		return w.best
	}
	return w.state
}

// Metrics tell how the run went.
func (n *distiller) Metrics() []transforms.Metric {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	a := n.account
	if a.iterations == 0 {
		return nil
	}
	m := []transforms.Metric{
		{Name: "iterations", Value: float64(a.iterations)},
		{Name: "loss", Value: a.loss, Unit: "1"},
		{Name: "seconds an iteration", Value: a.seconds / float64(a.iterations), Unit: "s"},
	}
	if n.config.Method == methodTM {
		m = append(m, transforms.Metric{Name: "pieces above the threshold", Value: float64(a.skipped)})
	}
	return m
}

// Summary says what was reached.
func (n *distiller) Summary() []string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	a := n.account
	var s []string
	if a.iterations > 0 {
		s = append(s, fmt.Sprintf("%d iterations of %s in %.0f s, loss %.3g", a.iterations, strings.ToUpper(n.config.Method), a.seconds, a.loss))
	}
	if a.best != nil {
		s = append(s, fmt.Sprintf("the images of iteration %d were best on images held out: %.1f %%", a.best.iteration, 100*a.best.accuracy))
	}
	return s
}

func meanOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// deviationOf is the standard deviation of a sample.
func deviationOf(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	mean, sum := meanOf(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(values)-1))
}

// rowsOf numbers the distilled images of a class.
func (w *work) rowsOf(class int) []int {
	rows := make([]int, w.config.ImagesPer)
	for i := range rows {
		rows[i] = class*w.config.ImagesPer + i
	}
	return rows
}
