package draw

import "fmt"

// layers puts every node in a layer after those it takes records from: the
// longest path from a source, except that a node without inputs stands just
// before its first reader. It fails if the edges form a cycle.
func layers(g Graph, ends [][2]int) ([]int, error) {
	n := len(g.Nodes)
	next, missing := make([][]int, n), make([]int, n)
	for _, e := range ends {
		next[e[0]] = append(next[e[0]], e[1])
		missing[e[1]]++
	}
	var ready []int
	root := make([]bool, n)
	for i := range missing {
		if missing[i] == 0 {
			ready = append(ready, i)
			root[i] = true
		}
	}
	layer := make([]int, n)
	for k := 0; k < len(ready); k++ {
		i := ready[k]
		for _, j := range next[i] {
			layer[j] = max(layer[j], layer[i]+1)
			if missing[j]--; missing[j] == 0 {
				ready = append(ready, j)
			}
		}
	}
	if len(ready) < n {
		for i := range missing {
			if missing[i] > 0 {
				return nil, fmt.Errorf("draw: node %q is in a cycle or behind one", g.Nodes[i].Name)
			}
		}
	}
	for i := range layer {
		if root[i] && len(next[i]) > 0 {
			first := layer[next[i][0]]
			for _, j := range next[i] {
				first = min(first, layer[j])
			}
			layer[i] = first - 1
		}
	}
	return layer, nil
}
