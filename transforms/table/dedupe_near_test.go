package table

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// nearCases are what testdata/make_near.py found over all pairs.
type nearCases struct {
	Texts []string
	Cases []struct {
		Unit      string
		Size      int
		Threshold float64
		Near      [][3]float64 // duplicate, kept row, similarity
	}
}

// textRows makes rows of texts, in order.
func textRows(t testing.TB, texts ...string) (*data.Schema, []*data.Record) {
	t.Helper()
	lines := make([]string, len(texts))
	for i, text := range texts {
		line, err := json.Marshal([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(line)
	}
	return table(t, "text:string", lines...)
}

func TestDedupeNearFindsWhatAllPairsShow(t *testing.T) {
	var golden nearCases
	b, err := os.ReadFile(filepath.Join("testdata", "near.json"))
	if err == nil {
		err = json.Unmarshal(b, &golden)
	}
	if err != nil || len(golden.Cases) != 5 {
		t.Fatal(len(golden.Cases), err)
	}
	s, rows := textRows(t, golden.Texts...)
	for _, c := range golden.Cases {
		name := fmt.Sprintf("%s %d at %g", c.Unit, c.Size, c.Threshold)
		n, _ := node(t, "DedupeNear", fmt.Sprintf(`{"unit": %q, "size": %d, "threshold": %g}`, c.Unit, c.Size, c.Threshold), in(s))
		shuffled := slices.Clone(rows)
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		got := run(t, n, memory{"in": shuffled})
		if len(c.Near) != len(got["duplicates"]) || len(c.Near)+len(got["out"]) != len(rows) {
			t.Errorf("%s: %d duplicates and %d others, want %d of %d", name, len(got["duplicates"]), len(got["out"]), len(c.Near), len(rows))
			continue
		}
		for i, want := range c.Near {
			r := got["duplicates"][i]
			of, similarity := r.Get("duplicate_of").Text(), r.Get("similarity").Float64()
			if r.ID.Row != int64(want[0]) || of != "t#"+strconv.Itoa(int(want[1])) || math.Abs(similarity-want[2]) > 1e-12 {
				t.Errorf("%s: row %d is near %s by %g, want %v", name, r.ID.Row, of, similarity, want)
			}
		}
	}
}

func TestDedupeNearAgainstComparesWithNothingElse(t *testing.T) {
	s, rows := textRows(t, "What is the boiling point of water?", "what is the boiling  point of water at sea level?", "Who wrote Faust?", "Who wrote Faust?")
	other, tests := table(t, "id:int64, text:string", `[1, "What is the Boiling point of water?"]`, `[2, null]`)
	rows = append(rows, rows[0].With(s, []data.Value{{}}))
	ports := append(in(s), transforms.Port{Name: "against", Schema: other})
	n, out := node(t, "DedupeNear", `{"unit": "characters", "size": 4, "threshold": 0.5}`, ports)
	if got := out.Get("duplicates").String(); got != "text: string, duplicate_of: string, similarity: float64" {
		t.Errorf("columns %s", got)
	}
	got := run(t, n, memory{"in": rows, "against": tests})
	equal(t, "out", got.rows("out"), []string{"t#0: null", "t#2: Who wrote Faust?", "t#3: Who wrote Faust?"})
	near := got["duplicates"]
	if len(near) != 2 || near[0].Get("similarity").Float64() != 1 || near[1].Get("similarity").Float64() >= 1 || near[1].Get("duplicate_of").Text() != "t#0" {
		t.Errorf("leaks %v", got.rows("duplicates"))
	}
}

func TestSignaturesAgreeAsOftenAsTheSetsDo(t *testing.T) {
	const permutations, size = 1024, 400
	l := newLSH(permutations, 1)
	random := data.Draw(data.KeyID("sets"), 0, 0)
	for _, common := range []int{0, 40, 200, 360, 400} {
		a := make([]uint64, size)
		for i := range a {
			a[i] = random.Uint64()
		}
		b := slices.Clone(a)
		for i := common; i < size; i++ {
			b[i] = random.Uint64()
		}
		agree := 0
		for i, m := range l.signature(a) {
			if m == l.signature(b)[i] {
				agree++
			}
		}
		slices.Sort(a)
		slices.Sort(b)
		j, estimate := jaccard(a, b), float64(agree)/permutations
		if want := float64(common) / float64(2*size-common); j != want {
			t.Errorf("%d in common: similarity %g, want %g", common, j, want)
		}
		if sd := math.Sqrt(j * (1 - j) / permutations); math.Abs(estimate-j) > 4*sd {
			t.Errorf("%d in common: signatures agree in %g, want %g ± %g", common, estimate, j, 4*sd)
		}
	}
}

func TestBandsAreTheFewestThatFind(t *testing.T) {
	for threshold, want := range map[float64]int{1: 1, 0.9: 16, 0.8: 32, 0.5: 64, 0.1: 128} {
		if got := bandsFor(threshold, 128); got != want {
			t.Errorf("%d bands for %g, want %d", got, threshold, want)
		}
	}
	if got := recall(0.8, 128, 16); math.Abs(got-(1-math.Pow(1-math.Pow(0.8, 8), 16))) > 1e-15 {
		t.Errorf("recall %g", got)
	}
}

// Shingles are those of the whole text: never more than it has units, never none, the
// same for another spelling of case and space, and in order without repeats.
func FuzzShingles(f *testing.F) {
	f.Add("A rose is a rose is a rose", 3)
	f.Add("\xff\x00 \u0085", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		size = max(1, size&0xff)
		for _, unit := range []string{"words", "characters"} {
			set := shingles(text, unit, size)
			if most := max(1, len(normalise(text))-size+1); len(set) == 0 || len(set) > most {
				t.Fatalf("%d shingles of %q", len(set), text)
			}
			for i := 1; i < len(set); i++ {
				if set[i-1] >= set[i] {
					t.Fatalf("shingles of %q are not in order", text)
				}
			}
			if spaced := shingles("\n"+normalise(text)+"\t ", unit, size); normalise(normalise(text)) == normalise(text) && !slices.Equal(set, spaced) {
				t.Fatalf("%q: %d shingles, %d with space around it", text, len(set), len(spaced))
			}
		}
	})
}

func TestDedupeNearRefusesWhatDoesNotFit(t *testing.T) {
	s, _ := textRows(t, "a")
	odd, _ := table(t, "text:int64", `[1]`)
	for config, want := range map[string]string{
		`{"unit": "lines", "size": 0, "threshold": 0, "permutations": 0}`: "unit : \"lines\" is neither words nor characters\nsize : 0 is not at least 1\n" +
			"threshold : 0 is not above 0 and at most 1\npermutations : 0 is not between 1 and 4096",
		`{"bands": 7}`:        "bands : 7 does not divide permutations, 128 (leave it out for 32)",
		`{"column": "title"}`: "column missing-column: no column \"title\" in the input (it has text)\nagainst missing-column: no column \"title\" in the input (it has text)",
	} {
		_, _, err := tryNode(t, "DedupeNear", config, append(in(s), transforms.Port{Name: "against", Schema: s}))
		equal(t, config, mistakes(err), strings.Split(want, "\n"))
	}
	_, _, err := tryNode(t, "DedupeNear", `{}`, append(in(s), transforms.Port{Name: "against", Schema: odd}))
	equal(t, "type", mistakes(err), []string{`against column-type: column "text" is int64, want string`})
}
