package retrieval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// Further ports of MineNegatives.
const (
	ranked  = "ranked"
	triples = "triples"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "MineNegatives",
		Inputs:  []string{transforms.In, ranked},
		Outputs: []string{transforms.Out, triples, transforms.Rejects},
		New:     newMineNegatives,
	})
}

// MineNegativesConfig configures the kind MineNegatives; see specs.#MineNegatives.
type MineNegativesConfig struct {
	IDColumn       string `json:"idColumn"`       // of the query
	QueryColumn    string `json:"queryColumn"`    // its text
	DocumentColumn string `json:"documentColumn"` // of the positive
	TextColumn     string `json:"textColumn"`     // its text
	Window
}

// Window says which documents of a ranking are negatives.
type Window struct {
	From     int      `json:"from"` // first place, from 1
	To       int      `json:"to"`   // behind the last
	K        int      `json:"k"`
	MaxShare *float64 `json:"maxShare"` // of the best positive's score
	Compat   string   `json:"compat"`   // "none" or "reference"
}

// MineNegatives chooses negatives for queries out of their rankings. It holds the
// positives, the ids of the rankings, and the texts of what it chose.
type MineNegatives struct {
	config                    MineNegativesConfig
	id, query, document, text int // of the positives
	ranked                    rankedColumns
	rankedText, score         int // score is -1 if it is not needed
	out, triples              *data.Schema
}

var _ transforms.Global = (*MineNegatives)(nil)

func newMineNegatives(config []byte) (transforms.Node, error) {
	n := &MineNegatives{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	w := n.config.Window
	var errs []error
	if w.From >= w.To {
		errs = append(errs, &transforms.FieldError{Field: "to", Message: fmt.Sprintf("no place lies in [%d,%d)", w.From, w.To)})
	}
	if w.Compat == reference && w.MaxShare != nil {
		errs = append(errs, &transforms.FieldError{Field: "maxShare", Message: "the reference looks at no scores", Hint: "drop it, or compat"})
	}
	return n, errors.Join(errs...)
}

const reference = "reference"

// Columns implements transforms.Node.
func (n *MineNegatives) Columns(in transforms.Ports) (transforms.Ports, error) {
	positives, rankings, c := in.Get(transforms.In), in.Get(ranked), n.config
	errs := []error{
		transforms.NeedColumn(positives, "idColumn", c.IDColumn, data.String, data.Int64),
		transforms.NeedColumn(positives, "queryColumn", c.QueryColumn, data.String),
		transforms.NeedColumn(positives, "documentColumn", c.DocumentColumn, data.String, data.Int64),
		transforms.NeedColumn(positives, "textColumn", c.TextColumn, data.String),
		transforms.NeedColumn(rankings, ranked, documentText, data.String),
	}
	var err error
	n.ranked, err = findRanked(in, ranked, ranked, c.IDColumn)
	errs = append(errs, err)
	if n.score = -1; c.MaxShare != nil {
		errs = append(errs, transforms.NeedColumn(rankings, "maxShare", "score", data.Float64, data.Float32))
		n.score = rankings.Index("score")
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n.id, n.query = positives.Index(c.IDColumn), positives.Index(c.QueryColumn)
	n.document, n.text = positives.Index(c.DocumentColumn), positives.Index(c.TextColumn)
	n.rankedText = rankings.Index(documentText)
	text := func(name string) data.Field { return data.Field{Name: name, Type: data.StringType} }
	n.out = data.MustSchema(text("query_id"), text("query"), text(documentID), text("document"),
		data.Field{Name: "label", Type: data.Float64Type}, data.Field{Name: rankColumn, Type: data.Int64Type, Nullable: true})
	n.triples = data.MustSchema(text("query"), text("positive"), text("negative"))
	return transforms.Ports{{Name: transforms.Out, Schema: n.out}, {Name: triples, Schema: n.triples}}, nil
}

// topic is a query with the documents that answer it.
type topic struct {
	id        string
	positives []positive
}

type positive struct {
	row      *data.Record
	document string
}

// Run implements transforms.Global.
func (n *MineNegatives) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	topics, byID, err := n.readTopics(ctx, in)
	if err != nil {
		return err
	}
	candidates, err := n.ranked.read(ctx, in, ranked, func(r *data.Record, query string, e *entry) {
		n.judge(r, byID[query], e)
	})
	if err != nil {
		return err
	}
	chosen := map[string][]negative{}
	texts := map[int64]string{} // by row
	for _, t := range topics {
		chosen[t.id] = n.config.choose(candidates[t.id])
		for _, c := range chosen[t.id] {
			texts[c.row] = ""
		}
	}
	if err := n.readTexts(ctx, in, texts); err != nil {
		return err
	}
	for _, t := range topics {
		n.emit(t, chosen[t.id], texts, in, emit)
	}
	return nil
}

// readTopics reads the positives, by query, in the order of their first rows.
func (n *MineNegatives) readTopics(ctx context.Context, in transforms.Inputs) (topics []*topic, byID map[string]*topic, err error) {
	byID = map[string]*topic{}
	for r, err := range in.Rows(transforms.In) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, nil, err
		}
		id, document, wrong := n.positive(r)
		t := byID[id]
		if wrong == nil && t != nil && t.answers(document) {
			wrong = transforms.Reject("duplicate", "query %.40q has document %.40q twice", id, document)
		}
		if wrong != nil {
			in.Reject(transforms.AsRejected(r, wrong))
			continue
		}
		if t == nil {
			t = &topic{id: id}
			byID[id] = t
			topics = append(topics, t)
		}
		t.positives = append(t.positives, positive{r, document})
	}
	return topics, byID, nil
}

