package table

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// reduce divides rows among accumulators, merges them in some order and emits.
func reduce(t testing.TB, n transforms.Node, rows []*data.Record, parts int) emitted {
	t.Helper()
	c := n.(transforms.Combiner)
	accumulators := make([]transforms.Accumulator, parts)
	for i := range accumulators {
		accumulators[i] = c.NewAccumulator()
	}
	for i, r := range rows {
		if err := accumulators[i%parts].Add(r); err != nil {
			t.Fatal(err)
		}
	}
	total := c.NewAccumulator()
	for _, a := range accumulators {
		b, err := a.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := total.Merge(b); err != nil {
			t.Fatal(err)
		}
		for i := range b {
			b[i] = 0xff // the engine may use its buffer again
		}
	}
	out := emitted{}
	if err := total.Emit(t.Context(), out.emit); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAggregateByGroup(t *testing.T) {
	s, rows := table(t, "g:string, n:int64, x:float64",
		`["b", 1, 2]`, `["a", 3, 1]`, `["a", null, 4]`, `[null, 7, null]`, `["b", 5, 8]`, `["a", 3, 2.5]`)
	n, out := node(t, "Aggregate", `{"by": ["g"], "columns": {"rows": "count()", "have": "count(n)", "sum": "sum(n)", "mean": "mean(x)",
		"low": "min(x)", "high": "max(n)", "std": "std(x)", "mid": "median(x)", "q": "quantile(x, 0.25)", "kinds": "distinct(n)"}}`, in(s))
	want := "g: string, rows: int64, have: int64, sum: int64, mean: float64, low: float64, high: int64, std: float64, mid: float64, q: float64, kinds: int64"
	if got := out.Get("out").String(); got != want {
		t.Errorf("columns %s", got)
	}
	for parts := 1; parts <= 4; parts++ {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		equal(t, fmt.Sprint(parts, " accumulators"), reduce(t, n, rows, parts).rows("out"), []string{
			`["a"]: a 3 2 6 2.5 1 3 1.5 2.5 1.75 1`,
			`["b"]: b 2 2 6 5 2 5 4.242640687119285 5 3.5 2`,
			`[null]: null 1 1 7 null null 7 null null null 1`,
		})
	}
}

func TestAggregateOfNothing(t *testing.T) {
	s, _ := table(t, "g:string, x:float64")
	n, _ := node(t, "Aggregate", `{"columns": {"rows": "count()", "sum": "sum(x)", "d": "distinct(x)"}}`, in(s))
	equal(t, "all", reduce(t, n, nil, 1).rows("out"), []string{"[]: 0 null 0"})
	n, _ = node(t, "Aggregate", `{"by": ["g"], "columns": {"rows": "count()"}}`, in(s))
	equal(t, "by group", reduce(t, n, nil, 1).rows("out"), []string{})
}

// TestAggregateAgreesWithReferences compares sums with exact rational arithmetic
// and the rest with gonum, over numbers that cancel badly.
func TestAggregateAgreesWithReferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var lines []string
	var xs []float64
	exact := new(big.Rat)
	for i := range 5000 {
		x := rng.NormFloat64() * math.Pow(10, float64(rng.IntN(12)))
		if i%2 == 1 {
			x = -xs[i-1] + rng.Float64()
		}
		xs = append(xs, x)
		exact.Add(exact, new(big.Rat).SetFloat64(x))
		lines = append(lines, fmt.Sprintf("[%v]", x))
	}
	s, rows := table(t, "x:float64", lines...)
	n, _ := node(t, "Aggregate", `{"columns": {"sum": "sum(x)", "std": "std(x)", "q": "quantile(x, 0.9)"}}`, in(s))
	sum, _ := exact.Float64()
	sorted := slices.Sorted(slices.Values(xs))
	at := 0.9 * float64(len(xs)-1)
	q := sorted[int(at)] + (at-math.Floor(at))*(sorted[int(at)+1]-sorted[int(at)])
	for _, parts := range []int{1, 3, 17} {
		r := reduce(t, n, rows, parts)["out"][0]
		for i, want := range []float64{sum, stat.StdDev(xs, nil), q} {
			if got := r.Values[i].Float64(); math.Abs(got-want) > 1e-12*math.Abs(want) {
				t.Errorf("%d accumulators: %s is %v, want %v", parts, r.Schema.Field(i).Name, got, want)
			}
		}
	}
}

func TestIntegerSumsAreExactOrRefused(t *testing.T) {
	s, rows := table(t, "n:int64", `[9223372036854775807]`, `[9223372036854775807]`, `[-9223372036854775807]`, `[-3]`)
	n, _ := node(t, "Aggregate", `{"columns": {"sum": "sum(n)"}}`, in(s))
	equal(t, "sum", reduce(t, n, rows, 2).rows("out"), []string{"[]: 9223372036854775804"})

	a := n.(transforms.Combiner).NewAccumulator()
	for _, r := range rows[:2] {
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	err := a.Emit(t.Context(), emitted{}.emit)
	if !transforms.IsFatal(err) || !strings.Contains(err.Error(), "exceeds int64") {
		t.Errorf("error %v, want an overflow", err)
	}
}

func TestInfinitiesAndNaNPassThroughAggregates(t *testing.T) {
	s, rows := table(t, "x:float64", `[1]`, `["NaN"]`, `[2]`)
	n, _ := node(t, "Aggregate", `{"columns": {"sum": "sum(x)", "low": "min(x)", "high": "max(x)"}}`, in(s))
	equal(t, "NaN", reduce(t, n, rows, 2).rows("out"), []string{"[]: NaN 1 NaN"})
	rows[1].Values[0] = data.Float64Value(math.Inf(1))
	equal(t, "Inf", reduce(t, n, rows, 2).rows("out"), []string{"[]: +Inf 1 +Inf"})
}

func TestDamagedAccumulatorsAreRefused(t *testing.T) {
	s, rows := table(t, "g:string, x:float64", `["a", 1]`, `["b", 2]`)
	n, _ := node(t, "Aggregate", `{"by": ["g"], "columns": {"q": "median(x)", "d": "distinct(x)", "m": "max(g)", "s": "sum(x)"}}`, in(s))
	c := n.(transforms.Combiner)
	a := c.NewAccumulator()
	for _, r := range rows {
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := a.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if err := c.NewAccumulator().Merge(whole[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a whole accumulator", i, len(whole))
		}
	}
}
