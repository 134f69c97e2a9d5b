package detect

import (
	"cmp"
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
	bands
	// Audit are columns whose trivial features are measured; nil for text and image.
	Audit       *[]string `json:"audit"`
	MaxConfound float64   `json:"maxConfound"` // AUROC of a trivial feature that fails the run
	Transfer    []float64 `json:"transfer"`    // false-positive rates of thresholds tried on other groups
}

// bands divide rows by the values of a numeric column at ascending edges.
type bands struct {
	Band      string    `json:"band"` // column, "" for no bands
	BandEdges []float64 `json:"bandEdges"`
}

func (b *bands) check() error {
	ascending := slices.IsSorted(b.BandEdges) && len(slices.Compact(slices.Clone(b.BandEdges))) == len(b.BandEdges)
	switch {
	case !ascending:
		return &transforms.FieldError{Field: "bandEdges", Message: "the edges of bands do not ascend"}
	case b.Band != "" && len(b.BandEdges) == 0:
		return &transforms.FieldError{Field: "bandEdges", Message: "band has no edges", Hint: "say where the bands meet: bandEdges: [50, 100, 200]"}
	case b.Band == "" && len(b.BandEdges) > 0:
		return &transforms.FieldError{Field: "bandEdges", Message: "there are edges and no column for them", Hint: "name the column: band: \"tokens\""}
	}
	return nil
}

// names of the bands; the last is of rows without a value.
func (b *bands) names() []string {
	names := []string{fmt.Sprintf("below %g", b.BandEdges[0])}
	for i, edge := range b.BandEdges[1:] {
		names = append(names, fmt.Sprintf("%g to %g", b.BandEdges[i], edge))
	}
	return append(names, fmt.Sprintf("%g or more", b.BandEdges[len(b.BandEdges)-1]), "(none)")
}

// of is the band of a value.
func (b *bands) of(v data.Value) int {
	if v.IsNull() || math.IsNaN(v.Float64()) {
		return len(b.BandEdges) + 1
	}
	band, equal := slices.BinarySearch(b.BandEdges, v.Float64())
	if equal {
		band++
	}
	return band
}

