package dense

import "sync"

// View is a matrix as Multiply reads it: the element in row i and column j is
// Data[i*Row+j*Col], so that a transpose is a view too.
type View struct {
	Data     []float64
	Row, Col int
}

// Panels of b and strips of a are copied side by side for the kernel, which then
// reads memory in order: depth rows of b at a time, wide columns.
const (
	depth = 128
	wide  = 64
)

// packed is room for a panel and a strip, which are made again and again.
type packed struct {
	panel [depth * wide]float64
	strip [4 * depth]float64
}

var rooms = sync.Pool{New: func() any { return new(packed) }}

// Multiply adds alpha a b to c, where a is m×k, b is k×n with rows ldb apart and c
// is m×n with rows ldc apart. c must not overlap a or b.
//
// The order of work is that of Goto and van de Geijn, Anatomy of high-performance
// matrix multiplication, ACM Trans. Math. Softw. 34 (2008), without the outermost
// blocking.
func Multiply(m, n, k int, alpha float64, a View, b []float64, ldb int, c []float64, ldc int) {
	if m < 2 || n < 4 || k < 4 || !vectorised {
		multiplyPlain(m, n, k, alpha, a, b, ldb, c, ldc)
		return
	}
	room := rooms.Get().(*packed)
	for l := 0; l < k; l += depth {
		deep := min(depth, k-l)
		part := View{a.Data[l*a.Col:], a.Row, a.Col}
		for j := 0; j < n; j += wide {
			width := min(wide, n-j)
			packColumns(room.panel[:], b[l*ldb+j:], ldb, deep, width)
			multiplyPanel(m, width, deep, alpha, part, room, c[j:], ldc)
		}
	}
	rooms.Put(room)
}

// packColumns copies n columns of b, eight at a time; those that are missing from the
// last eight are zero.
func packColumns(into, b []float64, ldb, k, n int) {
	for ; n >= 8; n -= 8 {
		for l := 0; l < k; l++ {
			*(*[8]float64)(into) = [8]float64(b[l*ldb:])
			into = into[8:]
		}
		b = b[min(8, len(b)):]
	}
	if n == 0 {
		return
	}
	for l := 0; l < k; l++ {
		row := (*[8]float64)(into)
		*row = [8]float64{}
		copy(row[:n], b[l*ldb:])
		into = into[8:]
	}
}

func multiplyPanel(m, n, k int, alpha float64, a View, room *packed, c []float64, ldc int) {
	strip := room.strip[:4*k]
	for i := 0; i < m; i += 4 {
		rows := min(4, m-i)
		packRows(strip, View{a.Data[i*a.Row:], a.Row, a.Col}, rows)
		for j := 0; j < n; j += 8 {
			panel := room.panel[j*k:][:8*k]
			if rows == 4 && j+8 <= n {
				tile(strip, panel, alpha, c[i*ldc+j:], ldc)
				continue
			}
			var edge [4 * 8]float64
			tile(strip, panel, alpha, edge[:], 8)
			for r := range rows {
				row := c[(i+r)*ldc+j:][:min(8, n-j)]
				for q := range row {
					row[q] += edge[8*r+q]
				}
			}
		}
	}
}

// packRows copies at most four rows of a, column after column; those that are missing
// are zero.
func packRows(into []float64, a View, rows int) {
	if rows < 4 {
		clear(into)
		for r := range rows {
			at := r * a.Row
			for i := r; i < len(into); i += 4 {
				into[i] = a.Data[at]
				at += a.Col
			}
		}
		return
	}
	r0, r1, r2, r3 := a.Data, a.Data[a.Row:], a.Data[2*a.Row:], a.Data[3*a.Row:]
	for at := 0; len(into) >= 4; at += a.Col {
		*(*[4]float64)(into) = [4]float64{r0[at], r1[at], r2[at], r3[at]}
		into = into[4:]
	}
}

func multiplyPlain(m, n, k int, alpha float64, a View, b []float64, ldb int, c []float64, ldc int) {
	if n == 0 {
		return
	}
	for i := 0; i < m; i++ {
		row := c[i*ldc:][:n]
		for l := 0; l < k; l++ {
			axpy(row, alpha*a.Data[i*a.Row+l*a.Col], b[l*ldb:])
		}
	}
}
