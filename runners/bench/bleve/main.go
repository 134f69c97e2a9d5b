// Command bleve measures package bm25 beside bleve on one BEIR folder: the time to
// index it, the time of its queries, and nDCG@10, the sides in turn in one process.
//
//	go run . ../../../data/samples/scifact 3
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/blevesearch/bleve/v2"
	_ "github.com/blevesearch/bleve/v2/analysis/lang/en"
	index "github.com/blevesearch/bleve_index_api"

	"penstock.dev/transforms/retrieval"
	"penstock.dev/transforms/retrieval/bm25"
)

// document is a line of a BEIR file.
type document struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// engine indexes texts and then finds those that fit a query.
type engine interface {
	index(corpus []document) error
	search(query string, k int) ([]string, error)
}

const depth = 100 // documents for a query

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: bleve FOLDER TURNS")
	}
	turns, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := compare(os.Args[1], turns); err != nil {
		log.Fatal(err)
	}
}

func compare(folder string, turns int) error {
	corpus, err := readDocuments(filepath.Join(folder, "corpus.jsonl.gz"))
	if err != nil {
		return err
	}
	queries, err := readDocuments(filepath.Join(folder, "queries.jsonl"))
	if err != nil {
		return err
	}
	gains, err := readJudgements(filepath.Join(folder, "qrels", "test.tsv"))
	if err != nil {
		return err
	}
	for range turns {
		if err := turn(corpus, queries, gains); err != nil {
			return err
		}
	}
	return nil
}

// turn measures each engine once.
func turn(corpus, queries []document, gains map[string]retrieval.Gains) error {
	folder, err := os.MkdirTemp("", "bleve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	engines := []engine{&ours{}, &theirs{folder: folder}, &theirs{}}
	var first time.Duration
	for i, name := range []string{"bm25", "bleve, disk", "bleve, memory"} {
		indexing, searching, ndcg, err := measure(engines[i], corpus, queries, gains)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if i == 0 {
			first = indexing
		}
		fmt.Printf("%-13s index %7.3f s (%.1f times bm25's), %d queries %.3f s, nDCG@10 %.4f\n", name, indexing.Seconds(), indexing.Seconds()/first.Seconds(), len(queries), searching.Seconds(), ndcg)
	}
	return nil
}

func measure(e engine, corpus, queries []document, gains map[string]retrieval.Gains) (indexing, searching time.Duration, ndcg float64, err error) {
	began := time.Now()
	if err = e.index(corpus); err != nil {
		return
	}
	indexing = time.Since(began)
	m, err := retrieval.ParseMeasure("nDCG@10")
	if err != nil {
		return
	}
	began = time.Now()
	rankings := make([][]string, len(queries))
	for i, q := range queries {
		if rankings[i], err = e.search(q.Text, depth); err != nil {
			return
		}
	}
	searching = time.Since(began)
	for i, q := range queries {
		ndcg += m.Of(rankings[i], gains[q.ID]) / float64(len(gains))
	}
	return
}

// ours is package bm25.
type ours struct {
	corpus []document
	texts  *bm25.Index
}

func (e *ours) index(corpus []document) error {
	b := bm25.NewBuilder()
	for _, d := range corpus {
		b.Add(d.Title + " " + d.Text)
	}
	e.corpus, e.texts = corpus, b.Index(bm25.Anserini)
	return nil
}

func (e *ours) search(query string, k int) (ids []string, err error) {
	for _, hit := range e.texts.Search(query, k) {
		ids = append(ids, e.corpus[hit.Text].ID)
	}
	return ids, nil
}

// theirs is bleve with its English analyzer and BM25: its present index on disk, or
// the one that it keeps in memory.
type theirs struct {
	folder string // "" for memory
	texts  bleve.Index
}

func (e *theirs) index(corpus []document) (err error) {
	mapping := bleve.NewIndexMapping()
	mapping.DefaultAnalyzer = "en"
	mapping.ScoringModel = index.BM25Scoring
	if e.folder == "" {
		e.texts, err = bleve.NewMemOnly(mapping)
	} else {
		e.texts, err = bleve.New(filepath.Join(e.folder, "index"), mapping)
	}
	if err != nil {
		return err
	}
	for some := range slices.Chunk(corpus, 500) {
		batch := e.texts.NewBatch()
		for _, d := range some {
			if err := batch.Index(d.ID, map[string]string{"text": d.Title + " " + d.Text}); err != nil {
				return err
			}
		}
		if err := e.texts.Batch(batch); err != nil {
			return err
		}
	}
	return nil
}

func (e *theirs) search(query string, k int) (ids []string, err error) {
	q := bleve.NewMatchQuery(query)
	q.SetField("text")
	found, err := e.texts.Search(bleve.NewSearchRequestOptions(q, k, 0, false))
	if err != nil {
		return nil, err
	}
	for _, hit := range found.Hits {
		ids = append(ids, hit.ID)
	}
	return ids, nil
}

func readDocuments(path string) (documents []document, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		lines = bufio.NewScanner(z)
	}
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var d document
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		documents = append(documents, d)
	}
	return documents, lines.Err()
}

func readJudgements(path string) (map[string]retrieval.Gains, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = '\t', 3
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	gains := map[string]retrieval.Gains{}
	for _, row := range rows[1:] {
		score, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if gains[row[0]] == nil {
			gains[row[0]] = retrieval.Gains{}
		}
		gains[row[0]][row[1]] = score
	}
	return gains, nil
}
