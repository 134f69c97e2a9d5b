package detect

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/calibration"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:   "Calibrate",
		Inputs: []string{transforms.In},
		New:    newCalibrate,
	})
}

// CalibrateConfig configures the kind Calibrate; see specs.#Calibrate.
type CalibrateConfig struct {
	Path      string    `json:"path"`
	Scores    []string  `json:"scores"` // columns
	Label     string    `json:"label"`  // column; empty if all rows are human
	Human     string    `json:"human"`  // the label of human rows
	Machine   string    `json:"machine"`
	By        string    `json:"by"`
	Length    string    `json:"length"` // column
	Direction string    `json:"direction"`
	FPR       []float64 `json:"fpr"`
	Seed      int64     `json:"seed"`
}

// Calibrate is a sink that makes a calibration of the rows it takes: a JSON file
// for Decide. Rows with another label than the two are left out; a row without a
// score, or whose score is not finite, makes the run fail, for leaving it out
// would change what is promised.
type Calibrate struct {
	config               CalibrateConfig
	scores               []int
	label, group, length int
	options              calibration.Options
}

var _ transforms.Sink = (*Calibrate)(nil)

func newCalibrate(config []byte) (transforms.Node, error) {
	c := &Calibrate{}
	if err := transforms.Decode(config, &c.config); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(c.config.Path, ".json") {
		return nil, &transforms.FieldError{Field: "path", Message: fmt.Sprintf("%q is no name for a calibration", c.config.Path), Hint: "want a file that ends in .json"}
	}
	if len(c.config.Scores) == 0 {
		return nil, &transforms.FieldError{Field: "scores", Message: "no score to calibrate"}
	}
	for i, name := range c.config.Scores {
		if slices.Contains(c.config.Scores[:i], name) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("scores.%d", i), Message: fmt.Sprintf("score %q twice", name)}
		}
	}
	for i, fpr := range c.config.FPR {
		if !(fpr > 0 && fpr < 1) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("fpr.%d", i), Message: fmt.Sprintf("a false-positive rate of %g cannot be promised, want more than 0 and less than 1", fpr)}
		}
	}
	switch direction := calibration.Direction(c.config.Direction); {
	case c.config.Label == "" && len(c.config.Scores) > 1:
		return nil, &transforms.FieldError{Field: "label", Message: "a combination of scores needs machine references too, and a label that tells them apart"}
	case c.config.Label == "" && direction == calibration.Auto:
		return nil, &transforms.FieldError{Field: "direction", Message: "the direction cannot be found without a label", Hint: `state it, or "both"`}
	case len(c.config.Scores) > 1 && direction == calibration.Both:
		return nil, &transforms.FieldError{Field: "direction", Message: "a combination of scores has one direction, the one its machine references show", Hint: `leave it "auto"`}
	}
	return c, nil
}

// Columns implements transforms.Node.
func (c *Calibrate) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	var errs []error
	column := func(field, name string, kinds ...data.Kind) int {
		if name == "" {
			return -1
		}
		errs = append(errs, transforms.NeedColumn(schema, field, name, kinds...))
		return schema.Index(name)
	}
	c.scores = nil
	c.options = calibration.Options{Direction: calibration.Direction(c.config.Direction), FPR: c.config.FPR, By: c.config.By, Length: c.config.Length}
	for i, name := range c.config.Scores {
		at := column(fmt.Sprintf("scores.%d", i), name, data.Float64, data.Float32, data.Int64)
		c.scores = append(c.scores, at)
		if at >= 0 {
			c.options.Scores = append(c.options.Scores, calibration.Score{Column: name, Origin: schema.Field(at).Origin})
		}
	}
	c.label = column("label", c.config.Label, data.String, data.Bool, data.Int64)
	c.group = column("by", c.config.By, data.String, data.Bool, data.Int64)
	c.length = column("length", c.config.Length, data.Int64)
	return nil, errors.Join(errs...)
}

// Create opens a shard: references, one a line.
func (c *Calibrate) Create(_ context.Context, run transforms.Run, attempt string) (transforms.ShardWriter, error) {
	path, err := commit.New(c.config.Path).Temp(run.ID, attempt, ".jsonl")
	if err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(f)
	return &referenceShard{node: c, file: f, out: out, lines: json.NewEncoder(out), shard: transforms.Shard{Path: path}}, nil
}

// Commit fits the calibration and puts it in place.
func (c *Calibrate) Commit(ctx context.Context, run transforms.Run, shards []transforms.Shard) error {
	var references []calibration.Reference
	for _, s := range shards {
		if err := readReferences(s.Path, &references); err != nil {
			return err
		}
	}
	made, err := calibration.Fit(references, c.options)
	if err != nil {
		return fmt.Errorf("%s: %w", c.config.Path, err)
	}
	b, err := made.Marshal()
	if err != nil {
		return err
	}
	output := commit.New(c.config.Path)
	path, err := output.Temp(run.ID, "calibration", ".json")
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(path, b, 0o644), commit.Sync(path)); err != nil {
		return err
	}
	return output.Commit(ctx, run.ID, []commit.Shard{{Path: path, Rows: int64(len(references)), Bytes: int64(len(b))}}, nil)
}

// Discard implements transforms.Sink.
func (c *Calibrate) Discard(run transforms.Run) error {
	return commit.New(c.config.Path).Discard(run.ID)
}

func readReferences(path string, into *[]calibration.Reference) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := json.NewDecoder(bufio.NewReader(f))
	for {
		var r calibration.Reference
		if err := lines.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		*into = append(*into, r)
	}
}

// referenceShard writes references.
type referenceShard struct {
	node  *Calibrate
	file  *os.File
	out   *bufio.Writer
	lines *json.Encoder
	shard transforms.Shard
}

// Write implements transforms.ShardWriter.
func (s *referenceShard) Write(r *data.Record) error {
	if s.shard.Rows == 0 || r.Order < s.shard.First {
		s.shard.First = r.Order
	}
	s.shard.Rows++
	c := s.node
	reference := calibration.Reference{Key: data.Hash(r.ID.String(), c.config.Seed), Human: true}
	if c.label >= 0 {
		switch plain(r.Values[c.label]) {
		case c.config.Human:
		case c.config.Machine:
			reference.Human = false
		default:
			return nil
		}
	}
	if c.group >= 0 {
		reference.Group = plain(r.Values[c.group])
	}
	if c.length >= 0 {
		reference.Tokens = r.Values[c.length].Int64()
	}
	for i, at := range c.scores {
		v := r.Values[at]
		x := v.Float64()
		if v.IsNull() || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s: row %s has no %s: filter such rows out first, here and before Decide", c.config.Path, r.ID, c.config.Scores[i])
		}
		reference.Values = append(reference.Values, x)
	}
	return s.lines.Encode(reference)
}

// Close implements transforms.ShardWriter.
func (s *referenceShard) Close() (transforms.Shard, error) {
	return s.shard, errors.Join(s.out.Flush(), s.file.Close())
}

// Abort implements transforms.ShardWriter.
func (s *referenceShard) Abort() {
	s.file.Close()
	os.Remove(s.shard.Path)
}
