package dense

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

// Multiply adds alpha a b to c, where a is m×k, b is k×n with rows ldb apart and c
// is m×n with rows ldc apart. c must not overlap a or b.
//
// The order of work is that of Goto and van de Geijn, Anatomy of high-performance
// matrix multiplication, ACM Trans. Math. Softw. 34 (2008), without the outermost
// blocking.
func Multiply(m, n, k int, alpha float64, a View, b []float64, ldb int, c []float64, ldc int) {
	if m < 4 || n < 8 || k < 4 || !vectorised {
		multiplyPlain(m, n, k, alpha, a, b, ldb, c, ldc)
		return
	}
	var panel [depth * wide]float64
	for l := 0; l < k; l += depth {
		deep := min(depth, k-l)
		part := View{a.Data[l*a.Col:], a.Row, a.Col}
		for j := 0; j < n; j += wide {
			width := min(wide, n-j)
			whole := width &^ 7
			packColumns(panel[:], b[l*ldb+j:], ldb, deep, whole)
			multiplyPanel(m, whole, deep, alpha, part, panel[:], c[j:], ldc)
			if whole < width {
				multiplyPlain(m, width-whole, deep, alpha, part, b[l*ldb+j+whole:], ldb, c[j+whole:], ldc)
			}
		}
	}
}

// packColumns copies n columns of b, eight at a time.
func packColumns(into, b []float64, ldb, k, n int) {
	for j := 0; j < n; j += 8 {
		for l := 0; l < k; l++ {
			*(*[8]float64)(into) = [8]float64(b[l*ldb+j:])
			into = into[8:]
		}
	}
}

func multiplyPanel(m, n, k int, alpha float64, a View, panel, c []float64, ldc int) {
	var strip [4 * depth]float64
	i := 0
	for ; i+4 <= m; i += 4 {
		packRows(strip[:4*k], View{a.Data[i*a.Row:], a.Row, a.Col})
		for j := 0; j < n; j += 8 {
			tile(strip[:4*k], panel[j*k:][:8*k], alpha, c[i*ldc+j:], ldc)
		}
	}
	for ; i < m; i++ {
		for j := 0; j < n; j += 8 {
			row := c[i*ldc+j:][:8]
			for l := 0; l < k; l++ {
				axpyPlain(row, alpha*a.Data[i*a.Row+l*a.Col], panel[j*k+8*l:][:8])
			}
		}
	}
}

// packRows copies four rows of a, column after column.
func packRows(into []float64, a View) {
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