// positive is what a row of the positives says.
func (n *MineNegatives) positive(r *data.Record) (id, document string, err error) {
	id, err = nameOf(r.Values[n.id], n.config.IDColumn)
	if err == nil {
		document, err = nameOf(r.Values[n.document], n.config.DocumentColumn)
	}
	if err == nil {
		err = textMistake(r.Values[n.query], n.config.QueryColumn)
	}
	if err == nil {
		err = textMistake(r.Values[n.text], n.config.TextColumn)
	}
	return id, document, err
}

func (t *topic) answers(document string) bool {
	return slices.ContainsFunc(t.positives, func(p positive) bool { return p.document == document })
}

// judge notes what a ranked document is for its query, which t is nil for if it has no
// positive.
func (n *MineNegatives) judge(r *data.Record, t *topic, e *entry) {
	if t == nil {
		return
	}
	v := r.Values[n.rankedText]
	e.blank = textMistake(v, documentText) != nil
	e.positive = t.answers(e.document)
	e.copy = slices.ContainsFunc(t.positives, func(p positive) bool { return p.row.Values[n.text].Text() == v.Text() })
	if e.score = math.Inf(-1); n.score >= 0 && !r.Values[n.score].IsNull() {
		e.score = r.Values[n.score].Float64()
	}
}

// negative is a document that was chosen.
type negative struct {
	entry
	place int // in the ranking that it was chosen from, from 1
}

// choose chooses the negatives of a ranking.
func (w Window) choose(ranking []entry) (chosen []negative) {
	from, to, most := w.From-1, w.To-1, math.Inf(1)
	if w.Compat == reference {
		// The last 2k, by a slice in Python: of a shorter ranking its start, which is
		// negative, counts from the end.
		if from, to = len(ranking)-2*w.K, len(ranking); from < 0 {
			from = max(from+len(ranking), 0)
		}
	} else {
		most = w.most(ranking)
		ranking = slices.DeleteFunc(slices.Clone(ranking), func(e entry) bool { return e.positive || e.copy })
	}
	for i := from; i < min(to, len(ranking)) && len(chosen) < w.K; i++ {
		if e := ranking[i]; !e.blank && !(e.score > most) {
			chosen = append(chosen, negative{e, i + 1})
		}
	}
	return chosen
}

// most is the score above which a document may be an answer.
func (w Window) most(ranking []entry) float64 {
	best := math.Inf(-1)
	for _, e := range ranking {
		if e.positive {
			best = max(best, e.score)
		}
	}
	if w.MaxShare == nil || math.IsInf(best, -1) {
		return math.Inf(1)
	}
	return *w.MaxShare * best
}

// readTexts reads the texts of the rows that texts has.
func (n *MineNegatives) readTexts(ctx context.Context, in transforms.Inputs, texts map[int64]string) error {
	row := int64(0)
	for r, err := range in.Rows(ranked) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if _, wanted := texts[row]; wanted {
			texts[row] = r.Values[n.rankedText].Text()
		}
		row++
	}
	return nil
}

// emit emits the rows of a query, or rejects them if it has no negative.
func (n *MineNegatives) emit(t *topic, negatives []negative, texts map[int64]string, in transforms.Inputs, emit transforms.Emit) {
	if len(negatives) == 0 {
		for _, p := range t.positives {
			in.Reject(transforms.AsRejected(p.row, transforms.Reject("no-negative", "the ranking of query %.40q has no negative in its window", t.id)))
		}
		return
	}
	first := t.positives[0].row
	pair := func(r *data.Record, child int, document string, text, rank data.Value, label float64) {
		emit(transforms.Out, r.Child(child, n.out, []data.Value{
			data.StringValue(t.id), first.Values[n.query], data.StringValue(document), text, data.Float64Value(label), rank}))
	}
	for _, p := range t.positives {
		pair(p.row, 0, p.document, p.row.Values[n.text], data.Value{}, 1)
	}
	for i, c := range negatives {
		pair(first, i+1, c.document, data.StringValue(texts[c.row]), data.Int64Value(int64(c.place)), 0)
	}
	for _, p := range t.positives {
		for i, c := range negatives {
			emit(triples, p.row.Child(i, n.triples, []data.Value{first.Values[n.query], p.row.Values[n.text], data.StringValue(texts[c.row])}))
		}
	}
}
