package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var rows = data.MustSchema(
	data.Field{Name: "embedding", Type: data.ListOf(data.Float32Type, true), Nullable: true},
	data.Field{Name: "group", Type: data.Int64Type, Nullable: true},
)

// memory is the complete input of a node.
type memory struct {
	rows    []*data.Record
	refused map[string]string // class by row
}

func (m *memory) Rows(string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		for _, r := range m.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) Count(string) int64 { return int64(len(m.rows)) }

func (m *memory) Reject(r *transforms.Rejected) { m.refused[r.Record.ID.String()] = r.Class }

// run runs a kind over rows and returns what it emits by port, and the refused.
func run(t testing.TB, kind string, config map[string]any, in []*data.Record) (map[string][]*data.Record, map[string]string) {
	t.Helper()
	k, _ := transforms.Lookup(kind)
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := k.New(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: rows}}); err != nil {
		t.Fatal(err)
	}
	m := &memory{in, map[string]string{}}
	out := map[string][]*data.Record{}
	err = n.(transforms.Global).Run(t.Context(), m, func(port string, r *data.Record) { out[port] = append(out[port], r) })
	if err != nil {
		t.Fatal(err)
	}
	return out, m.refused
}

func record(id int, group int64, vector ...float64) *data.Record {
	list := make([]data.Value, len(vector))
	for i, x := range vector {
		list[i] = data.Float32Value(float32(x))
	}
	return &data.Record{Schema: rows, ID: data.KeyID(fmt.Sprintf("r%03d", id)), Order: int64(id),
		Values: []data.Value{data.ListValue(list), data.Int64Value(group)}}
}

// scattered are rows around a few places in directions of their own, with the place as
// the group.
func scattered(seed uint64, n, places int) []*data.Record {
	rng := rand.New(rand.NewPCG(seed, 0))
	var all []*data.Record
	for i := range n {
		p := rng.IntN(places)
		vector := make([]float64, max(places, 3))
		for j := range vector {
			vector[j] = rng.NormFloat64()
		}
		vector[p] += 10
		all = append(all, record(i, int64(p), vector...))
	}
	return all
}

func clusterConfig(with map[string]any) map[string]any {
	c := map[string]any{"column": "embedding", "k": 4, "candidates": []int{1, 2, 4, 8, 16}, "iterations": 100, "seed": 1, "as": "cluster"}
	maps.Copy(c, with)
	return c
}

// Rows around a few places get a cluster for each, whether their number is given or
// found at the elbow, whatever the order of the rows.
func TestClusterFindsPlaces(t *testing.T) {
	for _, k := range []any{4, "elbow"} {
		in := scattered(3, 200, 4)
		want := map[string]string{}
		for pass := range 3 {
			out, refused := run(t, "Cluster", clusterConfig(map[string]any{"k": k}), in)
			if len(out["out"]) != len(in) || len(refused) > 0 {
				t.Fatalf("%d rows of %d, %d refused", len(out["out"]), len(in), len(refused))
			}
			places := map[int64]map[int64]bool{}
			for i, r := range out["out"] {
				if r.ID != in[i].ID {
					t.Fatalf("row %d is %s, want %s", i, r.ID, in[i].ID)
				}
				c, p := r.Values[2].Int64(), r.Values[1].Int64()
				if places[c] == nil {
					places[c] = map[int64]bool{}
				}
				places[c][p] = true
				if id := r.ID.String(); pass == 0 {
					want[id] = fmt.Sprint(c)
				} else if want[id] != fmt.Sprint(c) {
					t.Errorf("row %s: cluster %d in another order, %s before", id, c, want[id])
				}
			}
			if len(places) != 4 {
				t.Errorf("k %v: %d clusters", k, len(places))
			}
			for c, of := range places {
				if len(of) != 1 {
					t.Errorf("k %v: cluster %d mixes places %v", k, c, of)
				}
			}
			in = slices.Clone(in)
			rand.New(rand.NewPCG(uint64(pass), 9)).Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		}
	}
}

