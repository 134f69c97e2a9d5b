package order

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"penstock.dev/transforms/pde/field"
)

func TestGreedyAgreesWithNumPy(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []int
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	points := make([][]float64, 60)
	for i := range points {
		for j := range 5 {
			points[i] = append(points[i], float64((5*i+j)*7919%1009)/1009)
		}
	}
	if got := Greedy(points); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func random(n, width int) [][]float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	points := make([][]float64, n)
	for i := range points {
		for range width {
			points[i] = append(points[i], rng.NormFloat64())
		}
	}
	return points
}

func TestOrdersArePermutations(t *testing.T) {
	for _, n := range []int{0, 1, 2, 50} {
		points := random(n, 200)
		if n == 50 {
			points[7][3], points[9][0] = math.NaN(), math.Inf(1)
			points[11] = points[12]
			for i := range points { // farther apart than any constant that one might start from
				for j := range points[i] {
					points[i][j] *= 1e9
				}
			}
		}
		for _, order := range [][]int{Greedy(points), Blocked(points, 7), Blocked(points, 1)} {
			sorted := slices.Sorted(slices.Values(order))
			for i, v := range sorted {
				if i != v || len(order) != n {
					t.Fatalf("%d points: %v", n, order)
				}
			}
		}
		if got := Blocked(points, 1); !slices.IsSorted(got) {
			t.Errorf("blocks of one: %v", got)
		}
		for at, i := range Blocked(points, 7) {
			if at/7 != i/7 {
				t.Errorf("point %d left its block", i)
			}
		}
	}
}

func TestNeighboursGetNearer(t *testing.T) {
	points := random(100, 4)
	length := func(order []int) (sum float64) {
		for k := 1; k < len(order); k++ {
			sum += math.Sqrt(part(points[order[k-1]], points[order[k]]))
		}
		return sum
	}
	given := make([]int, 100)
	for i := range given {
		given[i] = i
	}
	if a, b := length(Greedy(points)), length(given); a > 0.6*b {
		t.Errorf("path of %g after, %g before", a, b)
	}
}

func TestChunksDependOnTheSizeAlone(t *testing.T) {
	if got := Chunks(10, 4); !slices.Equal(got, [][2]int{{0, 4}, {4, 8}, {8, 10}}) {
		t.Error(got)
	}
	if Chunks(0, 4) != nil {
		t.Error("chunks of nothing")
	}
}

// Distances of smooth fields' low frequencies are those of the fields, so the order is
// nearly the same.
func TestLowFrequenciesKeepDistances(t *testing.T) {
	shape := []int{20, 24}
	g, err := field.NewNeumann(field.Spectrum{Alpha: 3, Tau: 3}, shape...)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var fields, low [][]float64
	for range 30 {
		f := make([]float64, 480)
		g.Sample(rng, f)
		fields = append(fields, f)
		low = append(low, LowFrequencies(f, shape, 8))
	}
	if len(low[0]) != 64 {
		t.Fatalf("%d coefficients", len(low[0]))
	}
	for i := range 29 {
		full, short := math.Sqrt(part(fields[i], fields[i+1])/480), math.Sqrt(part(low[i], low[i+1]))
		if short > full*(1+1e-12) || short < 0.98*full {
			t.Errorf("distance %g of %g", short, full)
		}
	}
	if a, b := Greedy(fields), Greedy(low); !slices.Equal(a[:10], b[:10]) {
		t.Errorf("orders %v and %v", a, b)
	}
}
