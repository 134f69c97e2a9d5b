package multigrid

import "fmt"

// level is a grid with its stencil. Arrays have a border of one cell on each side
// that is always zero; a grid of one layer has none above and below.
type level struct {
	nx, ny, nz int
	row, plane int       // strides of the arrays
	d, inverse []float64 // the diagonal
	e, n, t    []float64 // couplings to the next cell along each extent; t nil for one layer
	x, b       []float64
	r          []float64 // room for a line
}

func newLevel(nx, ny, nz int) *level {
	l := &level{nx: nx, ny: ny, nz: nz, row: nx + 2, plane: (nx + 2) * (ny + 2), r: make([]float64, nx)}
	size := l.plane
	if nz > 1 {
		size *= nz + 2
		l.t = make([]float64, size)
	}
	for _, array := range []*[]float64{&l.d, &l.inverse, &l.e, &l.n, &l.x, &l.b} {
		*array = make([]float64, size)
	}
	return l
}

func (l *level) cells() int { return l.nx * l.ny * l.nz }

// layer is where layer k begins.
func (l *level) layer(k int) int {
	if l.nz == 1 {
		return 0
	}
	return (k + 1) * l.plane
}

// at is the index of the first cell of a line.
func (l *level) at(j, k int) int { return l.layer(k) + (j+1)*l.row + 1 }

// index is the index of a cell, counted without the border.
func (l *level) index(c int) int {
	return l.at(c/l.nx%l.ny, c/(l.nx*l.ny)) + c%l.nx
}

// load copies a vector without a border into an array, store back.
func (l *level) load(into, from []float64) {
	for k := range l.nz {
		for j := range l.ny {
			copy(into[l.at(j, k):][:l.nx], from)
			from = from[l.nx:]
		}
	}
}

func (l *level) store(into, from []float64) {
	for k := range l.nz {
		for j := range l.ny {
			copy(into, from[l.at(j, k):][:l.nx])
			into = into[l.nx:]
		}
	}
}

func (l *level) invert() error {
	for k := range l.nz {
		for j := range l.ny {
			at := l.at(j, k)
			inverse := l.inverse[at:][:l.nx]
			for i, d := range l.d[at:][:l.nx] {
				inverse[i] = 1 / d
				if !(d > 0) || inverse[i] == 0 {
					return fmt.Errorf("%w: diagonal entry %v", ErrStencil, d)
				}
			}
		}
	}
	return nil
}

// coarsen makes the stencil from that of the level above: half the Galerkin operator.
func (l *level) coarsen(fine *level) {
	clear(l.d)
	clear(l.e)
	clear(l.n)
	clear(l.t)
	for k := range fine.nz {
		for j := range fine.ny {
			from, to := fine.at(j, k), l.at(j/2, k/2)
			for i := range fine.nx {
				f, c := from+i, to+i/2
				inside := 0.0 // couplings within the coarse cell
				if i%2 == 0 {
					inside += fine.e[f]
				} else {
					l.e[c] += 0.5 * fine.e[f]
				}
				if j%2 == 0 {
					inside += fine.n[f]
				} else {
					l.n[c] += 0.5 * fine.n[f]
				}
				if fine.t != nil {
					if k%2 == 0 {
						inside += fine.t[f]
					} else if l.t != nil {
						l.t[c] += 0.5 * fine.t[f]
					}
				}
				l.d[c] += 0.5*fine.d[f] + inside
			}
		}
	}
	for k := range l.nz {
		for j := range l.ny {
			at := l.at(j, k)
			for i := range l.nx {
				l.inverse[at+i] = 1 / l.d[at+i]
			}
		}
	}
}

// smoothZero sets x to zero and sweeps over the red cells (those with an even sum of
// indices).
func (l *level) smoothZero() {
	for k := range l.nz {
		for j := range l.ny {
			at, red := l.at(j, k), (j+k)&1
			x, b, inverse := l.x[at:][:l.nx], l.b[at:][:l.nx], l.inverse[at:][:l.nx]
			for i, v := range b {
				x[i] = 0
				if i&1 == red {
					x[i] = v * inverse[i]
				}
			}
		}
	}
}

