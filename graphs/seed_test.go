package graphs

import "testing"

func TestGraphSeedReachesNodesThatDraw(t *testing.T) {
	sample := []byte(`{"fraction":0.5,"seed":0}`)
	if got := withSeed(sample, 0); string(got) != string(sample) {
		t.Errorf("seed 0 changes %s to %s", sample, got)
	}
	first, second := withSeed(sample, 1), withSeed(sample, 2)
	if string(first) == string(sample) || string(first) == string(second) {
		t.Errorf("seeds 0, 1 and 2 give %s, %s and %s", sample, first, second)
	}
	other := withSeed([]byte(`{"fraction":0.5,"seed":7}`), 1)
	if string(other) == string(first) {
		t.Error("the node's own seed is lost")
	}
	filter := []byte(`{"where":"true"}`)
	if got := withSeed(filter, 1); string(got) != string(filter) {
		t.Errorf("a node without a seed becomes %s", got)
	}
}
