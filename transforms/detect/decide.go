package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/calibration"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Decide",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, portClear, portUnsure, transforms.Rejects},
		New:     newDecide,
	})
}

// Ports of Decide beside out, which carries all rows that were judged.
const (
	portClear  = "clear"
	portUnsure = "unsure"
)

// DecideConfig configures the kind Decide; see specs.#Decide.
type DecideConfig struct {
	Calibration string  `json:"calibration"` // path
	FPR         float64 `json:"fpr"`         // 0 for the smallest the calibration was asked for
	Unknown     string  `json:"unknown"`     // what to do with a group without references: "unsure" or "reject"
}

// Decide judges rows by a calibration. It adds the columns verdict (machine,
// human or unsure), p_value (null where the group has no references), calibration
// (the beginning of its id) and fpr: the promised false-positive rate.
//
// Behind another Decide it judges again, and the promises add up: a human row is
// called machine if the first or the second does so, which has at most the sum of
// both probabilities (Bonferroni). A cheap score thus decides the clear cases, and
// the rest goes on to an expensive one; the column fpr says what holds for the row,
// and its sum at the last stage for all of them.
type Decide struct {
	config DecideConfig
	made   *calibration.Calibration
	fpr    float64 // of this stage
	joint  float64 // with those before
	scores []int
	group  int
	length int
	again  int // first of the columns to replace, -1 if they are added
	out    *data.Schema

	mutex  sync.Mutex
	drifts map[string]*calibration.Drift
}

var (
	_ transforms.Row       = (*Decide)(nil)
	_ transforms.Metered   = (*Decide)(nil)
	_ transforms.Cautioned = (*Decide)(nil)
)

func newDecide(config []byte) (transforms.Node, error) {
	d := &Decide{drifts: map[string]*calibration.Drift{}}
	return d, transforms.Decode(config, &d.config)
}

// columns that Decide adds, in order.
const (
	columnVerdict     = "verdict"
	columnPValue      = "p_value"
	columnCalibration = "calibration"
	columnFPR         = "fpr"
)

// Columns implements transforms.Node: it reads the calibration and refuses one that
// was made for another model, score or parameter.
func (d *Decide) Columns(in transforms.Ports) (transforms.Ports, error) {
	schema := in.Get(transforms.In)
	made, err := calibration.Read(d.config.Calibration)
	if err != nil {
		return nil, &transforms.FieldError{Field: "calibration", Code: transforms.NoResource, Message: fmt.Sprintf("%s: %v", d.config.Calibration, err)}
	}
	d.made = made
	if err := errors.Join(d.chooseFPR(), d.find(schema)); err != nil {
		return nil, err
	}
	if d.out, err = d.addColumns(schema); err != nil {
		return nil, err
	}
	return transforms.Ports{{Name: transforms.Out, Schema: d.out}, {Name: portClear, Schema: d.out}, {Name: portUnsure, Schema: d.out}}, nil
}

func (d *Decide) chooseFPR() error {
	d.fpr = d.config.FPR
	if d.fpr == 0 {
		if n := len(d.made.FPR); n > 0 {
			d.fpr = d.made.FPR[n-1]
		} else {
			return &transforms.FieldError{Field: "fpr", Message: "no false-positive rate is given, and the calibration was asked for none"}
		}
	}
	if err := d.made.Reaches(d.fpr); err != nil {
		return &transforms.FieldError{Field: "fpr", Code: transforms.Miscalibrated, Message: fmt.Sprintf("%s: %v", d.config.Calibration, err)}
	}
	return nil
}

// find looks up the columns that the calibration needs.
func (d *Decide) find(schema *data.Schema) error {
	var errs []error
	need := func(column string, kinds ...data.Kind) int {
		errs = append(errs, transforms.NeedColumn(schema, "calibration", column, kinds...))
		return schema.Index(column)
	}
	d.scores, d.group, d.length = nil, -1, -1
	for _, score := range d.made.Scores {
		at := need(score.Column, data.Float64, data.Float32, data.Int64)
		d.scores = append(d.scores, at)
		if at >= 0 {
			errs = append(errs, sameOrigin(score, schema.Field(at).Origin, d.config.Calibration))
		}
	}
	if d.made.By != "" {
		d.group = need(d.made.By, data.String, data.Bool, data.Int64)
	}
	if d.made.Length != nil {
		d.length = need(d.made.Length.Column, data.Int64)
	}
	return errors.Join(errs...)
}

// sameOrigin refuses a column that something else computed than the calibration's.
func sameOrigin(score calibration.Score, origin, path string) error {
	if score.Origin == "" || score.Origin == origin {
		return nil
	}
	message := fmt.Sprintf("%s was made for another %s: ", path, score.Column)
	switch {
	case origin == "":
		message += "for " + score.Origin + ", and it is not known what computed this one"
	default:
		message += differences(score.Origin, origin)
	}
	return &transforms.FieldError{Field: "calibration", Code: transforms.Miscalibrated, Message: message,
		Hint: "calibrate with the scores of this graph, or score as the calibration says"}
}

// differences names the words in which two origins differ.
func differences(want, have string) string {
	w, h := strings.Fields(want), strings.Fields(have)
	if len(w) != len(h) {
		return fmt.Sprintf("for %s, not %s", want, have)
	}
	var parts []string
	for i := range w {
		if w[i] != h[i] {
			parts = append(parts, fmt.Sprintf("%s, not %s", w[i], h[i]))
		}
	}
	return "for " + strings.Join(parts, "; ")
}

