package bm25

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"strings"
	"sync"
)

// Parameters are those of BM25.
type Parameters struct {
	K1 float64 // how soon further occurrences of a term count less, at least 0
	B  float64 // how much long texts are held against their length, 0 to 1
}

// Anserini are the parameters of the published baselines of BEIR (Kamalloo et al. 2024).
var Anserini = Parameters{K1: 0.9, B: 0.4}

// posting says how often a term occurs in a text.
type posting struct{ text, count int32 }

// Builder collects texts for an index. It is used by one goroutine.
type Builder struct {
	terms    map[string]int32 // of a stem its number
	words    map[string]int32 // of a word that of its stem, -1 for a stop word
	postings [][]posting      // of a term, by text
	lengths  []int32          // of a text, in terms
}

// NewBuilder makes a builder without texts.
func NewBuilder() *Builder {
	return &Builder{terms: map[string]int32{}, words: map[string]int32{}}
}

// Add takes the next text and returns its number, which counts from 0.
func (b *Builder) Add(text string) int {
	number := int32(len(b.lengths))
	length := int32(0)
	for text != "" {
		var word string
		if word, text = nextWord(text); word == "" {
			continue
		}
		if term := b.term(word); term >= 0 {
			b.count(term, number)
			length++
		}
	}
	b.lengths = append(b.lengths, length)
	return int(number)
}

// term is the number of a word's term, -1 for a stop word.
func (b *Builder) term(word string) int32 {
	if term, seen := b.words[word]; seen {
		return term
	}
	term := int32(-1)
	if s := stem(word); s != "" {
		var known bool
		if term, known = b.terms[s]; !known {
			term = int32(len(b.postings))
			b.terms[strings.Clone(s)] = term
			b.postings = append(b.postings, nil)
		}
	}
	b.words[strings.Clone(word)] = term
	return term
}

func (b *Builder) count(term, text int32) {
	p := b.postings[term]
	if n := len(p); n > 0 && p[n-1].text == text {
		p[n-1].count++
		return
	}
	b.postings[term] = append(p, posting{text, 1})
}

// Index makes the index of the texts so far. The builder must not be used again.
func (b *Builder) Index(p Parameters) *Index {
	x := &Index{terms: b.terms, postings: b.postings, norms: make([]float64, len(b.lengths))}
	total := 0.0
	for _, length := range b.lengths {
		total += float64(length)
	}
	mean := max(total/float64(len(b.lengths)), 1)
	for i, length := range b.lengths {
		x.norms[i] = p.K1 * (1 - p.B + p.B*float64(length)/mean)
	}
	x.pool.New = func() any { return &sums{scores: make([]float64, len(x.norms))} }
	return x
}

// Index finds texts in memory: 8 bytes for every term of every text, and the terms.
// It may be used by several goroutines.
type Index struct {
	terms    map[string]int32
	postings [][]posting
	norms    []float64 // of a text k1·(1 − b + b·l/l̄)
	pool     sync.Pool // of *sums
}

// sums are the scores of texts during a search.
type sums struct {
	scores []float64 // by text; 0 between searches
	hit    []int32   // texts with a score
}

// Hit is a text that was found.
type Hit struct {
	Text  int     // its number
	Score float64 // above 0
}

// Len is the number of texts.
func (x *Index) Len() int { return len(x.norms) }

// Search finds the k texts with the highest scores, the highest first, and among
// equals the one that was added first. Texts that share no term with the query are
// not among them.
func (x *Index) Search(query string, k int) []Hit {
	s := x.pool.Get().(*sums)
	defer x.pool.Put(s)
	for _, term := range Analyze(query) {
		if t, ok := x.terms[term]; ok {
			x.add(s, x.postings[t])
		}
	}
	return s.take(k)
}

// add adds the scores for one term.
func (x *Index) add(s *sums, postings []posting) {
	n, all := float64(len(postings)), float64(len(x.norms))
	idf := math.Log1p((all - n + 0.5) / (n + 0.5))
	for _, p := range postings {
		f := float64(p.count)
		if s.scores[p.text] == 0 {
			s.hit = append(s.hit, p.text)
		}
		s.scores[p.text] += idf * f / (f + x.norms[p.text])
	}
}

// take is the k best, and leaves nothing behind.
func (s *sums) take(k int) []Hit {
	var best ranking
	for _, text := range s.hit {
		h := Hit{int(text), s.scores[text]}
		s.scores[text] = 0
		switch {
		case len(best) < k:
			heap.Push(&best, h)
		case k > 0 && compare(h, best[0]) < 0:
			best[0] = h
			heap.Fix(&best, 0)
		}
	}
	s.hit = s.hit[:0]
	slices.SortFunc(best, compare)
	return best
}

// compare puts the better of two hits first.
func compare(a, b Hit) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Text, b.Text))
}

// ranking is a heap whose first hit is the worst.
type ranking []Hit

func (r ranking) Len() int           { return len(r) }
func (r ranking) Less(i, j int) bool { return compare(r[i], r[j]) > 0 }
func (r ranking) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *ranking) Push(h any)        { *r = append(*r, h.(Hit)) }
func (r *ranking) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}
