package models

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// residentMegabytes is the memory of the process, the plugin's included, which the Go
// runtime does not see.
func residentMegabytes(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc: the memory of the process is not known")
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes int
	if _, err := fmt.Sscan(line, &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes / 1000
}

// Each call makes 1 MB of logits; none of them may stay.
func TestMemoryStaysFlat(t *testing.T) {
	lm := openTest(t, "pocket")
	row := make([]int32, 64)
	calls := func(n int) {
		for range n {
			if err := lm.Forward(t.Context(), [][]int32{row}, func(int, int, []float32) {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls(20)
	before := residentMegabytes(t)
	calls(120)
	if grown := residentMegabytes(t) - before; grown > 60 {
		t.Errorf("120 calls left %d MB", grown)
	}
}
