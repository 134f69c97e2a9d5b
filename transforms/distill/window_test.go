package distill

import (
	"slices"
	"testing"

	"penstock.dev/data"
)

// The window of start epochs grows evenly and then stays.
func TestWindowGrowsEvenly(t *testing.T) {
	w := Trajectory{First: 1, Last: 2, Furthest: 6, Growth: 8}
	var got []int
	for _, i := range []int{0, 1, 2, 4, 7, 8, 100} {
		got = append(got, w.lastStart(i))
	}
	if !slices.Equal(got, []int{2, 2, 3, 4, 5, 6, 6}) {
		t.Errorf("last starts %v", got)
	}
	w.Growth = 0
	if w.lastStart(0) != 6 {
		t.Error("without growth the window is not whole at once")
	}
}

// Classes are in the order of numbers, or of letters.
func TestClassesAreSorted(t *testing.T) {
	var numbers, texts []data.Value
	for _, n := range []int64{10, 9, -1, 9} {
		numbers = append(numbers, data.Int64Value(n))
	}
	for _, s := range []string{"b", "a", "10", "9"} {
		texts = append(texts, data.StringValue(s))
	}
	if got := distinct(numbers); !slices.Equal(got, []string{"-1", "9", "10"}) {
		t.Errorf("numbers %v", got)
	}
	if got := distinct(texts); !slices.Equal(got, []string{"10", "9", "a", "b"}) {
		t.Errorf("texts %v", got)
	}
}
