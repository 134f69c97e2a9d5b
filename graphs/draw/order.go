package draw

import (
	"cmp"
	"slices"
)

// order arranges the items of every layer so that few edges cross: sweeps that
// sort each layer by the mean place of its neighbours in the one before
// (barycentres), towards the sinks and back. The best order seen is kept.
func (l *layout) order() {
	index := map[*item]float64{}
	note := func() {
		for _, layer := range l.layers {
			for i, t := range layer {
				index[t] = float64(i)
			}
		}
	}
	note()
	best, fewest := l.snapshot(), l.crossings(index)
	for sweep := 0; sweep < 8 && fewest > 0; sweep++ {
		for k := range l.layers {
			links := func(t *item) []link { return t.before }
			if sweep%2 == 1 {
				k = len(l.layers) - 1 - k
				links = func(t *item) []link { return t.after }
			}
			sortByBarycentre(l.layers[k], links, index)
		}
		if n := l.crossings(index); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.layers = best
}

func sortByBarycentre(layer []*item, links func(*item) []link, index map[*item]float64) {
	centre := make(map[*item]float64, len(layer))
	for _, t := range layer {
		centre[t] = index[t]
		if near := links(t); len(near) > 0 {
			sum := 0.0
			for _, n := range near {
				sum += index[n.item]
			}
			centre[t] = sum / float64(len(near))
		}
	}
	slices.SortStableFunc(layer, func(a, b *item) int { return cmp.Compare(centre[a], centre[b]) })
	for i, t := range layer {
		index[t] = float64(i)
	}
}

func (l *layout) snapshot() [][]*item {
	out := make([][]*item, len(l.layers))
	for i, layer := range l.layers {
		out[i] = slices.Clone(layer)
	}
	return out
}

// crossings counts the pairs of edges between neighbouring layers that cross:
// inversions among the far ends, the edges being sorted by their near ends
// (Barth, Jünger and Mutzel 2002), counted with a Fenwick tree.
func (l *layout) crossings(index map[*item]float64) int {
	total := 0
	for k := 1; k < len(l.layers); k++ {
		tree := make([]int, len(l.layers[k])+1)
		seen := 0
		for _, a := range l.layers[k-1] {
			ends := make([]int, len(a.after))
			for i, b := range a.after {
				ends[i] = int(index[b.item]) + 1
			}
			for _, at := range ends {
				total += seen
				for i := at; i > 0; i -= i & -i {
					total -= tree[i]
				}
			}
			for _, at := range ends {
				seen++
				for i := at; i < len(tree); i += i & -i {
					tree[i]++
				}
			}
		}
	}
	return total
}
