package calibration

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

// references makes rows of one score from two normal distributions.
func references(rng *rand.Rand, humans, machines int) []Reference {
	var all []Reference
	for i := range humans + machines {
		r := Reference{Key: rng.Uint64(), Human: i < humans, Values: []float64{rng.NormFloat64()}, Tokens: int64(100 + i)}
		if !r.Human {
			r.Values[0] += 1.5
		}
		all = append(all, r)
	}
	return all
}

func fit(t *testing.T, rows []Reference, o Options) *Calibration {
	t.Helper()
	if o.Scores == nil {
		o.Scores = []Score{{Column: "score", Origin: "test"}}
	}
	if o.Direction == "" {
		o.Direction = Higher
	}
	c, err := Fit(rows, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// At most fpr of human rows are called a machine's, whatever the number of
// references; where nothing ties it is ⌊fpr (n+1)⌋ / (n+1) exactly.
func TestPromiseIsKept(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const trials = 20_000
	for _, n := range []int{19, 50, 99, 150} {
		for _, direction := range []Direction{Higher, Lower, Both} {
			for _, fpr := range []float64{0.05, 0.1, 0.25} {
				if SmallestFPR(n, direction) > fpr*(1+slack) {
					continue
				}
				flagged := 0
				for range trials {
					g := &Group{Human: make([]float64, n)}
					for i := range g.Human {
						g.Human[i] = rng.ExpFloat64()
					}
					slices.Sort(g.Human)
					c := &Calibration{Direction: direction, Scores: []Score{{Weight: 1}}}
					if direction == Lower { // references are statistics, already turned
						for i := range g.Human {
							g.Human[i] = -g.Human[i]
						}
						slices.Sort(g.Human)
					}
					if c.Decide(g, c.Statistic([]float64{rng.ExpFloat64()}), fpr).Label == Machine {
						flagged++
					}
				}
				rate := float64(flagged) / trials
				deviation := math.Sqrt(fpr * (1 - fpr) / trials)
				if rate > fpr+4*deviation {
					t.Errorf("n %d, %s: %g of human rows are called a machine's, %g promised", n, direction, rate, fpr)
				}
				if exact := math.Floor(fpr*float64(n+1)*(1+slack)) / float64(n+1); direction != Both && math.Abs(rate-exact) > 4*deviation {
					t.Errorf("n %d, %s: rate %g, want %g", n, direction, rate, exact)
				}
			}
		}
	}
}

// Two stages keep the sum of their rates, however their scores depend on each
// other: also when the second sees only what the first left open.
func TestCascadeKeepsTheSum(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	const (
		trials = 20_000
		n      = 99
		first  = 0.02
		second = 0.03
	)
	for _, correlation := range []float64{-1, -0.5, 0, 0.7, 1} {
		pair := func() (a, b float64) {
			a = rng.NormFloat64()
			return a, correlation*a + math.Sqrt(1-correlation*correlation)*rng.NormFloat64()
		}
		c := &Calibration{Direction: Higher, Scores: []Score{{Weight: 1}}}
		flagged := 0
		for range trials {
			cheap, dear := &Group{}, &Group{}
			for range n {
				a, b := pair()
				cheap.Human, dear.Human = append(cheap.Human, a), append(dear.Human, b)
			}
			slices.Sort(cheap.Human)
			slices.Sort(dear.Human)
			a, b := pair()
			switch c.Decide(cheap, a, first).Label {
			case Machine:
				flagged++
			case Unsure:
				if c.Decide(dear, b, second).Label == Machine {
					flagged++
				}
			}
		}
		promised := first + second
		if rate := float64(flagged) / trials; rate > promised+4*math.Sqrt(promised/trials) {
			t.Errorf("correlation %g: %g of human rows are called a machine's, %g promised", correlation, rate, promised)
		}
	}
}

// A row above the threshold, and no other, has a p-value of at most the rate; ties
// included.
func TestThresholdIsThePValue(t *testing.T) {
	agree := func(seed uint64, size uint8, coarse bool) bool {
		rng := rand.New(rand.NewPCG(seed, 3))
		g := &Group{}
		draw := func() float64 {
			x := rng.NormFloat64()
			if coarse {
				x = math.Round(2 * x)
			}
			return x
		}
		for range 1 + int(size) {
			g.Human = append(g.Human, draw())
		}
		slices.Sort(g.Human)
		c := &Calibration{Direction: Higher, Scores: []Score{{Weight: 1}}}
		for range 50 {
			fpr, x := rng.Float64(), draw()
			threshold, ok := Threshold(g.Human, fpr)
			if flagged := c.Decide(g, x, fpr).Label == Machine; flagged != (ok && x > threshold) {
				t.Logf("references %v, rate %g, row %g: flagged %v, threshold %g %v", g.Human, fpr, x, flagged, threshold, ok)
				return false
			}
		}
		return true
	}
	if err := quick.Check(agree, &quick.Config{MaxCount: 300, Rand: nil}); err != nil {
		t.Error(err)
	}
}

func TestVerdicts(t *testing.T) {
	c := &Calibration{Direction: Higher, Scores: []Score{{Weight: 1}}}
	alone := &Group{}
	for i := range 99 {
		alone.Human = append(alone.Human, float64(i))
	}
	both := &Group{Human: alone.Human}
	for i := range 99 {
		both.Machine = append(both.Machine, float64(i)+50)
	}
	for _, test := range []struct {
		name      string
		group     *Group
		statistic float64
		want      Label
		p         float64
	}{
		{"above all", alone, 100, Machine, 0.01},
		{"at the rate", alone, 94.5, Machine, 0.05},
		{"just below it", alone, 93.5, Unsure, 0.06},
		{"the median", alone, 49, Human, 0.51},
		{"just above the median", alone, 50.5, Unsure, 0.49},
		{"few machines look so human", both, 53.5, Human, 0.46},
		{"more do", both, 54, Unsure, 0.46},
	} {
		got := c.Decide(test.group, test.statistic, 0.05)
		if got.Label != test.want || math.Abs(got.PValue-test.p) > 1e-12 {
			t.Errorf("%s: %s with p %g, want %s with %g", test.name, got.Label, got.PValue, test.want, test.p)
		}
	}
}

// The result does not depend on the order of the references.
func TestOrderDoesNotMatter(t *testing.T) {
	rows := references(rand.New(rand.NewPCG(4, 4)), 120, 40)
	for i := range rows {
		rows[i].Values = append(rows[i].Values, rows[i].Values[0]+0.3*float64(i%7))
	}
	o := Options{Scores: []Score{{Column: "a"}, {Column: "b"}}, Length: "tokens"}
	first := fit(t, rows, o)
	slices.Reverse(rows)
	if second := fit(t, rows, o); first.ID != second.ID {
		t.Errorf("ids %s and %s", first.ID, second.ID)
	}
}

// The combination is the one that scikit-learn finds.
func TestCombinationAsScikitLearn(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "logistic.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Values    [][]float64
		Human     []bool
		Weights   []float64
		Intercept float64
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	var rows []Reference
	for i, values := range golden.Values {
		rows = append(rows, Reference{Human: golden.Human[i], Values: values})
	}
	weights, intercept, err := logistic(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range append(golden.Weights, golden.Intercept) {
		if got := append(weights, intercept)[i]; math.Abs(got-want) > 1e-5*max(1, math.Abs(want)) {
			t.Errorf("coefficient %d is %g, scikit-learn has %g", i, got, want)
		}
	}
}

func TestDirectionIsFound(t *testing.T) {
	rows := references(rand.New(rand.NewPCG(5, 5)), 60, 30)
	if c := fit(t, rows, Options{Direction: Auto}); c.Direction != Higher {
		t.Errorf("direction %s, machines are higher", c.Direction)
	}
	for i := range rows {
		rows[i].Values[0] *= -1
	}
	c := fit(t, rows, Options{Direction: Auto})
	if c.Direction != Lower {
		t.Errorf("direction %s, machines are lower", c.Direction)
	}
	if g, _ := c.Group(""); c.Decide(g, c.Statistic([]float64{-9}), 0.05).Label != Machine {
		t.Error("a score far below all is not called a machine's")
	}
}

func TestFewReferencesAreRefused(t *testing.T) {
	_, err := Fit(references(rand.New(rand.NewPCG(6, 6)), 50, 0), Options{Scores: []Score{{Column: "score"}}, Direction: Higher, FPR: []float64{0.05, 0.01}})
	want := "50 human references cannot promise a false-positive rate of 0.01: the smallest they reach is 0.0196, and 0.01 takes 99"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// A file comes back as it was written; one that was changed does not.
func TestSignature(t *testing.T) {
	c := fit(t, references(rand.New(rand.NewPCG(7, 7)), 40, 10), Options{Length: "tokens", FPR: []float64{0.05}})
	b, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if back.ID != c.ID || len(back.Groups[0].Human) != 40 || back.Length.Max != 139 {
		t.Errorf("%+v came back", back)
	}
	for _, change := range [][2]string{{`"fpr": [`, `"fpr": [0.2,`}, {`"higher"`, `"lower"`}, {`"max": 139`, `"max": 99999`}} {
		changed := strings.Replace(string(b), change[0], change[1], 1)
		if changed == string(b) {
			t.Fatalf("no %s in %s", change[0], b)
		}
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), "was changed") {
			t.Errorf("%s instead of %s: error %v", change[1], change[0], err)
		}
	}
}

func TestUnknownGroup(t *testing.T) {
	rows := references(rand.New(rand.NewPCG(8, 8)), 40, 0)
	for i := range rows {
		rows[i].Group = []string{"news", "stories"}[i%2]
	}
	c := fit(t, rows, Options{By: "source"})
	if _, err := c.Group("news"); err != nil {
		t.Error(err)
	}
	if _, err := c.Group("papers"); !errors.Is(err, ErrUnknownGroup) {
		t.Errorf("error %v", err)
	}
}

// Rows like the references, in any proportion of humans and machines, are not found
// to differ; others are.
func TestDrift(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	human := func() float64 { return rng.NormFloat64() }
	machine := func() float64 { return 2 + 0.7*rng.NormFloat64() }
	alarms := func(machines int, live func() float64) (n int) {
		for range 100 {
			g := &Group{}
			for range 300 {
				g.Human = append(g.Human, human())
			}
			for range machines {
				g.Machine = append(g.Machine, machine())
			}
			slices.Sort(g.Human)
			d := NewDrift(g)
			for range 600 {
				d.Add(atLeast(g.Human, live()))
			}
			if distance, bound, ok := d.Distance(); ok && distance > bound {
				n++
			}
		}
		return n
	}
	mixed := func(share float64) func() float64 {
		return func() float64 {
			if rng.Float64() < share {
				return machine()
			}
			return human()
		}
	}
	narrow := func() float64 { return 0.5 * rng.NormFloat64() }
	for _, test := range []struct {
		name     string
		machines int
		live     func() float64
		most     int
		least    int
	}{
		{"humans", 0, human, 5, 0},
		{"humans, machines known", 300, human, 5, 0},
		{"a third machines", 300, mixed(0.33), 5, 0},
		{"nearly all machines", 300, mixed(0.9), 5, 0},
		{"humans with half the spread", 0, narrow, 100, 98},
		{"the same, machines known", 300, narrow, 100, 98},
		{"humans further from machines", 300, func() float64 { return human() - 0.5 }, 100, 98},
	} {
		if n := alarms(test.machines, test.live); n > test.most || n < test.least {
			t.Errorf("%s: %d of 100 streams are said to differ, want %d to %d", test.name, n, test.least, test.most)
		}
	}
}

func FuzzParse(f *testing.F) {
	c, err := Fit(references(rand.New(rand.NewPCG(1, 2)), 20, 5), Options{Scores: []Score{{Column: "s"}}, Direction: Higher})
	if err != nil {
		f.Fatal(err)
	}
	b, _ := c.Marshal()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		for _, g := range c.Groups {
			c.Decide(&g, c.Statistic(make([]float64, len(c.Scores))), 0.5)
		}
	})
}
