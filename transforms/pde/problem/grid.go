package problem

import (
	"fmt"

	"penstock.dev/transforms/pde/sparse"
)

// Grid is a box of equal cells, or those of them that belong to the domain, with the
// pattern of a matrix that joins neighbours. It is never written to after it was made.
type Grid struct {
	Shape  []int     // one to three extents, row-major
	Length []float64 // of the box along each
	Cells  []int32   // of the unknowns; nil when every cell is one

	n       int
	unknown []int32 // of cells, -1 outside; nil as above
	start   []int32
	col     []int32
	place   []int32 // of an unknown: its entries on the diagonal, and to the neighbour below and above along each extent, -1 for none
}

// maxCells bounds a grid's memory.
const maxCells = 1 << 27

// NewGrid makes a grid. length nil is a box whose last extent is 1 and whose cells
// are cubes. inside, if not nil, says which cells belong to the domain.
func NewGrid(shape []int, length []float64, inside func(cell int) bool) (*Grid, error) {
	if len(shape) < 1 || len(shape) > 3 {
		return nil, fmt.Errorf("a grid has 1 to 3 extents, not %d", len(shape))
	}
	cells := 1
	for _, extent := range shape {
		if extent < 1 || extent > maxCells/cells {
			return nil, fmt.Errorf("a grid of %v cells", shape)
		}
		cells *= extent
	}
	if length == nil {
		for _, extent := range shape {
			length = append(length, float64(extent)/float64(shape[len(shape)-1]))
		}
	}
	g := &Grid{Shape: shape, Length: length, n: cells}
	if inside != nil {
		g.mask(cells, inside)
	}
	g.join()
	return g, nil
}

func (g *Grid) mask(cells int, inside func(int) bool) {
	g.unknown = make([]int32, cells)
	for c := range g.unknown {
		g.unknown[c] = -1
		if inside(c) {
			g.unknown[c] = int32(len(g.Cells))
			g.Cells = append(g.Cells, int32(c))
		}
	}
	g.n = len(g.Cells)
}

// cell is the cell of an unknown.
func (g *Grid) cell(u int) int {
	if g.Cells == nil {
		return u
	}
	return int(g.Cells[u])
}

// strides are the distances of neighbouring cells along each extent.
func (g *Grid) strides() []int {
	strides := make([]int, len(g.Shape))
	stride := 1
	for d := len(g.Shape) - 1; d >= 0; d-- {
		strides[d] = stride
		stride *= g.Shape[d]
	}
	return strides
}

// join finds neighbours and lays out the pattern.
func (g *Grid) join() {
	strides := g.strides()
	width := 2*len(strides) + 1
	g.start = make([]int32, g.n+1)
	g.place = make([]int32, g.n*width)
	g.col = make([]int32, 0, g.n*width)
	for u := range g.n {
		c := g.cell(u)
		place := g.place[u*width : (u+1)*width]
		add := func(slot, unknown int) {
			place[slot] = int32(len(g.col))
			g.col = append(g.col, int32(unknown))
		}
		for d, stride := range strides { // lower cells, the farthest first
			place[1+2*d], place[2+2*d] = -1, -1
			if c/stride%g.Shape[d] > 0 {
				if v := g.Unknown(c - stride); v >= 0 {
					add(1+2*d, v)
				}
			}
		}
		add(0, u)
		for d := len(strides) - 1; d >= 0; d-- {
			if c/strides[d]%g.Shape[d] < g.Shape[d]-1 {
				if v := g.Unknown(c + strides[d]); v >= 0 {
					add(2+2*d, v)
				}
			}
		}
		g.start[u+1] = int32(len(g.col))
	}
}

// Unknown is the number of a cell's unknown, -1 outside the domain.
func (g *Grid) Unknown(cell int) int {
	if g.unknown == nil {
		return cell
	}
	return int(g.unknown[cell])
}

// Unknowns is the number of unknowns.
func (g *Grid) Unknowns() int { return g.n }

// Centre is the centre of a cell along extent d.
func (g *Grid) Centre(cell, d int) float64 {
	stride := 1
	for _, extent := range g.Shape[d+1:] {
		stride *= extent
	}
	return (float64(cell/stride%g.Shape[d]) + 0.5) * g.spacing(d)
}

func (g *Grid) spacing(d int) float64 { return g.Length[d] / float64(g.Shape[d]) }

// Coordinates are those of the unknowns, for an order of elimination.
func (g *Grid) Coordinates() [][]float32 {
	coordinates := make([][]float32, len(g.Shape))
	for d, stride := range g.strides() {
		coordinates[d] = make([]float32, g.n)
		for u := range g.n {
			coordinates[d][u] = float32(g.cell(u) / stride % g.Shape[d])
		}
	}
	return coordinates
}

// matrix makes a matrix of zeros with the grid's pattern, which it shares.
func (g *Grid) matrix() *sparse.Matrix {
	return &sparse.Matrix{N: g.n, Start: g.start, Col: g.col, Val: make([]float64, len(g.col))}
}
