package equal

import (
	"math"
	"strings"
	"testing"
)

func rowsOf(t *testing.T, lines string) (rows []row) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var err error
		if rows, err = appendRow(rows, []byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// Rows are equal in any order of the keys; whatever is missing, too many, of
// another type or too far away is found and told.
func TestCompare(t *testing.T) {
	const batch = `{"id": "a", "x": 1.5, "n": 9007199254740993, "l": [1, 2.0], "s": {"y": "z"}, "o": null}
{"id": "b", "x": 1000, "n": 2, "l": [], "s": {}, "o": true}
{"id": "b", "x": 3, "n": 2, "l": [], "s": {}, "o": true}
`
	for _, tt := range []struct {
		name, from, to string
		differing      int
		largest        float64
		want           string
	}{
		{"same", "", "", 0, 0, ""},
		{"order", `{"id": "a", "x": 1.5, "n": 9007199254740993, "l": [1, 2.0], "s": {"y": "z"}, "o": null}` + "\n", "", 1, 0, "row a: not in the stream"},
		{"near", `"x": 1.5`, `"x": 1.5000005`, 0, 5e-7 / 1.5, ""},
		{"near to a large one", `"x": 1000`, `"x": 1000.0005`, 0, 5e-7, ""},
		{"far", `"x": 1.5`, `"x": 1.6`, 1, 0.1 / 1.5, "row a: column x is 1.5 in the batch and 1.6 in the stream"},
		{"null", `"x": 1.5`, `"x": null`, 1, math.Inf(1), "row a: column x is 1.5 in the batch and <nil> in the stream"},
		{"text", `"y": "z"`, `"y": "w"`, 1, math.Inf(1), "row a: column s"},
		{"list", `[1, 2.0]`, `[1]`, 1, math.Inf(1), "row a: column l"},
		{"in a list", `[1, 2.0]`, `[1, 2.0000001]`, 0, 5e-8, ""},
		{"too many", `{"id": "a"`, `{"id": "c"}` + "\n" + `{"id": "a"`, 1, 0, "row c: not in the batch"},
		{"column gone", `"o": null`, `"p": null`, 0, 0, ""}, // null in both
		{"second of a key", `"x": 3`, `"x": 4`, 1, 1.0 / 3, "row b 2: column x"},
	} {
		s := Sink{}
		s.compare(byKey(rowsOf(t, batch), "id"), byKey(rowsOf(t, strings.Replace(batch, tt.from, tt.to, 1)), "id"), 1e-6)
		if s.Differing != tt.differing || math.Abs(s.Largest-tt.largest) > 1e-12 && s.Largest != tt.largest || !strings.HasPrefix(strings.Join(s.Examples, "|"), tt.want) {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
	reversed := strings.Join([]string{strings.Split(batch, "\n")[1], strings.Split(batch, "\n")[2], strings.Split(batch, "\n")[0]}, "\n")
	s := Sink{}
	s.compare(byKey(rowsOf(t, batch), "id"), byKey(rowsOf(t, reversed), "id"), 0)
	if s.Differing != 0 {
		t.Errorf("in another order: %+v", s)
	}
}

// Rows without the key are compared by their order.
func TestCompareWithoutKey(t *testing.T) {
	s := Sink{}
	s.compare(byKey(rowsOf(t, "{\"x\": 1}\n{\"x\": 2}\n"), "id"), byKey(rowsOf(t, "{\"x\": 1}\n{\"x\": 3}\n"), "id"), 0)
	if s.Differing != 1 || s.Examples[0] != "row number 2: column x is 2 in the batch and 3 in the stream" {
		t.Errorf("%+v", s)
	}
}
