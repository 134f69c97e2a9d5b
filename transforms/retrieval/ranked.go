package retrieval

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// rankedColumns are where ranked documents have what tells them apart.
type rankedColumns struct {
	name                  string // of the query's column
	query, document, rank int
}

// findRanked finds the columns of the ranked documents at a port; field names that of
// the query.
func findRanked(in transforms.Ports, port, field, query string) (rankedColumns, error) {
	s, ids := in.Get(port), []data.Kind{data.String, data.Int64}
	err := errors.Join(
		transforms.NeedColumn(s, field, query, ids...),
		transforms.NeedColumn(s, port, documentID, ids...),
		transforms.NeedColumn(s, port, rankColumn, data.Int64))
	if err != nil {
		return rankedColumns{}, err
	}
	return rankedColumns{query, s.Index(query), s.Index(documentID), s.Index(rankColumn)}, nil
}

// entry is a document in a ranking.
type entry struct {
	document string
	rank     int64
	row      int64 // its number in the input

	// What MineNegatives notes.
	positive bool    // it answers the query
	copy     bool    // its text is that of a document that does
	blank    bool    // it has no text
	score    float64 // -Inf if it has none
}

// read reads rankings by query, each from the best on. Rows that are incomplete, or
// name a document again, are refused. note, if any, sees the others.
func (c rankedColumns) read(ctx context.Context, in transforms.Inputs, port string, note func(r *data.Record, query string, e *entry)) (map[string][]entry, error) {
	rankings := map[string][]entry{}
	seen := map[[2]string]bool{}
	row := int64(-1)
	for r, err := range in.Rows(port) {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		row++
		query, e, wrong := c.entry(r)
		if wrong == nil && seen[[2]string{query, e.document}] {
			wrong = transforms.Reject("duplicate", "query %.40q has document %.40q twice", query, e.document)
		}
		if wrong != nil {
			in.Reject(transforms.AsRejected(r, wrong))
			continue
		}
		seen[[2]string{query, e.document}] = true
		e.row = row
		if note != nil {
			note(r, query, &e)
		}
		rankings[query] = append(rankings[query], e)
	}
	for _, ranking := range rankings {
		slices.SortStableFunc(ranking, func(a, b entry) int { return cmp.Compare(a.rank, b.rank) })
	}
	return rankings, nil
}

// entry is what a row says.
func (c rankedColumns) entry(r *data.Record) (query string, e entry, err error) {
	query, err = nameOf(r.Values[c.query], c.name)
	if err != nil {
		return query, e, err
	}
	if e.document, err = nameOf(r.Values[c.document], documentID); err != nil {
		return query, e, err
	}
	v := r.Values[c.rank]
	if v.IsNull() || v.Int64() < 1 {
		return query, e, transforms.Reject("rank", "column %s has no rank, which counts from 1", rankColumn)
	}
	e.rank = v.Int64()
	return query, e, nil
}