// addColumns adds the columns, or takes those of an earlier Decide over.
func (d *Decide) addColumns(schema *data.Schema) (*data.Schema, error) {
	d.joint, d.again = d.fpr, -1
	if i := schema.Index(columnFPR); i >= 0 {
		spent, ok := spentBefore(schema.Field(i).Origin)
		if !ok {
			return nil, &transforms.FieldError{Code: transforms.ColumnTwice, Message: fmt.Sprintf("the input has a column %q already, and no Decide made it", columnFPR), Hint: "rename or drop it first"}
		}
		d.joint = spent + d.fpr
		d.again = schema.Index(columnVerdict)
	}
	origin := originOfDecide + strconv.FormatFloat(d.joint, 'g', -1, 64)
	columns := []data.Field{
		{Name: columnVerdict, Type: data.StringType, Origin: origin},
		{Name: columnPValue, Type: data.Float64Type, Nullable: true, Origin: origin},
		{Name: columnCalibration, Type: data.StringType, Origin: origin},
		{Name: columnFPR, Type: data.Float64Type, Origin: origin},
	}
	if d.again < 0 {
		return transforms.AddColumns(schema, "", columns...)
	}
	fields := append([]data.Field(nil), schema.Fields()...)
	if d.again+len(columns) > len(fields) || fields[d.again+len(columns)-1].Name != columnFPR {
		return nil, &transforms.FieldError{Message: "the columns of the Decide before it do not stand side by side", Hint: "keep verdict, p_value, calibration and fpr together"}
	}
	copy(fields[d.again:], columns)
	return data.NewSchema(fields...)
}

const originOfDecide = "Decide fpr="

func spentBefore(origin string) (float64, bool) {
	rate, ok := strings.CutPrefix(origin, originOfDecide)
	if !ok {
		return 0, false
	}
	x, err := strconv.ParseFloat(rate, 64)
	return x, err == nil
}

// Process implements transforms.Row.
func (d *Decide) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	if err := d.checkLength(r); err != nil {
		return err
	}
	values := make([]float64, len(d.scores))
	for i, at := range d.scores {
		v := r.Values[at]
		values[i] = v.Float64()
		if v.IsNull() || math.IsNaN(values[i]) || math.IsInf(values[i], 0) {
			return transforms.Reject("score", "there is no %s", d.made.Scores[i].Column)
		}
	}
	v, known, err := d.judge(r, values)
	if err != nil {
		return err
	}
	added := []data.Value{data.StringValue(string(v.Label)), {}, data.StringValue(d.made.ShortID()), data.Float64Value(d.joint)}
	if known {
		added[1] = data.Float64Value(v.PValue)
	}
	judged := d.record(r, added)
	emit(transforms.Out, judged)
	if v.Label == calibration.Unsure {
		emit(portUnsure, judged)
	} else {
		emit(portClear, judged)
	}
	return nil
}

func (d *Decide) checkLength(r *data.Record) error {
	if d.length < 0 {
		return nil
	}
	l, v := d.made.Length, r.Values[d.length]
	if n := v.Int64(); v.IsNull() || n < l.Min || n > l.Max {
		return transforms.Reject("length", "%s is %d, the calibration holds for %d to %d", l.Column, n, l.Min, l.Max)
	}
	return nil
}

// judge finds the row's group and gives the verdict; known is false when the group
// has no references and such rows are unsure.
func (d *Decide) judge(r *data.Record, values []float64) (v calibration.Verdict, known bool, err error) {
	name := ""
	if d.group >= 0 {
		name = plain(r.Values[d.group])
	}
	g, err := d.made.Group(name)
	if err != nil {
		if d.config.Unknown == "reject" {
			return v, false, transforms.Reject("group", "%s: %v", d.made.By, err)
		}
		return calibration.Verdict{Label: calibration.Unsure}, false, nil
	}
	v = d.made.Decide(g, d.made.Statistic(values), d.fpr)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	drift := d.drifts[name]
	if drift == nil {
		drift = calibration.NewDrift(g)
		d.drifts[name] = drift
	}
	drift.Add(v.Rank)
	return v, true, nil
}

// record is the row with the columns added or taken over.
func (d *Decide) record(r *data.Record, added []data.Value) *data.Record {
	if d.again < 0 {
		return r.Append(d.out, added...)
	}
	values := append([]data.Value(nil), r.Values...)
	copy(values[d.again:], added)
	return r.With(d.out, values)
}

// Metrics implements transforms.Metered.
func (d *Decide) Metrics() []transforms.Metric {
	return []transforms.Metric{{Name: "false-positive rate promised", Value: d.joint, Unit: "1"}}
}

// Cautions implements transforms.Cautioned.
func (d *Decide) Cautions() []string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	var cautions []string
	if d.made != nil {
		for _, score := range d.made.Scores {
			if score.Origin == "" {
				cautions = append(cautions, fmt.Sprintf("calibration %s does not say what computed %s: see to it that it is the same model and parameters", d.made.ShortID(), score.Column))
			}
		}
	}
	for name, drift := range d.drifts {
		distance, bound, ok := drift.Distance()
		if !ok || distance <= bound {
			continue
		}
		of := ""
		if name != "" {
			of = " of group " + name
		}
		cautions = append(cautions, fmt.Sprintf("rows%s that look human are no longer distributed as the references of calibration %s (Kolmogorov-Smirnov distance %.3f, chance exceeds %.3f once in a hundred times): calibrate anew before trusting the verdicts", of, d.made.ShortID(), distance, bound))
	}
	sort.Strings(cautions)
	return cautions
}