// Evaluate measures how well scores separate labelled rows, over all rows and in
// each group: AUROC with DeLong's interval, average precision, and the
// true-positive rate at given false-positive rates with exact intervals. It tells what
// trivial features of the columns would achieve, and what thresholds of one group do in
// another. It keeps every score and feature, 8 bytes each, until its input has ended.
type Evaluate struct {
	config EvaluateConfig
	label  int
	scores []int
	by     []int
	band   int // column of the bands, -1 for none
	audit  []audited
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
	if err := e.config.bands.check(); err != nil {
		return nil, err
	}
	for i, fpr := range e.config.Transfer {
		if !(fpr > 0 && fpr < 1) || slices.Contains(e.config.Transfer[:i], fpr) {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("transfer.%d", i), Message: fmt.Sprintf("no threshold for a false-positive rate of %g, want rates between 0 and 1, each once", fpr)}
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
	e.band = -1
	if e.config.Band != "" {
		errs = append(errs, transforms.NeedColumn(schema, "band", e.config.Band, data.Float64, data.Float32, data.Int64))
		e.band = schema.Index(e.config.Band)
	}
	errs = append(errs, e.findAudited(schema))
	var fields []data.Field
	for i, name := range e.config.By {
		errs = append(errs, transforms.NeedColumn(schema, fmt.Sprintf("by.%d", i), name, data.String, data.Bool, data.Int64))
		e.by = append(e.by, schema.Index(name))
		fields = append(fields, data.Field{Name: name, Type: data.StringType, Nullable: true})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if e.config.Band != "" {
		fields = append(fields, data.Field{Name: "band", Type: data.StringType, Nullable: true})
	}
	out, err := data.NewSchema(append(fields, e.figures()...)...)
	if err != nil {
		return nil, &transforms.FieldError{Field: "by", Message: err.Error(), Hint: "rename the column first"}
	}
	e.out = out
	return transforms.OutPort(out), nil
}

// findAudited finds the columns whose trivial features are measured: those asked for,
// else text and image where they are.
func (e *Evaluate) findAudited(schema *data.Schema) error {
	e.audit = nil
	if e.config.Audit == nil {
		for _, name := range []string{"text", "image"} {
			if a, ok := auditable(schema, name); ok {
				e.audit = append(e.audit, a)
			}
		}
		return nil
	}
	for i, name := range *e.config.Audit {
		field := fmt.Sprintf("audit.%d", i)
		if schema.Index(name) < 0 {
			return transforms.NeedColumn(schema, field, name, data.String)
		}
		a, ok := auditable(schema, name)
		if !ok {
			return &transforms.FieldError{Field: field, Message: fmt.Sprintf("column %s is of type %s, of which no trivial features are known", name, schema.Field(schema.Index(name)).Type), Hint: "audit texts, images and numbers"}
		}
		e.audit = append(e.audit, a)
	}
	return nil
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

// labelled are the rows of a group in one band.
type labelled struct {
	Values   []string // of the By columns
	Band     int
	Scores   []class // one for each score
	Missing  []int   // rows without a label or the score
	Features []class // one for each feature of each audited column
}

// class are the values of a score by class.
type class struct{ Positive, Negative []float64 }

// evaluating is the accumulator of Evaluate.
type evaluating struct {
	node   *Evaluate
	groups map[string]*labelled
}

// group finds the rows of a group and band by the values of its columns.
func (a *evaluating) group(values []string, band int) *labelled {
	key := fmt.Sprintf("%q %d", values, band)
	g := a.groups[key]
	if g == nil {
		g = a.node.newLabelled(values, band)
		a.groups[key] = g
	}
	return g
}

func (e *Evaluate) newLabelled(values []string, band int) *labelled {
	n, features := len(e.scores), 0
	for _, column := range e.audit {
		features += len(column.features)
	}
	return &labelled{Values: values, Band: band, Scores: make([]class, n), Missing: make([]int, n), Features: make([]class, features)}
}

// Add implements transforms.Accumulator.
func (a *evaluating) Add(r *data.Record) error {
	values := make([]string, len(a.node.by))
	for i, column := range a.node.by {
		values[i] = plain(r.Values[column])
	}
	band := 0
	if a.node.band >= 0 {
		band = a.node.config.bands.of(r.Values[a.node.band])
	}
	g := a.group(values, band)
	label := r.Values[a.node.label]
	positive := plain(label) == a.node.config.Positive
	for i, column := range a.node.scores {
		v := r.Values[column]
		if label.IsNull() || v.IsNull() || !g.Scores[i].add(positive, v.Float64()) {
			g.Missing[i]++
		}
	}
	if label.IsNull() {
		return nil
	}
	at := 0
	for _, column := range a.node.audit {
		for _, x := range column.measure(r.Values[column.column]) {
			g.Features[at].add(positive, x)
			at++
		}
	}
	return nil
}

// add takes a value into its class; what is not a number is refused.
func (c *class) add(positive bool, x float64) bool {
	switch {
	case math.IsNaN(x), math.IsInf(x, 0):
		return false
	case positive:
		c.Positive = append(c.Positive, x)
	default:
		c.Negative = append(c.Negative, x)
	}
	return true
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
	slices.SortFunc(all, func(x, y *labelled) int {
		return cmp.Or(slices.Compare(x.Values, y.Values), cmp.Compare(x.Band, y.Band))
	})
	return all
}

// Emit implements transforms.Accumulator.
func (a *evaluating) Emit(_ context.Context, emit transforms.Emit) error {
	e := a.node
	result := &transforms.Evaluation{Label: e.config.Label, Positive: e.config.Positive, By: e.config.By}
	parts := a.sorted()
	all, groups := e.pooled(parts), e.groups(parts)
	for _, g := range append([]*labelled{all}, groups...) {
		for i, name := range e.config.Scores {
			s := evaluate(name, g.Scores[i], e.config.FPR)
			s.Group, s.Missing = groupName(g.Values), g.Missing[i]
			result.Scores = append(result.Scores, s)
			emit(transforms.Out, e.record(g.Values, "", s))
		}
	}
	if e.config.Band != "" {
		result.BandColumn = e.config.Band
		result.Bands = e.evaluateBands(parts, emit)
	}
	result.Confounds = e.confounds(all, groups)
	result.Transfers = e.transfers(groups)
	e.result.Store(result)
	return gate(result.Confounds, e.config.MaxConfound, e.config.Positive)
}

// groups joins the bands of each group; there are none without columns to group by.
func (e *Evaluate) groups(parts []*labelled) (groups []*labelled) {
	if len(e.by) == 0 {
		return nil
	}
	for _, part := range parts {
		if n := len(groups); n == 0 || !slices.Equal(groups[n-1].Values, part.Values) {
			groups = append(groups, e.newLabelled(part.Values, 0))
		}
		groups[len(groups)-1].add(part)
	}
	return groups
}

// evaluateBands evaluates the rows of each band that has any.
func (e *Evaluate) evaluateBands(parts []*labelled, emit transforms.Emit) (all []transforms.ScoreEvaluation) {
	for band, name := range e.config.bands.names() {
		in := slices.DeleteFunc(slices.Clone(parts), func(part *labelled) bool { return part.Band != band })
		if len(in) == 0 {
			continue
		}
		g := e.pooled(in)
		for i, score := range e.config.Scores {
			s := evaluate(score, g.Scores[i], e.config.FPR)
			s.Group, s.Missing = name, g.Missing[i]
			all = append(all, s)
			emit(transforms.Out, e.record(nil, name, s))
		}
	}
	return all
}

// confounds evaluates the features of the audited columns, those that separate best
// first.
func (e *Evaluate) confounds(all *labelled, groups []*labelled) (found []transforms.Confound) {
	names := namesOf(groups)
	at := 0
	for _, column := range e.audit {
		for _, feature := range column.features {
			within := make([]class, len(groups))
			for i, g := range groups {
				within[i] = g.Features[at]
			}
			if c, ok := confound(column.name, feature, all.Features[at], names, within); ok {
				found = append(found, c)
			}
			at++
		}
	}
	slices.SortStableFunc(found, func(x, y transforms.Confound) int { return cmp.Compare(y.AUROC, x.AUROC) })
	return found
}

// transfers tries thresholds between groups.
func (e *Evaluate) transfers(groups []*labelled) (all []transforms.Transfer) {
	if len(groups) < 2 || len(groups) > maxTransferGroups {
		return nil
	}
	names := namesOf(groups)
	for i, score := range e.config.Scores {
		classes := make([]class, len(groups))
		for k, g := range groups {
			classes[k] = g.Scores[i]
		}
		for _, fpr := range e.config.Transfer {
			if t := transfer(score, fpr, names, classes); len(t.Groups) > 1 {
				all = append(all, t)
			}
		}
	}
	return all
}

func namesOf(groups []*labelled) []string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = groupName(g.Values)
	}
	return names
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

// pooled joins parts into one without values.
func (e *Evaluate) pooled(parts []*labelled) *labelled {
	all := e.newLabelled(nil, 0)
	for _, g := range parts {
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
	for i := range g.Features {
		g.Features[i].Positive = append(g.Features[i].Positive, o.Features[i].Positive...)
		g.Features[i].Negative = append(g.Features[i].Negative, o.Features[i].Negative...)
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

// record is a row of the result, of a group or of a band.
func (e *Evaluate) record(group []string, band string, s transforms.ScoreEvaluation) *data.Record {
	values := make([]data.Value, len(e.by), e.out.Len())
	for i, v := range group {
		values[i] = data.StringValue(v)
	}
	if e.config.Band != "" {
		values = append(values, data.Value{})
		if band != "" {
			values[len(e.by)] = data.StringValue(band)
		}
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
	if band != "" {
		key = "band " + band + "/" + key
	}
	return &data.Record{Schema: e.out, ID: data.KeyID(key), Values: values}
}
