package problem

import "fmt"

// The block of the heat-transfer example that the paper's thermal data comes from: 1
// wide and 1.6 high, with a slot of 0.1 by 0.8 in its middle. Temperature is given on
// the left side, flux on the right, and nothing passes elsewhere.
const (
	blockWidth  = 1.0
	blockHeight = 1.6
)

// slotted checks that the cells are squares and the slot's sides run between them:
// 32 m by 20 m cells.
func slotted(shape []int) (length []float64, inside func(cell int) bool, err error) {
	m := shape[0] / 32
	if m < 1 || shape[0] != 32*m || shape[1] != 20*m {
		return nil, nil, fmt.Errorf("%s: %v cells, want 32 m by 20 m", Thermal, shape)
	}
	inside = func(cell int) bool {
		y, x := cell/shape[1], cell%shape[1]
		return y < 8*m || y >= 24*m || x < 9*m || x >= 11*m
	}
	return []float64{blockHeight, blockWidth}, inside, nil
}

// heated is the thermal problem's boundary: a temperature on the left, a flux on the
// right.
func heated(g *Grid, temperature, flux float64) func(cell, extent, side int) Condition {
	width := g.Shape[1]
	return func(cell, extent, side int) Condition {
		switch x := cell % width; {
		case extent == 1 && side == 0 && x == 0:
			return Condition{Value: temperature}
		case extent == 1 && side == 1 && x == width-1:
			return Condition{Flux: true, Value: flux}
		}
		return Condition{Flux: true}
	}
}