// A row without a usable vector costs itself.
func TestRowsWithoutVectors(t *testing.T) {
	null := record(4, 0)
	null.Values[0] = data.Value{}
	hole := record(5, 0, 1, 2)
	hole.Values[0].List()[1] = data.Value{}
	in := []*data.Record{record(0, 0, 1, 2), record(1, 0, 1, 2, 3), record(2, 0), record(3, 0, 1, math.NaN()), null, hole, record(6, 0, 3, 4)}
	out, refused := run(t, "Cluster", clusterConfig(nil), in)
	want := map[string]string{"r001": "length", "r002": "length", "r003": "value", "r004": "null", "r005": "value"}
	if !maps.Equal(refused, want) || len(out["out"]) != 2 {
		t.Errorf("refused %v, want %v; %d rows out", refused, want, len(out["out"]))
	}
	if out, _ := run(t, "Cluster", clusterConfig(nil), nil); len(out) > 0 {
		t.Errorf("rows %v of none", out)
	}
}

// Knees are those of the package kneed.
func TestKnee(t *testing.T) {
	var cases []struct {
		X, Y []float64
		Knee *int
	}
	readJSON(t, "testdata/knees.json", &cases)
	for i, c := range cases {
		if c.Knee == nil {
			continue
		}
		if got := knee(c.X, c.Y); got != *c.Knee {
			t.Errorf("case %d: knee %d, want %d", i, got, *c.Knee)
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Shares under compat: "reference" are those of the published code, and ours are the
// same where it does as it says.
func TestQuotasOfTheReference(t *testing.T) {
	var cases struct {
		Allocation []struct {
			N     int    `json:"n_train"`
			Sizes []int  `json:"sizes"`
			Want  []int  `json:"allocation_reference"`
			Note  string `json:"note"`
		} `json:"allocation"`
	}
	readJSON(t, "testdata/duqgen.json", &cases)
	if len(cases.Allocation) != 6 {
		t.Fatalf("%d cases", len(cases.Allocation))
	}
	for i, c := range cases.Allocation {
		if got := referenceQuotas(c.Sizes, c.N); !slices.Equal(got, c.Want) {
			t.Errorf("case %d: %v, want %v", i, got, c.Want)
		}
	}
}

// Quotas add up, fit their clusters and leave none out as long as there are enough.
func TestQuotas(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 2000 {
		sizes := make([]int, 1+rng.IntN(20))
		total, filled := 0, 0
		for c := range sizes {
			if rng.IntN(4) > 0 {
				sizes[c] = rng.IntN(1 << rng.IntN(10))
			}
			total += sizes[c]
			filled += min(sizes[c], 1)
		}
		n := 1 + rng.IntN(2*total+5)
		sum := 0
		got := quotas(sizes, n)
		for c, q := range got {
			sum += q
			if q < 0 || q > sizes[c] || q == 0 && sizes[c] > 0 && n >= filled {
				t.Fatalf("%d of %v: %v", n, sizes, got)
			}
			for d, p := range got { // a larger cluster never gives less
				if sizes[d] > sizes[c] && p < q {
					t.Fatalf("%d of %v: %v", n, sizes, got)
				}
			}
		}
		if sum != min(n, total) {
			t.Fatalf("%d of %v: %v picks %d", n, sizes, got, sum)
		}
	}
}

func selectConfig(with map[string]any) map[string]any {
	c := map[string]any{"column": "embedding", "cluster": "group", "n": 30, "temperature": 1, "rounds": 5, "relevance": 1, "seed": 1, "compat": "none"}
	maps.Copy(c, with)
	return c
}

func idsOf(all []*data.Record) []string {
	ids := make([]string, len(all))
	for i, r := range all {
		ids[i] = r.ID.String()
	}
	slices.Sort(ids)
	return ids
}

// As many rows as asked for are picked, each once and whatever their order; the others
// are there too.
func TestSelection(t *testing.T) {
	for _, with := range []map[string]any{nil, {"relevance": 0.3}, {"n": 3}, {"n": 119}, {"n": 500}, {"temperature": 0}, {"temperature": 1e6}} {
		in := scattered(8, 120, 6)
		config := selectConfig(with)
		out, refused := run(t, "SelectRepresentative", config, in)
		n := len(in)
		if c, ok := config["n"].(int); ok {
			n = min(n, c)
		}
		if len(out["out"]) != n || len(refused) > 0 {
			t.Errorf("%v: %d rows, want %d; refused %v", with, len(out["out"]), n, refused)
		}
		both := slices.Concat(idsOf(out["out"]), idsOf(out["else"]))
		if slices.Sort(both); !slices.Equal(both, idsOf(in)) {
			t.Errorf("%v: a row was lost or came twice", with)
		}
		shuffled := slices.Clone(in)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(in), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if again, _ := run(t, "SelectRepresentative", config, shuffled); !slices.Equal(idsOf(again["out"]), idsOf(out["out"])) {
			t.Errorf("%v: the order of the rows matters", with)
		}
	}
}

// At a temperature of 0 the rows nearest to the centre are picked.
func TestColdSelectionIsTheNearest(t *testing.T) {
	in := scattered(2, 40, 1)
	out, _ := run(t, "SelectRepresentative", selectConfig(map[string]any{"n": 10, "temperature": 0, "rounds": 1}), in)
	centre := make([]float32, 3)
	for j := range centre {
		sum := 0.0
		for _, r := range in {
			sum += r.Values[0].List()[j].Float64()
		}
		centre[j] = float32(sum / float64(len(in)))
	}
	closeness := func(r *data.Record) float64 {
		v := make([]float32, 3)
		for j := range v {
			v[j] = float32(r.Values[0].List()[j].Float64())
		}
		return cosine(v, centre)
	}
	nearest := slices.Clone(in)
	slices.SortFunc(nearest, func(a, b *data.Record) int { return cmp.Compare(closeness(b), closeness(a)) })
	if got, want := idsOf(out["out"]), idsOf(nearest[:10]); !slices.Equal(got, want) {
		t.Errorf("picked %v, want %v", got, want)
	}
}

// Rows are drawn as often as the softmax of their cosines says: the first case of the
// golden file, in 4,000 draws of one row.
func TestDrawsFollowTheSoftmax(t *testing.T) {
	var cases struct {
		Softmax []struct{ Cos, P []float64 } `json:"softmax_T1"`
	}
	readJSON(t, "testdata/duqgen.json", &cases)
	const draws = 4000
	for _, c := range cases.Softmax {
		counts := make([]float64, len(c.Cos))
		for seed := range int64(draws) {
			best, largest := 0, math.Inf(-1)
			for i, cos := range c.Cos {
				if x := cos + gumbel(data.KeyID(fmt.Sprint(i)), seed, 0); x > largest {
					best, largest = i, x
				}
			}
			counts[best]++
		}
		for i, p := range c.P {
			if deviation := math.Sqrt(p * (1 - p) / draws); math.Abs(counts[i]/draws-p) > 4*deviation {
				t.Errorf("cosines %v: row %d drawn in %.3f of all, want %.3f", c.Cos, i, counts[i]/draws, p)
			}
		}
	}
}

// Without relevance rows unlike each other are picked, with it those like the most
// central one.
func TestRelevance(t *testing.T) {
	in := []*data.Record{
		record(0, 0, 1, 0, 0), record(1, 0, 1, 0.01, 0), record(2, 0, 1, 0, 0.01), record(3, 0, 0.2, 1, 0), record(4, 0, 0.2, 0, 1),
	}
	for relevance, want := range map[float64]string{1: "r000 r001 r002", 0.2: "r000 r003 r004"} {
		out, _ := run(t, "SelectRepresentative", selectConfig(map[string]any{"n": 3, "rounds": 200, "relevance": relevance}), in)
		got := strings.Join(idsOf(out["out"]), " ")
		if relevance == 1 && got != want || relevance < 1 && !strings.HasSuffix(got, "r003 r004") {
			t.Errorf("relevance %g: picked %s, want %s", relevance, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for kind, configs := range map[string]map[string]map[string]any{
		"Cluster": {
			"candidates.2: 4 is not above the one before, 4":    clusterConfig(map[string]any{"candidates": []int{2, 4, 4}}),
			"an elbow takes three numbers of clusters":          clusterConfig(map[string]any{"k": "elbow", "candidates": []int{2, 4}}),
			"column \"group\" is int64, want list":              clusterConfig(map[string]any{"column": "group"}),
			"no column \"embeding\" in the input (did you mean": clusterConfig(map[string]any{"column": "embeding"}),
			"as: the input has a column \"group\" already":      clusterConfig(map[string]any{"as": "group"}),
		},
		"SelectRepresentative": {
			"column \"embedding\" is list<float32>, want int64": selectConfig(map[string]any{"cluster": "embedding"}),
		},
	} {
		for want, config := range configs {
			k, _ := transforms.Lookup(kind)
			b, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			n, err := k.New(b)
			if err == nil {
				_, err = n.Columns(transforms.Ports{{Name: transforms.In, Schema: rows}})
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", kind, err, want)
			}
		}
	}
}
