package retrieval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// Further ports of EvaluateRetrieval.
const (
	baseline = "baseline"
	qrels    = "qrels"
	queries  = "queries"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:     "EvaluateRetrieval",
		Inputs:   []string{transforms.In, baseline, qrels},
		Optional: []string{baseline},
		Outputs:  []string{transforms.Out, queries, transforms.Rejects},
		New:      newEvaluateRetrieval,
	})
}

// EvaluateRetrievalConfig configures the kind EvaluateRetrieval; see
// specs.#EvaluateRetrieval.
type EvaluateRetrievalConfig struct {
	QueryColumn  string   `json:"queryColumn"` // of the ranked documents
	Measures     []string `json:"measures"`
	Permutations int      `json:"permutations"`
	Seed         int64    `json:"seed"`
}

// EvaluateRetrieval measures rankings against judgements, and tells whether two
// systems differ. It keeps the ids of its inputs in memory.
type EvaluateRetrieval struct {
	config       EvaluateRetrievalConfig
	measures     []Measure
	ranked, base rankedColumns
	compares     bool
	judged       judgements
	out, each    *data.Schema
	summary      atomic.Pointer[[]string]
}

var (
	_ transforms.Global     = (*EvaluateRetrieval)(nil)
	_ transforms.Summarised = (*EvaluateRetrieval)(nil)
)

func newEvaluateRetrieval(config []byte) (transforms.Node, error) {
	n := &EvaluateRetrieval{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if len(n.config.Measures) == 0 {
		return nil, &transforms.FieldError{Field: "measures", Message: "no measure to take"}
	}
	var errs []error
	for i, name := range n.config.Measures {
		m, err := ParseMeasure(name)
		if err == nil && slices.Contains(n.config.Measures[:i], name) {
			err = fmt.Errorf("measure %s twice", name)
		}
		if err != nil {
			errs = append(errs, &transforms.FieldError{Field: fmt.Sprintf("measures.%d", i), Message: err.Error()})
		}
		n.measures = append(n.measures, m)
	}
	return n, errors.Join(errs...)
}

// Columns implements transforms.Node.
func (n *EvaluateRetrieval) Columns(in transforms.Ports) (transforms.Ports, error) {
	var errs [3]error
	n.ranked, errs[0] = findRanked(in, transforms.In, "queryColumn", n.config.QueryColumn)
	n.judged, errs[1] = findJudgements(in.Get(qrels))
	if n.compares = in.Get(baseline) != nil; n.compares {
		n.base, errs[2] = findRanked(in, baseline, baseline, n.config.QueryColumn)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	number := func(name string) data.Field { return data.Field{Name: name, Type: data.Float64Type} }
	measure := data.Field{Name: "measure", Type: data.StringType}
	out := []data.Field{measure, {Name: "queries", Type: data.Int64Type}, number("mean")}
	each := []data.Field{{Name: "query", Type: data.StringType}, measure, number("value")}
	if n.compares {
		out = append(out, number(baseline), number("difference"), number("p_value"))
		each = append(each, number(baseline), number("difference"))
	}
	n.out, n.each = data.MustSchema(out...), data.MustSchema(each...)
	return transforms.Ports{{Name: transforms.Out, Schema: n.out}, {Name: queries, Schema: n.each}}, nil
}

// judgements are where the rows of qrels have what they say.
type judgements struct{ query, document, score int }

// findJudgements finds the columns of BEIR's judgements.
func findJudgements(s *data.Schema) (judgements, error) {
	names := []string{"query-id", "corpus-id", "score"}
	kinds := [][]data.Kind{{data.String, data.Int64}, {data.String, data.Int64}, {data.Int64, data.Float64, data.Float32}}
	var errs []error
	for i, name := range names {
		errs = append(errs, transforms.NeedColumn(s, qrels, name, kinds[i]...))
	}
	return judgements{s.Index(names[0]), s.Index(names[1]), s.Index(names[2])}, errors.Join(errs...)
}

// read reads the judgements by query.
func (j judgements) read(ctx context.Context, in transforms.Inputs) (map[string]Gains, error) {
	all := map[string]Gains{}
	for r, err := range in.Rows(qrels) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		if err := j.add(all, r); err != nil {
			in.Reject(transforms.AsRejected(r, err))
		}
	}
	return all, nil
}

func (j judgements) add(all map[string]Gains, r *data.Record) error {
	query, err := nameOf(r.Values[j.query], "query-id")
	if err != nil {
		return err
	}
	document, err := nameOf(r.Values[j.document], "corpus-id")
	if err != nil {
		return err
	}
	score := r.Values[j.score]
	gain := score.Float64()
	switch _, judged := all[query][document]; {
	case score.IsNull() || !(gain >= -maxGain && gain <= maxGain):
		return transforms.Reject("score", "column score has no judgement between -%g and %[1]g", float64(maxGain))
	case judged:
		return transforms.Reject("duplicate", "query %.40q has document %.40q twice", query, document)
	case all[query] == nil:
		all[query] = Gains{}
	}
	all[query][document] = gain
	return nil
}

// maxGain is the most that a judgement may be; sums of gains stay finite.
const maxGain = 1e9

// Run implements transforms.Global.
func (n *EvaluateRetrieval) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	gains, err := n.judged.read(ctx, in)
	if err != nil {
		return err
	}
	if len(gains) == 0 {
		return errors.New("qrels has no judgement, so there is nothing to measure against")
	}
	rankings, err := n.ranked.read(ctx, in, transforms.In, nil)
	if err != nil {
		return err
	}
	var others map[string][]entry
	if n.compares {
		if others, err = n.base.read(ctx, in, baseline, nil); err != nil {
			return err
		}
	}
	n.measure(gains, rankings, others, emit)
	return nil
}

