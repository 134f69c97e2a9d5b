package direct

import (
	"slices"

	"penstock.dev/transforms/pde/sparse"
)

// leaf is the number of unknowns below which a part is not dissected further.
const leaf = 24

// Grid is the coordinates of the points of a row-major grid, the last extent running
// fastest, for Analyse.
func Grid(shape ...int) [][]float32 {
	n := 1
	for _, extent := range shape {
		n *= extent
	}
	coordinates := make([][]float32, len(shape))
	inner := n
	for d, extent := range shape {
		inner /= max(extent, 1)
		coordinates[d] = make([]float32, n)
		for i := range n {
			coordinates[d][i] = float32(i / inner % extent)
		}
	}
	return coordinates
}

// graph is the pattern of A + Aᵀ without the diagonal.
type graph struct{ start, next []int32 }

func newGraph(a *sparse.Matrix) graph {
	t := a.Transpose()
	g := graph{start: make([]int32, a.N+1)}
	for i := range a.N {
		g.next = merge(g.next, a.Col[a.Start[i]:a.Start[i+1]], t.Col[t.Start[i]:t.Start[i+1]], int32(i))
		g.start[i+1] = int32(len(g.next))
	}
	return g
}

// merge appends the union of two growing lists without one element.
func merge(into, a, b []int32, without int32) []int32 {
	for len(a) > 0 || len(b) > 0 {
		var v int32
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			v, a = a[0], a[1:]
		case len(a) == 0 || b[0] < a[0]:
			v, b = b[0], b[1:]
		default:
			v, a, b = a[0], a[1:], b[1:]
		}
		if v != without {
			into = append(into, v)
		}
	}
	return into
}

func (g graph) neighbours(v int32) []int32 { return g.next[g.start[v]:g.start[v+1]] }

// front is a node of the dissection's tree: unknowns that are eliminated together.
type front struct {
	unknowns []int32 // in the numbering of the matrix
	children []int32
}

// dissection divides a graph.
type dissection struct {
	graph
	coordinates [][]float32
	side        []int32 // which part an unknown belongs to; parts are numbered as they come
	parts       int32
	fronts      []front // children before their parents
}

// divide makes the fronts of a part, and returns the topmost ones.
func (d *dissection) divide(part []int32) []int32 {
	if len(part) <= leaf {
		d.fronts = append(d.fronts, front{unknowns: part})
		return []int32{int32(len(d.fronts) - 1)}
	}
	lower, upper := d.halves(part)
	separator, lower, upper := d.separate(lower, upper)
	var top []int32
	if len(lower) > 0 {
		top = append(top, d.divide(lower)...)
	}
	if len(upper) > 0 {
		top = append(top, d.divide(upper)...)
	}
	if len(separator) == 0 {
		return top
	}
	d.fronts = append(d.fronts, front{separator, top})
	return []int32{int32(len(d.fronts) - 1)}
}

// halves splits a part across its longest extent; without coordinates, by the
// distance from an unknown at its edge.
func (d *dissection) halves(part []int32) (lower, upper []int32) {
	if len(d.coordinates) == 0 {
		return d.levels(part)
	}
	axis := d.coordinates[0]
	longest := float32(-1)
	for _, c := range d.coordinates {
		low, high := c[part[0]], c[part[0]]
		for _, v := range part {
			low, high = min(low, c[v]), max(high, c[v])
		}
		if high-low > longest {
			axis, longest = c, high-low
		}
	}
	if longest <= 0 {
		return part[:len(part)/2], part[len(part)/2:]
	}
	values := make([]float32, len(part))
	for i, v := range part {
		values[i] = axis[v]
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	if middle == values[0] { // keep both halves from being empty
		at, _ := slices.BinarySearchFunc(values, middle, func(a, b float32) int {
			if a <= b {
				return -1
			}
			return 1
		})
		middle = values[at]
	}
	for _, v := range part {
		if axis[v] < middle {
			lower = append(lower, v)
		} else {
			upper = append(upper, v)
		}
	}
	return lower, upper
}

// levels splits a part by breadth-first search from the last unknown of another
// search, which lies far out (George and Liu, ACM Trans. Math. Softw. 5, 1979).
func (d *dissection) levels(part []int32) (lower, upper []int32) {
	order := part
	for range 3 {
		order = d.search(order[len(order)-1], part)
	}
	if len(order) < len(part) { // not connected
		return order, d.others(part)
	}
	return order[:len(order)/2], order[len(order)/2:]
}

// search lists what can be reached within a part from one of its unknowns.
func (d *dissection) search(from int32, part []int32) []int32 {
	d.parts += 2
	open, seen := d.parts-1, d.parts
	for _, v := range part {
		d.side[v] = open
	}
	order := []int32{from}
	d.side[from] = seen
	for at := 0; at < len(order); at++ {
		for _, w := range d.neighbours(order[at]) {
			if d.side[w] == open {
				d.side[w] = seen
				order = append(order, w)
			}
		}
	}
	return order
}

// others lists what the last search did not reach.
func (d *dissection) others(part []int32) []int32 {
	var rest []int32
	for _, v := range part {
		if d.side[v] != d.parts {
			rest = append(rest, v)
		}
	}
	return rest
}

// separate takes from one half what touches the other; whichever is less.
func (d *dissection) separate(lower, upper []int32) (separator, restLower, restUpper []int32) {
	d.parts += 2
	low, high := d.parts-1, d.parts
	for _, v := range lower {
		d.side[v] = low
	}
	for _, v := range upper {
		d.side[v] = high
	}
	touches := func(part []int32, other int32) (edge, rest []int32) {
		for _, v := range part {
			if slices.ContainsFunc(d.neighbours(v), func(w int32) bool { return d.side[w] == other }) {
				edge = append(edge, v)
			} else {
				rest = append(rest, v)
			}
		}
		return edge, rest
	}
	lowerEdge, lowerRest := touches(lower, high)
	upperEdge, upperRest := touches(upper, low)
	if len(lowerEdge) < len(upperEdge) || len(lowerEdge) == len(upperEdge) && len(lower) > len(upper) {
		return lowerEdge, lowerRest, upper
	}
	return upperEdge, lower, upperRest
}
