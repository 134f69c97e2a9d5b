package draw

// spread sets the coordinates across: sweeps that draw every item to the
// weighted mean of its neighbours, as near as the order and the gaps in its
// layer allow.
func (l *layout) spread() {
	before := func(t *item) []link { return t.before }
	after := func(t *item) []link { return t.after }
	for k := range l.layers {
		settle(l.layers[k], before)
	}
	for range 10 {
		for k := len(l.layers) - 1; k >= 0; k-- {
			settle(l.layers[k], after)
		}
		for k := range l.layers {
			settle(l.layers[k], before)
		}
	}
	both := func(t *item) []link { return append(t.before[:len(t.before):len(t.before)], t.after...) }
	for range 6 {
		for k := range l.layers {
			settle(l.layers[k], both)
		}
	}
}

// settle moves the items of a layer, in their order, to where the weighted sum
// of squared distances from the places they want is least. With the gaps taken
// out of the coordinates that is isotonic regression, solved by pooling
// adjacent violators (Ayer et al. 1955).
func settle(layer []*item, links func(*item) []link) {
	type pool struct {
		sum, weight float64
		count       int
	}
	var pools []pool
	offsets := make([]float64, len(layer))
	for i, t := range layer {
		if i > 0 {
			offsets[i] = offsets[i-1] + gap(layer[i-1], t)
		}
		want, weight := t.pos, 0.01
		if near := links(t); len(near) > 0 {
			want, weight = 0, 0
			for _, n := range near {
				want += n.weight * n.item.pos
				weight += n.weight
			}
			want /= weight
		}
		pools = append(pools, pool{(want - offsets[i]) * weight, weight, 1})
		for len(pools) > 1 {
			a, b := pools[len(pools)-2], pools[len(pools)-1]
			if a.sum*b.weight <= b.sum*a.weight {
				break
			}
			pools = append(pools[:len(pools)-2], pool{a.sum + b.sum, a.weight + b.weight, a.count + b.count})
		}
	}
	i := 0
	for _, p := range pools {
		for range p.count {
			layer[i].pos = p.sum/p.weight + offsets[i]
			i++
		}
	}
}

// gap is the least distance between the centres of two neighbours in a layer.
func gap(a, b *item) float64 {
	space := 8.0
	switch {
	case a.node >= 0 && b.node >= 0:
		space = 20
	case a.node >= 0 || b.node >= 0, a.across > 0 && b.across > 0:
		space = 14
	}
	return (a.across+b.across)/2 + space
}
