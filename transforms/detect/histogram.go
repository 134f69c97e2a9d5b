package detect

import "sync"

// histogram counts positive numbers in bins that double in width: 0–16, 16–32,
// 32–64 and so on.
type histogram struct {
	mutex  sync.Mutex
	counts []int64
	sum    float64
	n      int64
}

const firstBin = 16

func (h *histogram) add(x float64) {
	bin := 0
	for edge := float64(firstBin); x >= edge; edge *= 2 {
		bin++
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for len(h.counts) <= bin {
		h.counts = append(h.counts, 0)
	}
	h.counts[bin]++
	h.sum += x
	h.n++
}

func (h *histogram) bins() (edges []float64, counts []int64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	edges = []float64{0}
	for i := range h.counts {
		edges = append(edges, float64(int64(firstBin)<<i))
	}
	return edges, append([]int64(nil), h.counts...)
}

func (h *histogram) mean() float64 {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.n == 0 {
		return 0
	}
	return h.sum / float64(h.n)
}
