package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/roc"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Evaluate",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newEvaluate,
	})
}

// EvaluateConfig configures the kind Evaluate; see specs.#Evaluate.
type EvaluateConfig struct {
	Label    string    `json:"label"`    // column
	Positive string    `json:"positive"` // its value in the positive class, as text
	Scores   []string  `json:"scores"`   // columns; higher stands for the positive class
	By       []string  `json:"by"`       // columns that divide the rows into groups
	FPR      []float64 `json:"fpr"`      // false-positive rates to report at
}

// Evaluate measures how well scores separate labelled rows, over all rows and in
// each group: AUROC with DeLong's interval, average precision, and the
// true-positive rate at given false-positive rates with exact intervals. It
// keeps every score, 8 bytes each, until its input has ended.
type Evaluate struct {
	config EvaluateConfig
	label  int
	scores []int
	by     []int
	out    *data.Schema
	result atomic.Pointer[transforms.Evaluation]
}

var (
	_ transforms.Combiner  = (*Evaluate)(nil)
	_ transforms.Evaluator = (*Evaluate)(nil)
)

func newEvaluate(config []byte) (transforms.Node, error) {
	e := &Evaluate{}
	if err := transforms.Decode(config, &e.config); err != nil {
		return nil, err
	}
	if len(e.config.Scores) == 0 {
		return nil, &transforms.FieldError{Field: "scores", Message: "no score to evaluate"}
	}
	for i, name := range e.config.Scores {
		if slices.Contains(e.config.Scores[:i], name) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("scores.%d", i), Message: fmt.Sprintf("score %q twice", name)}
		}
	}
	for i, fpr := range e.config.FPR {
		if slices.Contains(e.config.FPR[:i], fpr) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("fpr.%d", i), Message: fmt.Sprintf("rate %g twice", fpr)}
		}
		if !(fpr > 0 && fpr < 1) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("fpr.%d", i), Message: fmt.Sprintf("a false-positive rate of %g cannot be reported at, want more than 0 and less than 1", fpr)}
		}
	}
	return e, nil
}

// Columns implements transforms.Node.
func (e *Evaluate) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	errs := []error{transforms.NeedColumn(schema, "label", e.config.Label, data.String, data.Bool, data.Int64)}
	e.label = schema.Index(e.config.Label)
	e.scores, e.by = nil, nil
	for i, name := range e.config.Scores {
		errs = append(errs, transforms.NeedColumn(schema, fmt.Sprintf("scores.%d", i), name, data.Float64, data.Float32, data.Int64))
		e.scores = append(e.scores, schema.Index(name))
	}
	var fields []data.Field
	for i, name := range e.config.By {
		errs = append(errs, transforms.NeedColumn(schema, fmt.Sprintf("by.%d", i), name, data.String, data.Bool, data.Int64))
		e.by = append(e.by, schema.Index(name))
		fields = append(fields, data.Field{Name: name, Type: data.StringType, Nullable: true})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out, err := data.NewSchema(append(fields, e.figures()...)...)
	if err != nil {
		return nil, &transforms.FieldError{Field: "by", Message: err.Error(), Hint: "rename the column first"}
	}
	e.out = out
	return transforms.OutPort(out), nil
}

// figures are the columns of the result behind those of the groups.
func (e *Evaluate) figures() []data.Field {
	number := func(name string) data.Field { return data.Field{Name: name, Type: data.Float64Type, Nullable: true} }
	fields := []data.Field{
		{Name: "score", Type: data.StringType},
		{Name: "positives", Type: data.Int64Type},
		{Name: "negatives", Type: data.Int64Type},
		{Name: "missing", Type: data.Int64Type},
		number("auroc"), number("auroc_low"), number("auroc_high"), number("average_precision"),
	}
	for _, fpr := range e.config.FPR {
		at := fmt.Sprintf("_at_fpr_%g", fpr)
		fields = append(fields, number("threshold"+at), number("tpr"+at), number("tpr_low"+at), number("tpr_high"+at),
			data.Field{Name: "reachable" + at, Type: data.BoolType, Nullable: true})
	}
	return fields
}

// NewAccumulator implements transforms.Combiner.
func (e *Evaluate) NewAccumulator() transforms.Accumulator {
	return &evaluating{node: e, groups: map[string]*labelled{}}
}

// Evaluation implements transforms.Evaluator.
func (e *Evaluate) Evaluation() *transforms.Evaluation { return e.result.Load() }

// labelled are the rows of a group.
type labelled struct {
	Values  []string // of the By columns
	Scores  []class  // one for each score
	Missing []int    // rows without a label or the score
}

// class are the values of a score by class.
type class struct{ Positive, Negative []float64 }

// evaluating is the accumulator of Evaluate.
type evaluating struct {
	node   *Evaluate
	groups map[string]*labelled
}

// group finds the rows of a group by the values of its columns.
func (a *evaluating) group(values []string) *labelled {
	key := fmt.Sprintf("%q", values)
	g := a.groups[key]
	if g == nil {
		n := len(a.node.scores)
		g = &labelled{Values: values, Scores: make([]class, n), Missing: make([]int, n)}
		a.groups[key] = g
	}
	return g
}

// Add implements transforms.Accumulator.
func (a *evaluating) Add(r *data.Record) error {
	values := make([]string, len(a.node.by))
	for i, column := range a.node.by {
		values[i] = plain(r.Values[column])
	}
	g := a.group(values)
	label := r.Values[a.node.label]
	positive := plain(label) == a.node.config.Positive
	for i, column := range a.node.scores {
		v := r.Values[column]
		x := v.Float64()
		switch {
		case label.IsNull(), v.IsNull(), math.IsNaN(x), math.IsInf(x, 0):
			g.Missing[i]++
		case positive:
			g.Scores[i].Positive = append(g.Scores[i].Positive, x)
		default:
			g.Scores[i].Negative = append(g.Scores[i].Negative, x)
		}
	}
	return nil
}

