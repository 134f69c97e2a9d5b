// Package bm25 ranks texts by the words they share with a query.
//
// A [Builder] takes the texts of a collection, its [Index] finds those with the
// highest BM25 in the form that Lucene computes. With N texts of mean length l̄, of
// which n hold the term t, a text d of length l in which t occurs f times scores
//
//	Σ ln(1 + (N − n + ½)/(n + ½)) · f / (f + k1·(1 − b + b·l/l̄))
//
// summed over the terms of the query, each as often as it occurs there. Lengths
// are exact, where Lucene keeps them in one byte.
//
// Robertson and Zaragoza, The probabilistic relevance framework: BM25 and beyond,
// 2009; Kamphuis et al., Which BM25 do you mean?, ECIR 2020, for the form.
package bm25
