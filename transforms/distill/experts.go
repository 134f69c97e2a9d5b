package distill

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/distill/augment"
	"penstock.dev/transforms/distill/expert"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/distill/student"
	"penstock.dev/transforms/models/nets"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "TrainExperts",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newExperts,
	})
}

// NetConfig chooses a network; images and classes come from the data.
type NetConfig struct {
	Family string `json:"family"`
	Width  int    `json:"width"`
	Depth  int    `json:"depth"`
}

func (c NetConfig) net(s *labelled.Set) nets.Net {
	n := nets.Net{Family: c.Family, Width: c.Width, Depth: c.Depth, Image: s.Shape, Classes: len(s.Classes)}
	if n.Family == nets.LeNet {
		n.Width, n.Depth = 0, 0
	}
	return n
}

// ExpertsConfig trains networks on labelled images, one row each: expert, path of its
// trajectory (see expert.Store), epochs, loss of the last epoch, accuracy on the images
// it was trained on, and net, recipe and data, which name what it depends on. Experts
// are trained side by side; each depends on its number and the seed alone.
type ExpertsConfig struct {
	Columns
	Net     NetConfig `json:"net"`
	Experts int       `json:"experts"`
	Epochs  int       `json:"epochs"`
	expert.Recipe
	Cache string `json:"cache"` // folder; "" lies beside the runs
}

type experts struct {
	config ExpertsConfig
	cache  string
}

var (
	_ transforms.Global = (*experts)(nil)
	_ transforms.Keeper = (*experts)(nil)
)

func newExperts(config []byte) (transforms.Node, error) {
	n := &experts{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if err := augment.Check(n.config.Augment); err != nil {
		return nil, &transforms.FieldError{Field: "augment", Message: err.Error()}
	}
	return n, nil
}

// Columns of TrainExperts, which Distill reads.
const (
	columnExpert = "expert"
	columnPath   = "path"
	columnEpochs = "epochs"
	columnNet    = "net"
	columnRecipe = "recipe"
	columnData   = "data"
)

var expertSchema = data.MustSchema(
	data.Field{Name: columnExpert, Type: data.Int64Type},
	data.Field{Name: columnPath, Type: data.StringType},
	data.Field{Name: columnEpochs, Type: data.Int64Type},
	data.Field{Name: "loss", Type: data.Float64Type},
	data.Field{Name: "accuracy", Type: data.Float64Type},
	data.Field{Name: columnNet, Type: data.StringType},
	data.Field{Name: columnRecipe, Type: data.StringType},
	data.Field{Name: columnData, Type: data.StringType},
)

// Columns checks the input's.
func (n *experts) Columns(in transforms.Ports) (transforms.Ports, error) {
	if err := n.config.check(in.Get(transforms.In), transforms.In); err != nil {
		return nil, err
	}
	return transforms.OutPort(expertSchema), nil
}

// Open finds the folder of the trajectories.
func (n *experts) Open(_ context.Context, run transforms.Run) error {
	n.cache = cacheFolder(n.config.Cache, run, "experts")
	return nil
}

// cacheFolder is where a node keeps what outlives a run.
func cacheFolder(given string, run transforms.Run, name string) string {
	return cmp.Or(given, filepath.Join(run.State, "distill", name))
}

// mostJudged bounds the images on which an expert's accuracy is measured.
const mostJudged = 5000

// Run trains the experts that are not in the cache and emits all.
func (n *experts) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	set, err := n.config.read(in, transforms.In, nil)
	if err != nil {
		return err
	}
	net := n.config.Net.net(set)
	learner, err := newLearner(net)
	if err != nil {
		return err
	}
	defer learner.Close()
	store := expert.Store{Folder: n.cache, Net: net, Recipe: n.config.Recipe, Data: set.Hash()}
	set = set.Scaling().Apply(set)
	rows := make([]*data.Record, n.config.Experts)
	err = student.Parallel(ctx, learner.Callers(), len(rows), func(ctx context.Context, i int) error {
		t, err := store.Train(ctx, learner, set, i, n.config.Epochs)
		if err != nil {
			return err
		}
		rows[i], err = describe(ctx, learner, set, store, i, t)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		emit(transforms.Out, r)
	}
	return nil
}

// newLearner opens a network; one that does not fit the images is the field's fault.
func newLearner(net nets.Net) (*nets.Learner[float32], error) {
	if err := net.Check(); err != nil {
		return nil, fmt.Errorf("net: %w", err)
	}
	return nets.NewLearner[float32](net)
}

// describe is the row of an expert.
func describe(ctx context.Context, l *nets.Learner[float32], set *labelled.Set, s expert.Store, number int, t *expert.Trajectory) (*data.Record, error) {
	some := *set
	some.Labels = set.Labels[:min(mostJudged, set.Len())]
	some.Images = set.Images[:len(some.Labels)*set.Shape.Size()]
	accuracy, err := student.Accuracy(ctx, l, t.Last(), &some)
	if err != nil {
		return nil, err
	}
	net, err := json.Marshal(s.Net)
	recipe, recipeErr := json.Marshal(s.Recipe)
	if err := errors.Join(err, recipeErr); err != nil {
		return nil, err
	}
	return &data.Record{Schema: expertSchema, ID: data.ID{Source: "expert", Row: int64(number)}, Values: []data.Value{
		data.Int64Value(int64(number)), data.StringValue(s.Path(number)), data.Int64Value(int64(len(t.Points) - 1)),
		data.Float64Value(t.Losses[len(t.Losses)-1]), data.Float64Value(accuracy), data.StringValue(string(net)), data.StringValue(string(recipe)), data.StringValue(s.Data),
	}}, nil
}

// trained are experts of one net and recipe, as Distill takes them.
type trained struct {
	net          nets.Net
	key          string
	trajectories []*expert.Trajectory
}

// readExperts reads the rows of TrainExperts, of experts that were trained on the data
// of this hash. Their loss is of no interest and not read.
func readExperts(in transforms.Inputs, hash string) (*trained, error) {
	t := &trained{}
	for r, err := range in.Rows(portExperts) {
		if err != nil {
			return nil, err
		}
		s := expert.Store{Data: r.Get(columnData).Text()}
		if s.Data != hash {
			return nil, fmt.Errorf("%s: expert %d was trained on other images (%.12s, these are %.12s): give both nodes the same rows", portExperts, r.Get(columnExpert).Int64(), s.Data, hash)
		}
		if err := errors.Join(json.Unmarshal(r.Get(columnNet).Bytes(), &s.Net), json.Unmarshal(r.Get(columnRecipe).Bytes(), &s.Recipe), s.Net.Check()); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", portExperts, r.ID, err)
		}
		if key := s.Key(); t.key != "" && t.key != key {
			return nil, fmt.Errorf("%s: expert %d is of another network or recipe than those before it", portExperts, r.Get(columnExpert).Int64())
		}
		t.net, t.key = s.Net, s.Key()
		one, err := expert.Read(r.Get(columnPath).Text(), s.Net.Parameters(), t.key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", portExperts, err)
		}
		points := min(int(r.Get(columnEpochs).Int64()), len(one.Points)-1) + 1
		one.Points = slices.Clip(one.Points[:points])
		t.trajectories = append(t.trajectories, one)
	}
	if len(t.trajectories) == 0 {
		return nil, fmt.Errorf("%s: there are no experts", portExperts)
	}
	return t, nil
}
