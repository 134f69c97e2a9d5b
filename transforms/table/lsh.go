package table

import (
	"encoding/binary"
	"math"
	"slices"

	"penstock.dev/data"
)

// lsh finds a set that is similar to a given one among those it holds: sets with
// equal MinHash signatures in one band of several are compared (Broder 1997; Indyk
// and Motwani 1998). The sets are of hashes, in order, without repeats.
type lsh struct {
	factors, terms []uint64 // of the permutations x·factor + term
	bands          int
	sets           [][]uint64
	last           map[uint64]int32 // by a band's key: the last set that has it, counted from 1
	before         []int32          // by set and band: the one before it with that key, 0 for none
}

func newLSH(permutations, bands int) *lsh {
	l := &lsh{bands: bands, last: map[uint64]int32{}}
	for i := range permutations {
		random := data.Draw(data.KeyID("MinHash"), 0, i)
		l.factors = append(l.factors, random.Uint64()|1) // odd, so that nothing collides
		l.terms = append(l.terms, random.Uint64())
	}
	return l
}

// signature is the least element of the set under each of the permutations: two sets
// agree in one with a chance that is their Jaccard similarity.
func (l *lsh) signature(set []uint64) []uint64 {
	least := make([]uint64, len(l.factors))
	for i, factor := range l.factors {
		term := l.terms[i]
		m := uint64(math.MaxUint64)
		for _, x := range set {
			m = min(m, x*factor+term)
		}
		least[i] = m
	}
	return least
}

// keys are the hashes of a signature's bands.
func (l *lsh) keys(signature []uint64) []uint64 {
	keys := make([]uint64, l.bands)
	rows := len(signature) / l.bands
	b := make([]byte, 0, 8*rows)
	for band := range keys {
		b = b[:0]
		for _, m := range signature[band*rows : (band+1)*rows] {
			b = binary.LittleEndian.AppendUint64(b, m)
		}
		keys[band] = data.Hash(string(b), int64(band))
	}
	return keys
}

// add holds on to a set.
func (l *lsh) add(set, keys []uint64) {
	l.sets = append(l.sets, set)
	for _, key := range keys {
		l.before = append(l.before, l.last[key])
		l.last[key] = int32(len(l.sets))
	}
}

// similar is the first set added whose Jaccard similarity is at least threshold, -1
// if none of those that share a band is.
func (l *lsh) similar(set, keys []uint64, threshold float64) (at int, similarity float64) {
	for _, i := range l.candidates(keys) {
		if j := jaccard(l.sets[i], set); j >= threshold {
			return i, j
		}
	}
	return -1, 0
}

// candidates are the sets that share a band, in the order in which they were added.
func (l *lsh) candidates(keys []uint64) []int {
	var found []int
	for band, key := range keys {
		for i := l.last[key]; i > 0; i = l.before[int(i-1)*l.bands+band] {
			found = append(found, int(i-1))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// jaccard is the size of the intersection over that of the union of two sets in order,
// 1 for two that are empty.
func jaccard(a, b []uint64) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	common := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			common, i, j = common+1, i+1, j+1
		}
	}
	return float64(common) / float64(len(a)+len(b)-common)
}

// recall is the chance that two sets of a similarity share a band.
func recall(similarity float64, permutations, bands int) float64 {
	return 1 - math.Pow(1-math.Pow(similarity, float64(permutations/bands)), float64(bands))
}

// bandsFor is the least number of bands by which a pair at the threshold is found with
// a chance of 0.999: fewer bands have more rows, and compare fewer sets in vain.
func bandsFor(threshold float64, permutations int) int {
	const enough = 0.999
	for bands := 1; bands < permutations; bands++ {
		if permutations%bands == 0 && recall(threshold, permutations, bands) >= enough {
			return bands
		}
	}
	return permutations
}

// shingles are the runs of size units in a text, as hashes in order; a text of fewer
// units is one shingle. Case, space and Unicode form make no difference.
func shingles(text, unit string, size int) []uint64 {
	text = normalise(text)
	if unit == "words" {
		text += " " // every word has one behind it
	}
	var starts []int
	next := units[unit]
	for at := 0; at < len(text); at += next(text[at:]) {
		starts = append(starts, at)
	}
	if len(starts) <= size {
		return []uint64{data.Hash(text, 0)}
	}
	starts = append(starts, len(text))
	set := make([]uint64, 0, len(starts)-size)
	for i := range len(starts) - size {
		set = append(set, data.Hash(text[starts[i]:starts[i+size]], 0))
	}
	slices.Sort(set)
	return slices.Clip(slices.Compact(set))
}
