package bm25_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"penstock.dev/transforms/retrieval/bm25"
)

const scifact = "../../../data/samples/scifact/"

// document is a line of a BEIR file.
type document struct {
	ID    string `json:"_id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

func read(t testing.TB, file string) (documents []document) {
	t.Helper()
	f, err := os.Open(scifact + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d document
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, d)
	}
	return documents
}

func build(documents []document) *bm25.Index {
	b := bm25.NewBuilder()
	for _, d := range documents {
		b.Add(d.Title + " " + d.Text)
	}
	return b.Index(bm25.Anserini)
}

// golden is what testdata/make_golden.py made by bm25s and Snowball's own stemmer.
type golden struct {
	Searches []struct {
		Query  string
		Terms  []string
		Texts  []int
		Scores []float64
	}
	Analyzed []struct {
		Text  string
		Terms []string
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	b, err := os.ReadFile("testdata/scifact.json")
	if err == nil {
		err = json.Unmarshal(b, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestTermsAreThoseOfAnIndependentAnalyzer(t *testing.T) {
	for _, want := range readGolden(t).Analyzed {
		if got := bm25.Analyze(want.Text); !slices.Equal(got, want.Terms) {
			t.Errorf("%q: %q, want %q", want.Text, got, want.Terms)
		}
	}
}

func TestRankingsOfSciFactAreThoseOfBM25S(t *testing.T) {
	index := build(read(t, "corpus.jsonl.gz"))
	queries := map[string]string{}
	for _, q := range read(t, "queries.jsonl") {
		queries[q.ID] = q.Text
	}
	searches := readGolden(t).Searches
	if index.Len() != 5183 || len(searches) != 30 {
		t.Fatalf("%d texts, %d searches", index.Len(), len(searches))
	}
	for _, want := range searches {
		hits := index.Search(queries[want.Query], 10)
		if len(hits) != len(want.Texts) {
			t.Fatalf("query %s: %d hits, want %d", want.Query, len(hits), len(want.Texts))
		}
		for i, h := range hits {
			if h.Text != want.Texts[i] || math.Abs(h.Score-want.Scores[i]) > 1e-12*want.Scores[i] {
				t.Errorf("query %s, rank %d: text %d with %v, want %d with %v", want.Query, i+1, h.Text, h.Score, want.Texts[i], want.Scores[i])
			}
		}
	}
}

func TestEqualScoresComeInTheOrderOfTheTexts(t *testing.T) {
	b := bm25.NewBuilder()
	for i := range 50 {
		b.Add([]string{"a red fox", "a blue hare"}[i%2])
	}
	index := b.Index(bm25.Anserini)
	for _, k := range []int{1, 7, 25, 100} {
		hits := index.Search("foxes", k)
		if len(hits) != min(k, 25) {
			t.Fatalf("k %d: %d hits", k, len(hits))
		}
		for i, h := range hits {
			if h.Text != 2*i {
				t.Errorf("k %d: hit %d is text %d", k, i, h.Text)
			}
		}
	}
	if hits := index.Search("badger the", 10); len(hits) != 0 {
		t.Errorf("a query without a known term finds %v", hits)
	}
	if hits := index.Search("fox", 0); len(hits) != 0 {
		t.Errorf("no hit is asked for, and %v found", hits)
	}
}

func TestTheBestOfManyAreThoseOfAFullSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := bm25.NewBuilder()
	for range 500 {
		var text []string
		for range r.IntN(30) {
			text = append(text, fmt.Sprintf("w%d", r.IntN(20)))
		}
		b.Add(strings.Join(text, " "))
	}
	index := b.Index(bm25.Parameters{K1: 1.2, B: 0.75})
	all := index.Search("w1 w2 w2 w7", 500)
	sorted := slices.IsSortedFunc(all, func(a, b bm25.Hit) int {
		if a.Score != b.Score {
			return int(math.Copysign(1, b.Score-a.Score))
		}
		return a.Text - b.Text
	})
	if !sorted || len(all) < 200 {
		t.Fatalf("%d hits, sorted %v", len(all), sorted)
	}
	for _, k := range []int{1, 10, 199} {
		if got := index.Search("w1 w2 w2 w7", k); !slices.Equal(got, all[:k]) {
			t.Errorf("the %d best are not the first of all", k)
		}
	}
}

func TestSearchesAtOnceFindTheSame(t *testing.T) {
	index := build(read(t, "corpus.jsonl.gz")[:500])
	want := index.Search("cells of the immune system", 50)
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for range 20 {
				if got := index.Search("cells of the immune system", 50); !slices.Equal(got, want) {
					t.Error("another search disturbed this one")
				}
			}
		})
	}
	running.Wait()
}

func TestAnEmptyCollectionFindsNothing(t *testing.T) {
	if hits := bm25.NewBuilder().Index(bm25.Anserini).Search("anything", 10); len(hits) != 0 {
		t.Errorf("found %v", hits)
	}
	b := bm25.NewBuilder()
	b.Add("")
	if hits := b.Index(bm25.Anserini).Search("anything", 10); len(hits) != 0 {
		t.Errorf("found %v", hits)
	}
}

func FuzzAnalyze(f *testing.F) {
	f.Add("The U.S.A.'s 1,000 genomes, 3.5% of 12. don’t")
	f.Add("\xff'\xff.1")
	f.Fuzz(func(t *testing.T, text string) {
		terms := bm25.Analyze(text)
		for _, term := range terms {
			if term == "" || !utf8.ValidString(term) {
				t.Errorf("term %q", term)
			}
		}
		b := bm25.NewBuilder()
		b.Add(text)
		if hits := b.Index(bm25.Anserini).Search(text, 1); len(hits) != min(len(terms), 1) {
			t.Errorf("%d terms, and the text finds itself %d times", len(terms), len(hits))
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	documents := read(b, "corpus.jsonl.gz")
	for b.Loop() {
		build(documents)
	}
}

func BenchmarkSearch(b *testing.B) {
	index, queries := build(read(b, "corpus.jsonl.gz")), read(b, "queries.jsonl")
	for b.Loop() {
		for _, q := range queries {
			index.Search(q.Text, 100)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(queries)), "µs/query")
}
