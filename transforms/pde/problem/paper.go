package problem

import (
	"fmt"

	"penstock.dev/transforms/pde/sparse"
)

// Paper builds the matrix that the code published with Wang et al., Accelerating data
// generation for neural operators via Krylov subspace recycling (ICLR 2024), builds
// for its Darcy and Helmholtz data from a coefficient on (s+2)×(s+2) points, and the
// right-hand side for f = 1; h is 1/(s-1).
//
// It is not Darcy's equation: 4K stands on the diagonal and the neighbour's K beside
// it, as in the Laplacian of K u, and for the neighbour in the row before the
// coefficient is that of two points earlier. For Helmholtz (wave not 0) h²·wave² is
// taken from the diagonal. It is for comparison with the paper alone.
func Paper(coefficient []float64, points int, wave float64) (*sparse.Matrix, []float64, error) {
	s := points - 2
	if s < 3 || len(coefficient) != points*points {
		return nil, nil, fmt.Errorf("%d values for %d×%d points, of which there must be 5×5 or more", len(coefficient), points, points)
	}
	n := s * s
	h := 1 / float64(s-1)
	// at is the coefficient at an inner point, in rows of s, moved by some rows and
	// columns; inner points run on from one row to the next.
	at := func(inner, rows, columns int) float64 {
		return coefficient[(inner/s+1+rows)*points+inner%s+1+columns]
	}
	a := &sparse.Matrix{N: n, Start: make([]int32, n+1)}
	add := func(column int, v float64) {
		a.Col = append(a.Col, int32(column))
		a.Val = append(a.Val, v)
	}
	b := make([]float64, n)
	for row := range n {
		if row >= s {
			add(row-s, -at(row-2, -1, 0))
		}
		if row%s > 0 {
			add(row-1, -at(row, 0, -1))
		}
		add(row, 4*at(row, 0, 0)-(h*h)*(wave*wave))
		if row%s < s-1 {
			add(row+1, -at(row, 0, 1))
		}
		if row < n-s {
			add(row+s, -at(row, 1, 0))
		}
		a.Start[row+1] = int32(len(a.Col))
		b[row] = h * h
	}
	return a, b, nil
}
