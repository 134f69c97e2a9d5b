package jsonl

import (
	"encoding/json"
	"math"
)

// Distance is how far apart two values are that encoding/json decoded with numbers as
// json.Number: 0 if they are the same, of numbers their difference, relative to the
// first if that is above 1, of lists and objects the largest of their elements,
// infinite otherwise.
func Distance(a, b any) float64 {
	switch x := a.(type) {
	case json.Number:
		y, ok := b.(json.Number)
		if x == y {
			return 0
		}
		f, err := x.Float64()
		g, err2 := y.Float64()
		if !ok || err != nil || err2 != nil {
			return math.Inf(1)
		}
		return math.Abs(f-g) / max(1, math.Abs(f))
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return math.Inf(1)
		}
		most := 0.0
		for i := range x {
			most = max(most, Distance(x[i], y[i]))
		}
		return most
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return math.Inf(1)
		}
		most := 0.0
		for name := range x {
			most = max(most, Distance(x[name], y[name]))
		}
		return most
	}
	if a == b {
		return 0
	}
	return math.Inf(1)
}