// plain is a label or group value as text.
func plain(v data.Value) string {
	switch v.Kind() {
	case data.String:
		return v.Text()
	case data.Bool:
		return fmt.Sprint(v.Bool())
	case data.Int64:
		return fmt.Sprint(v.Int64())
	}
	return ""
}

// sorted are the groups by their values, so that results come in one order.
func (a *evaluating) sorted() []*labelled {
	all := make([]*labelled, 0, len(a.groups))
	for _, g := range a.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(x, y *labelled) int { return slices.Compare(x.Values, y.Values) })
	return all
}

// Emit implements transforms.Accumulator.
func (a *evaluating) Emit(_ context.Context, emit transforms.Emit) error {
	e := a.node
	result := &transforms.Evaluation{Label: e.config.Label, Positive: e.config.Positive, By: e.config.By}
	groups := a.sorted()
	if len(e.by) > 0 || len(groups) == 0 {
		groups = append([]*labelled{a.pooled(groups)}, groups...)
	}
	for _, g := range groups {
		for i, name := range e.config.Scores {
			s := evaluate(name, g.Scores[i], e.config.FPR)
			s.Group, s.Missing = groupName(g.Values), g.Missing[i]
			result.Scores = append(result.Scores, s)
			emit(transforms.Out, e.record(g.Values, s))
		}
	}
	e.result.Store(result)
	return nil
}

// groupName shows the values of a group, "" for all rows.
func groupName(values []string) string {
	shown := slices.Clone(values)
	for i, v := range shown {
		if v == "" {
			shown[i] = "(none)"
		}
	}
	return strings.Join(shown, " / ")
}

// pooled joins all groups into one without values.
func (a *evaluating) pooled(groups []*labelled) *labelled {
	n := len(a.node.scores)
	all := &labelled{Scores: make([]class, n), Missing: make([]int, n)}
	for _, g := range groups {
		all.add(g)
	}
	return all
}

func (g *labelled) add(o *labelled) {
	for i := range g.Scores {
		g.Scores[i].Positive = append(g.Scores[i].Positive, o.Scores[i].Positive...)
		g.Scores[i].Negative = append(g.Scores[i].Negative, o.Scores[i].Negative...)
		g.Missing[i] += o.Missing[i]
	}
}

// evaluate computes the figures of one score in one group.
func evaluate(name string, c class, fprs []float64) transforms.ScoreEvaluation {
	s := transforms.ScoreEvaluation{Score: name, Positives: len(c.Positive), Negatives: len(c.Negative)}
	if s.Positives == 0 || s.Negatives == 0 {
		s.Note = fmt.Sprintf("%d positive and %d negative rows: both classes are needed", s.Positives, s.Negatives)
		return s
	}
	scores, err := roc.New(c.Positive, c.Negative)
	if err != nil {
		s.Note = err.Error()
		return s
	}
	area := scores.DeLong()
	s.AUROC, s.AUROCLow, s.AUROCHigh = area.AUROC, area.Low, area.High
	s.AveragePrecision = scores.AveragePrecision()
	for _, fpr := range fprs {
		s.At = append(s.At, operatingPoint(scores, fpr, s.Negatives))
	}
	for _, p := range scores.Curve() {
		s.ROC = append(s.ROC, transforms.Point(p))
	}
	h := scores.Histogram()
	s.HistEdges = h.Edges
	for i := range h.Positive {
		s.HistPositive = append(s.HistPositive, int64(h.Positive[i]))
		s.HistNegative = append(s.HistNegative, int64(h.Negative[i]))
	}
	return s
}

func operatingPoint(scores *roc.Scores, fpr float64, negatives int) transforms.Operating {
	p, err := scores.TPRAt(fpr)
	if err != nil {
		return transforms.Operating{FPR: fpr, Note: err.Error()}
	}
	o := transforms.Operating{
		FPR: fpr, Threshold: p.Threshold,
		AchievedFPR: p.FPR.Value, FPRLow: p.FPR.Low, FPRHigh: p.FPR.High,
		TPR: p.TPR.Value, TPRLow: p.TPR.Low, TPRHigh: p.TPR.High,
		Reachable: p.Reachable,
	}
	if !p.Reachable {
		o.Note = fmt.Sprintf("not reachable with %d rows", negatives)
	}
	return o
}

// record is a row of the result.
func (e *Evaluate) record(group []string, s transforms.ScoreEvaluation) *data.Record {
	values := make([]data.Value, len(e.by), e.out.Len())
	for i, v := range group {
		values[i] = data.StringValue(v)
	}
	values = append(values, data.StringValue(s.Score),
		data.Int64Value(int64(s.Positives)), data.Int64Value(int64(s.Negatives)), data.Int64Value(int64(s.Missing)))
	known := func(x float64) data.Value {
		if s.Note != "" {
			return data.Value{}
		}
		return data.Float64Value(x)
	}
	values = append(values, known(s.AUROC), known(s.AUROCLow), known(s.AUROCHigh), known(s.AveragePrecision))
	for i := range e.config.FPR {
		if s.Note != "" {
			values = append(values, make([]data.Value, 5)...)
			continue
		}
		at := s.At[i]
		values = append(values, known(at.Threshold), known(at.TPR), known(at.TPRLow), known(at.TPRHigh), data.BoolValue(at.Reachable))
	}
	key := strings.Join(append(slices.Clone(group), s.Score), "/")
	return &data.Record{Schema: e.out, ID: data.KeyID(key), Values: values}
}