// smooth sweeps over the cells of a colour: 0 is red, 1 is black.
func (l *level) smooth(colour int) {
	if l.t != nil {
		l.smoothLayers(colour)
		return
	}
	n := l.nx
	for j := range l.ny {
		at := l.at(j, 0)
		x, e := l.x[at-1:][:n+2], l.e[at-1:][:n+1]
		north, south := l.x[at+l.row:][:n], l.x[at-l.row:][:n]
		toN, toS := l.n[at:][:n], l.n[at-l.row:][:n]
		b, inverse := l.b[at:][:n], l.inverse[at:][:n]
		for i := (j + colour) & 1; i < n; i += 2 {
			s := b[i] - e[i]*x[i] - e[i+1]*x[i+2]
			s -= toN[i]*north[i] + toS[i]*south[i]
			x[i+1] = s * inverse[i]
		}
	}
}

func (l *level) smoothLayers(colour int) {
	n := l.nx
	for k := range l.nz {
		for j := range l.ny {
			at := l.at(j, k)
			x, e := l.x[at-1:][:n+2], l.e[at-1:][:n+1]
			north, south := l.x[at+l.row:][:n], l.x[at-l.row:][:n]
			above, below := l.x[at+l.plane:][:n], l.x[at-l.plane:][:n]
			toN, toS := l.n[at:][:n], l.n[at-l.row:][:n]
			toA, toB := l.t[at:][:n], l.t[at-l.plane:][:n]
			b, inverse := l.b[at:][:n], l.inverse[at:][:n]
			for i := (j + k + colour) & 1; i < n; i += 2 {
				s := b[i] - e[i]*x[i] - e[i+1]*x[i+2]
				s -= toN[i]*north[i] + toS[i]*south[i]
				s -= toA[i]*above[i] + toB[i]*below[i]
				x[i+1] = s * inverse[i]
			}
		}
	}
}

// product sets dst to the operator applied to x along a line.
func (l *level) product(dst []float64, j, k int) {
	at, n := l.at(j, k), len(dst)
	x, e, d := l.x[at-1:][:n+2], l.e[at-1:][:n+1], l.d[at:][:n]
	north, south := l.x[at+l.row:][:n], l.x[at-l.row:][:n]
	toN, toS := l.n[at:][:n], l.n[at-l.row:][:n]
	for i := range dst {
		dst[i] = d[i]*x[i+1] + e[i]*x[i] + e[i+1]*x[i+2] + toN[i]*north[i] + toS[i]*south[i]
	}
	if l.t == nil {
		return
	}
	above, below := l.x[at+l.plane:][:n], l.x[at-l.plane:][:n]
	toA, toB := l.t[at:][:n], l.t[at-l.plane:][:n]
	for i := range dst {
		dst[i] += toA[i]*above[i] + toB[i]*below[i]
	}
}

// multiply sets dst, without a border, to the operator applied to x.
func (l *level) multiply(dst []float64) {
	for k := range l.nz {
		for j := range l.ny {
			l.product(dst[:l.nx], j, k)
			dst = dst[l.nx:]
		}
	}
}

// restrict sums the residual over the cells of the level below. It follows a sweep
// over the black cells, at which the residual is zero.
func (l *level) restrict(below *level) {
	clear(below.b)
	for k := range l.nz {
		for j := range l.ny {
			at := l.at(j, k)
			b := l.b[at:][:l.nx]
			l.product(l.r, j, k)
			sums := below.b[below.at(j/2, k/2):][:below.nx]
			for i := (j + k) & 1; i < l.nx; i += 2 {
				sums[i/2] += b[i] - l.r[i]
			}
		}
	}
}

// prolong adds to x that of the level below.
func (l *level) prolong(below *level) {
	for k := range l.nz {
		for j := range l.ny {
			x := l.x[l.at(j, k):][:l.nx]
			from := below.x[below.at(j/2, k/2):][:below.nx]
			for i := range x {
				x[i] += from[i/2]
			}
		}
	}
}
