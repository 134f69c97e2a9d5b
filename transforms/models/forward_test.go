package models

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
)

func TestPlanCoversEveryRowOnce(t *testing.T) {
	lengths := []int{0, 1, 16, 17, 64, 65, 300, 300, 300, 2000, 5000, 1, 1, 1}
	for i := range 9 {
		traits, callers := []*traits{&goTraits, &xlaTraits, &gpuTraits}[i%3], []int{1, 2, 64}[i/3]
		seen, shapes := map[int]bool{}, map[[2]int]bool{}
		for _, p := range traits.plan(lengths, 8192, callers) {
			if n := p.height; traits != &gpuTraits && n&(n-1) != 0 || n < len(p.rows) {
				t.Errorf("a part of height %d for %d rows", n, len(p.rows))
			}
			if most := traits.share(1<<30, 1); p.height > 1 && p.height*p.length > most {
				t.Errorf("%d rows of %d are over %d tokens", p.height, p.length, most)
			}
			shapes[[2]int{p.height, p.length}] = true
			for _, row := range p.rows {
				if seen[row] || lengths[row] > p.length || lengths[row] == 0 {
					t.Errorf("row %d of %d tokens in a part of length %d (seen before: %v)", row, lengths[row], p.length, seen[row])
				}
				seen[row] = true
			}
		}
		if traits == &gpuTraits && len(shapes) > 2*7 { // 16, 32, 64, 80, 320, 2048, 5120
			t.Errorf("%d shapes for 7 lengths, want 2 each at most", len(shapes))
		}
		if len(seen) != len(lengths)-1 {
			t.Errorf("%d rows planned, want all %d but the empty one", len(seen), len(lengths)-1)
		}
	}
}

func TestBucketLength(t *testing.T) {
	for traits, padding := range map[*traits]float64{&goTraits: 1.25, &xlaTraits: 1.5} {
		for n := 1; n <= 8192; n++ {
			b := traits.bucketLength(n, 8192)
			if b < n || (n > 64 && float64(b) > padding*float64(n)) || b > 8192 {
				t.Fatalf("%d tokens padded to %d", n, b)
			}
			if traits.bucketLength(b, 8192) != b {
				t.Fatalf("bucket %d is not a bucket of its own", b)
			}
		}
		if b := traits.bucketLength(61, 64); b != 64 {
			t.Errorf("61 tokens in a context of 64 are padded to %d", b)
		}
		if b := traits.bucketLength(20, 23); b != 23 {
			t.Errorf("20 tokens in a context of 23 are padded to %d", b)
		}
	}
}

func TestForwardRefusesBadRows(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	for name, c := range map[string]struct {
		row  []int32
		want string
	}{
		"negative id": {[]int32{1, -1}, "row 1: token 1 is -1, outside the vocabulary of 260"},
		"large id":    {[]int32{260}, "row 1: token 0 is 260, outside the vocabulary of 260"},
		"too long":    {make([]int32, 65), "row 1: 65 tokens are over the model's context of 64"},
	} {
		err := lm.Forward(t.Context(), [][]int32{{1}, c.row}, func(int, int, []float32) {
			t.Errorf("%s: logits of a refused batch", name)
		})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := lm.Forward(t.Context(), [][]int32{{}}, nil); err != nil {
		t.Errorf("an empty row: %v", err)
	}
}

func TestForwardStopsWithItsContext(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	ctx, cancel := context.WithCancel(t.Context())
	var visits atomic.Int32
	err := lm.Forward(ctx, [][]int32{make([]int32, 64)}, func(int, int, []float32) {
		visits.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := visits.Load(); n == 64 {
		t.Error("every position was visited after the context ended")
	}
}

func TestPanicInVisitorCostsItsRow(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	var good atomic.Int32
	err := lm.Forward(t.Context(), [][]int32{{1, 2}, {3, 4}}, func(row, pos int, _ []float32) {
		if row == 1 {
			panic("boom")
		}
		good.Add(1)
	})
	if err == nil || !strings.HasPrefix(err.Error(), "row 1: position ") || !strings.Contains(err.Error(), "boom") {
		t.Errorf("error %v", err)
	}
	if good.Load() != 2 {
		t.Errorf("%d positions of the good row, want 2", good.Load())
	}
}

// A device that fails on batches must not cost rows that run alone.
func TestFailingBatchIsRetriedRowByRow(t *testing.T) {
	lm := openTest(t, "testdata/tiny/llama-tied")
	backend, err := device()
	if err != nil {
		t.Fatal(err)
	}
	faulty, err := newProgram(backend, "faulty", lm.weights, func(ids *graph.Node, nodes []*graph.Node) *graph.Node {
		if ids.Shape().Dimensions[0] > 1 || ids.Shape().Dimensions[1] == 64 {
			panic("out of memory")
		}
		return lm.hiddenGraph(ids, nodes)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer faulty.close()
	broken := *lm.model
	broken.hidden = faulty
	batch := [][]int32{{1, 2}, {3, 4}, {5, 6}, {7, 8}, make([]int32, 64)}
	var visits [5]atomic.Int32
	err = broken.Forward(t.Context(), batch, func(row, _ int, _ []float32) { visits[row].Add(1) })
	if err == nil || !strings.HasPrefix(err.Error(), "row 4: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q, want one line on row 4", err)
	}
	for row := range 4 {
		if n := visits[row].Load(); n != 2 {
			t.Errorf("row %d: %d visits, want 2", row, n)
		}
	}
}

func TestTransposeInto(t *testing.T) {
	const rows, columns = 37, 70
	src := make([]float32, rows*columns)
	for i := range src {
		src[i] = float32(i)
	}
	dst, back := make([]float32, len(src)), make([]float32, len(src))
	transposeInto(dst, src, rows, columns)
	if dst[1] != src[columns] || dst[rows] != src[1] {
		t.Error("not a transpose")
	}
	transposeInto(back, dst, columns, rows)
	if !slices.Equal(back, src) {
		t.Error("twice transposed is not the original")
	}
}
