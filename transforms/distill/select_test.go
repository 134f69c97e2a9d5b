package distill

import (
	"slices"
	"testing"
)

// Herding follows the mean: of 0, 1, 2 and 10 (mean 3.25) first 2, then what brings the
// mean of two nearest, then of three.
func TestHerdingFollowsTheMean(t *testing.T) {
	points := []float32{0, 1, 2, 10}
	if got := herd(points, 1, 4); !slices.Equal(got, []int{2, 1, 3, 0}) {
		t.Errorf("picked %v", got)
	}
}

// The points nearest to the centres are one of each cluster, and each only once even where
// centres fall together.
func TestCentresAreOneOfEachCluster(t *testing.T) {
	points := []float32{0, 0, 0.1, 0, 5, 5, 5, 5.1, 9, 0, 9, 0.1}
	got, err := centres(t.Context(), points, 2, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	clusters := []int{got[0] / 2, got[1] / 2, got[2] / 2}
	slices.Sort(clusters)
	if !slices.Equal(clusters, []int{0, 1, 2}) {
		t.Errorf("picked %v", got)
	}
	same, err := centres(t.Context(), []float32{1, 1, 1}, 1, 3, 1)
	slices.Sort(same)
	if err != nil || !slices.Equal(same, []int{0, 1, 2}) {
		t.Errorf("of equal points %v, error %v", same, err)
	}
}
