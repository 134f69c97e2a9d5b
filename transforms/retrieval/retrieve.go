package retrieval

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/retrieval/bm25"
)

const corpus = "corpus" // input port of Retrieve

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Retrieve",
		Inputs:  []string{transforms.In, corpus},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New: func(config []byte) (transforms.Node, error) {
			r := &Retrieve{}
			if err := transforms.Decode(config, &r.config); err != nil {
				return nil, err
			}
			return r, nil
		},
	})
}

// RetrieveConfig configures the kind Retrieve; see specs.#Retrieve.
type RetrieveConfig struct {
	QueryColumn string   `json:"queryColumn"`
	IDColumn    string   `json:"idColumn"`    // of the documents
	TextColumns []string `json:"textColumns"` // of the documents
	K           int      `json:"k"`
	K1          float64  `json:"k1"`
	B           float64  `json:"b"`
	KeepText    bool     `json:"keepText"`
}

// Retrieve finds the documents that fit queries best, by BM25.
type Retrieve struct {
	config    RetrieveConfig
	query, id int
	texts     []int
	out       *data.Schema
}

var _ transforms.Global = (*Retrieve)(nil)

// Columns of ranked documents.
const (
	documentID   = "doc_id"
	documentText = "doc_text"
	rankColumn   = "rank"
)

// Columns implements transforms.Node.
func (n *Retrieve) Columns(in transforms.Ports) (transforms.Ports, error) {
	queries, documents := in.Get(transforms.In), in.Get(corpus)
	errs := []error{
		transforms.NeedColumn(queries, "queryColumn", n.config.QueryColumn, data.String),
		transforms.NeedColumn(documents, "idColumn", n.config.IDColumn, data.String, data.Int64),
	}
	if len(n.config.TextColumns) == 0 {
		errs = append(errs, &transforms.FieldError{Field: "textColumns", Message: "names no column"})
	}
	n.texts = nil
	for i, name := range n.config.TextColumns {
		errs = append(errs, transforms.NeedColumn(documents, fmt.Sprintf("textColumns.%d", i), name, data.String))
		n.texts = append(n.texts, documents.Index(name))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	n.query, n.id = queries.Index(n.config.QueryColumn), documents.Index(n.config.IDColumn)
	add := []data.Field{{Name: documentID, Type: documents.Field(n.id).Type}}
	if n.config.KeepText {
		add = append(add, data.Field{Name: documentText, Type: data.StringType})
	}
	add = append(add, data.Field{Name: rankColumn, Type: data.Int64Type}, data.Field{Name: "score", Type: data.Float64Type})
	var err error
	n.out, err = transforms.AddColumns(queries, "", add...)
	return transforms.OutPort(n.out), err
}

// Run implements transforms.Global.
func (n *Retrieve) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	documents, err := n.read(ctx, in)
	if err != nil {
		return err
	}
	const atOnce = 256
	batch := make([]*data.Record, 0, atOnce)
	for r, err := range in.Rows(transforms.In) {
		if err != nil {
			return err
		}
		if wrong := textMistake(r.Values[n.query], n.config.QueryColumn); wrong != nil {
			in.Reject(transforms.AsRejected(r, wrong))
			continue
		}
		if batch = append(batch, r); len(batch) == atOnce {
			if err := n.search(ctx, documents, batch, emit); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return n.search(ctx, documents, batch, emit)
}

// collection is an index with what the rows of its documents hold.
type collection struct {
	index *bm25.Index
	ids   []data.Value
	texts []string // none unless they are kept
}

// read makes the index of the corpus.
func (n *Retrieve) read(ctx context.Context, in transforms.Inputs) (*collection, error) {
	c, builder := &collection{}, bm25.NewBuilder()
	seen := map[string]bool{}
	for r, err := range in.Rows(corpus) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		text, wrong := n.textOf(r)
		id, missing := nameOf(r.Values[n.id], n.config.IDColumn)
		if wrong == nil {
			wrong = missing
		}
		if wrong == nil && seen[id] {
			wrong = transforms.Reject("duplicate", "an earlier document has the id %.40q", id)
		}
		if wrong != nil {
			in.Reject(transforms.AsRejected(r, wrong))
			continue
		}
		seen[id] = true
		builder.Add(text)
		c.ids = append(c.ids, r.Values[n.id])
		if n.config.KeepText {
			c.texts = append(c.texts, text)
		}
	}
	c.index = builder.Index(bm25.Parameters{K1: n.config.K1, B: n.config.B})
	return c, nil
}

// textOf is the text of a document.
func (n *Retrieve) textOf(r *data.Record) (string, error) {
	var parts []string
	for i, at := range n.texts {
		if r.Values[at].IsNull() {
			continue
		}
		if err := textMistake(r.Values[at], n.config.TextColumns[i]); err != nil {
			return "", err
		}
		parts = append(parts, r.Values[at].Text())
	}
	if len(parts) == 0 {
		return "", transforms.Reject("null", "the document has no text: %s null", strings.Join(n.config.TextColumns, " and "))
	}
	return strings.Join(parts, " "), nil
}

// search emits what is found for some queries, on all processors.
func (n *Retrieve) search(ctx context.Context, c *collection, queries []*data.Record, emit transforms.Emit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	found := make([][]bm25.Hit, len(queries))
	var searching sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		searching.Go(func() {
			for i := worker; i < len(queries); i += workers {
				found[i] = c.index.Search(queries[i].Values[n.query].Text(), n.config.K)
			}
		})
	}
	searching.Wait()
	for i, r := range queries {
		for rank, hit := range found[i] {
			emit(transforms.Out, n.row(r, c, rank, hit))
		}
	}
	return nil
}

func (n *Retrieve) row(query *data.Record, c *collection, rank int, hit bm25.Hit) *data.Record {
	values := []data.Value{c.ids[hit.Text]}
	if n.config.KeepText {
		values = append(values, data.StringValue(c.texts[hit.Text]))
	}
	values = append(values, data.Int64Value(int64(rank+1)), data.Float64Value(hit.Score))
	row := query.Append(n.out, values...)
	row.ID = query.ID.Child(rank)
	return row
}

// textMistake is why a value is no text to work on, nil if it is one.
func textMistake(v data.Value, column string) error {
	switch {
	case v.IsNull():
		return transforms.Reject("null", "column %s is null", column)
	case !utf8.ValidString(v.Text()):
		return transforms.Reject("utf8", "column %s is not valid UTF-8", column)
	}
	return nil
}

// nameOf is an id, a string or an integer, as text.
func nameOf(v data.Value, column string) (string, error) {
	switch v.Kind() {
	case data.Null:
		return "", transforms.Reject("null", "column %s is null", column)
	case data.String:
		return v.Text(), nil
	}
	return fmt.Sprint(v.Int64()), nil
}