// measure emits the measures, of queries in the order of their ids.
func (n *EvaluateRetrieval) measure(gains map[string]Gains, rankings, others map[string][]entry, emit transforms.Emit) {
	ids := slices.Sorted(maps.Keys(gains))
	var summary []string
	order := int64(0)
	for i, m := range n.measures {
		var sum, base float64
		differences := make([]float64, len(ids))
		for k, id := range ids {
			value, other := m.Of(names(rankings[id]), gains[id]), m.Of(names(others[id]), gains[id])
			sum, base, differences[k] = sum+value, base+other, value-other
			row := []data.Value{data.StringValue(id), data.StringValue(m.Name), data.Float64Value(value)}
			if n.compares {
				row = append(row, data.Float64Value(other), data.Float64Value(value-other))
			}
			emit(queries, &data.Record{Schema: n.each, ID: data.KeyID(id).Child(i), Order: order, Values: row})
			order++
		}
		count := float64(len(ids))
		row := []data.Value{data.StringValue(m.Name), data.Int64Value(int64(len(ids))), data.Float64Value(sum / count)}
		said := fmt.Sprintf("%s %.4f", m.Name, sum/count)
		if n.compares {
			p := Randomisation(differences, n.config.Permutations, data.Draw(data.KeyID(m.Name), n.config.Seed, 0))
			row = append(row, data.Float64Value(base/count), data.Float64Value((sum-base)/count), data.Float64Value(p))
			said += fmt.Sprintf(" against %.4f (p = %.3g)", base/count, p)
		}
		emit(transforms.Out, &data.Record{Schema: n.out, ID: data.KeyID(m.Name), Order: int64(i), Values: row})
		summary = append(summary, said)
	}
	all := []string{fmt.Sprintf("%s over %d queries", strings.Join(summary, ", "), len(ids))}
	n.summary.Store(&all)
}

// names are the documents of a ranking.
func names(ranking []entry) []string {
	ids := make([]string, len(ranking))
	for i, e := range ranking {
		ids[i] = e.document
	}
	return ids
}

// Summary implements transforms.Summarised.
func (n *EvaluateRetrieval) Summary() []string {
	if s := n.summary.Load(); s != nil {
		return *s
	}
	return nil
}
