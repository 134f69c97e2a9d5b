package draw

import "math"

// Sizes of the picture, in pixels.
const (
	widest  = 1080 // a graph that would be wider from left to right runs downwards
	margin  = 12
	padding = 14 // between a node's text and its outline; also takes up what a stand-in font is wider by

	nameSize, kindSize, noteSize = 14.0, 12.0, 11.0
	nameLine, kindLine, noteLine = 18.0, 16.0, 15.0
	nodeWidth                    = 230 // widest text in a node
	labelLine                    = 14.0
	lid                          = 5 // half the height of a drum's lid

	maxSpan = 40 // an edge over more layers than this is drawn straight, behind the nodes
)

// item is what the layout places: a node, or an edge's dummy in one layer. Its
// coordinates are along the direction of the edges and across it.
type item struct {
	node, edge    int // index in the graph; the other is -1
	layer         int
	width, height float64 // as drawn
	along, across float64 // size
	start, pos    float64 // beginning along, centre across
	before, after []link  // items of the layers beside it, nearer the sources and nearer the sinks
}

type link struct {
	item   *item
	weight float64 // how much it wants to be straight
}

// layout is a graph with coordinates.
type layout struct {
	g             Graph
	down          bool // edges run downwards, not to the right
	items         []*item
	layers        [][]*item
	paths         [][]*item // of each edge: from the node over dummies to the node; the second item bears the label
	begins, sizes []float64 // of the layers, along
	width, height float64
}

// arrange lays the graph out to the right, or downwards if that would be wider
// than a page.
func arrange(g Graph) (*layout, error) {
	ends, err := g.endpoints()
	if err != nil {
		return nil, err
	}
	rank, err := layers(g, ends)
	if err != nil {
		return nil, err
	}
	right := place(g, ends, rank, false)
	if right.width <= widest {
		return right, nil
	}
	if down := place(g, ends, rank, true); down.width < right.width {
		return down, nil
	}
	return right, nil
}

func place(g Graph, ends [][2]int, rank []int, down bool) *layout {
	l := &layout{g: g, down: down}
	l.build(ends, rank)
	l.order()
	l.spread()
	l.stack()
	return l
}

// build makes the items. Nodes stand in the even layers, labels in the odd.
func (l *layout) build(ends [][2]int, rank []int) {
	nodes := make([]*item, len(l.g.Nodes))
	for i, n := range l.g.Nodes {
		w, h := nodeSize(n)
		nodes[i] = l.add(&item{node: i, edge: -1, layer: 2 * rank[i], width: w, height: h})
	}
	for i, e := range l.g.Edges {
		from, to := nodes[ends[i][0]], nodes[ends[i][1]]
		w, h := labelBox(labelLines(e, labelWidth))
		path := []*item{from, l.add(&item{node: -1, edge: i, layer: from.layer + 1, width: w, height: h})}
		if to.layer-from.layer <= 2*maxSpan {
			for k := from.layer + 2; k < to.layer; k++ {
				path = append(path, l.add(&item{node: -1, edge: i, layer: k}))
			}
		}
		path = append(path, to)
		for k, b := range path[1:] {
			a := path[k]
			if b.layer != a.layer+1 {
				continue
			}
			weight := 1.0
			if a.node < 0 && b.node < 0 {
				weight = 6 // the middle of a long edge matters more than its ends
			}
			a.after = append(a.after, link{b, weight})
			b.before = append(b.before, link{a, weight})
		}
		l.paths = append(l.paths, path)
	}
}

func (l *layout) add(t *item) *item {
	t.along, t.across = t.width, t.height
	if l.down {
		t.along, t.across = t.height, t.width
	}
	for len(l.layers) <= t.layer {
		l.layers = append(l.layers, nil)
	}
	l.items = append(l.items, t)
	l.layers[t.layer] = append(l.layers[t.layer], t)
	return t
}

// stack sets the coordinates along: layer after layer, farther apart where
// edges between them have far to go, so that they stay readable.
func (l *layout) stack() {
	low, high := math.Inf(1), math.Inf(-1)
	for _, t := range l.items {
		low, high = min(low, t.pos-t.across/2), max(high, t.pos+t.across/2)
	}
	l.begins, l.sizes = make([]float64, len(l.layers)), make([]float64, len(l.layers))
	at := float64(margin)
	for k, layer := range l.layers {
		for _, t := range layer {
			l.sizes[k] = max(l.sizes[k], t.along)
		}
		l.begins[k] = at
		steep := 0.0
		for _, t := range layer {
			t.start = at + (l.sizes[k]-t.along)/2
			t.pos += margin - low
			for _, b := range t.before {
				steep = max(steep, math.Abs(b.item.pos-t.pos))
			}
		}
		shift := min(50, steep*0.12)
		if k == 0 {
			shift = 0
		}
		l.begins[k] += shift
		for _, t := range layer {
			t.start += shift
		}
		at = l.begins[k] + l.sizes[k] + 20
	}
	length, breadth := at-20+margin, high-low+2*margin
	if len(l.items) == 0 {
		length, breadth = 2*margin, 2*margin
	}
	l.width, l.height = length, breadth
	if l.down {
		l.width, l.height = breadth, length
	}
}

// nodeSize is the size of a node's box.
func nodeSize(n Node) (width, height float64) {
	width = max(textWidth(nodeText(n.Name, nameSize*bold), nameSize*bold), textWidth(nodeText(n.Kind, kindSize), kindSize))
	height = 10 + nameLine + kindLine
	for _, s := range n.Notes {
		width = max(width, textWidth(nodeText(s, noteSize), noteSize))
		height += noteLine
	}
	if n.role() == Sink {
		height += lid
	}
	return max(84, math.Ceil(width)+2*padding), height
}

func nodeText(s string, size float64) string { return shorten(clean(s), size, nodeWidth) }

// labelBox is the size of an edge's label, nothing if it has no lines.
func labelBox(lines []string) (width, height float64) {
	for _, s := range lines {
		width = max(width, textWidth(s, labelSize))
	}
	if len(lines) == 0 {
		return 0, 0
	}
	return math.Ceil(width) + 12, labelLine*float64(len(lines)) + 4
}
