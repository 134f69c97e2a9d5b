package tokenizer

import "sync"

// A merger is the working memory of one word: a doubly linked list of symbols
// over the word's bytes and a heap of the merges that may apply. A word of n
// bytes takes O(n log n) time and at most 12n bytes of symbols and 16n of heap.
type merger struct {
	symbols     []symbol // by the byte at which the symbol begins
	heap        []uint64 // candidate merges as rank<<32 | position of the left symbol
	last        int      // position of the last symbol, -1 when there is none
	lastUnknown bool     // the last symbol appended is the unknown token

	ids  []int32 // the result
	ends []int32 // where each of them ends
}

// A symbol reaches to the next one's beginning. Absorbed symbols have id none.
type symbol struct{ id, previous, next int32 }

// largestKept is the longest word, in bytes, whose memory is kept for the next.
const largestKept = 1 << 16

// reset prepares for a word of n bytes.
func (m *merger) reset(n int) {
	if cap(m.symbols) < n {
		m.symbols = make([]symbol, n)
	}
	m.symbols = m.symbols[:n]
	m.heap, m.ids, m.ends = m.heap[:0], m.ids[:0], m.ends[:0]
	m.last, m.lastUnknown = -1, false
}

func (m *merger) release(pool *sync.Pool) {
	if cap(m.symbols) <= largestKept {
		pool.Put(m)
	}
}

// append adds a symbol that begins at byte at.
func (m *merger) append(at int, id int32) {
	for i := m.last + 1; i < at; i++ {
		m.symbols[i].id = none
	}
	m.symbols[at] = symbol{id: id, previous: int32(m.last), next: int32(len(m.symbols))}
	if m.last >= 0 {
		m.symbols[m.last].next = int32(at)
	}
	m.last, m.lastUnknown = at, false
}

// merge applies the pairs by rank, leftmost first among equals.
func (m *merger) merge(pairs map[pair]merged) {
	if m.last < 0 {
		return
	}
	for at := m.first(); at < len(m.symbols); at = int(m.symbols[at].next) {
		if found, ok := m.pairAt(at, pairs); ok {
			m.heap = append(m.heap, candidate(found.rank, at))
		}
	}
	m.heapify()
	for len(m.heap) > 0 {
		top := m.pop()
		at := int(uint32(top))
		// The candidate is stale if either symbol has changed since.
		found, ok := m.pairAt(at, pairs)
		if !ok || candidate(found.rank, at) != top {
			continue
		}
		m.join(at, found.id)
		m.propose(at, pairs)
		if previous := m.symbols[at].previous; previous >= 0 {
			m.propose(int(previous), pairs)
		}
	}
}

func candidate(rank uint32, at int) uint64 { return uint64(rank)<<32 | uint64(at) }

func (m *merger) first() int {
	at := 0
	for m.symbols[at].id == none {
		at++
	}
	return at
}

// pairAt looks up the symbol at at and the one behind it.
func (m *merger) pairAt(at int, pairs map[pair]merged) (merged, bool) {
	left := m.symbols[at]
	if left.id == none || int(left.next) == len(m.symbols) {
		return merged{}, false
	}
	found, ok := pairs[pair{left.id, m.symbols[left.next].id}]
	return found, ok
}

func (m *merger) propose(at int, pairs map[pair]merged) {
	if found, ok := m.pairAt(at, pairs); ok {
		m.push(candidate(found.rank, at))
	}
}

// join replaces the symbol at at and the one behind it by id.
func (m *merger) join(at int, id int32) {
	left := &m.symbols[at]
	right := &m.symbols[left.next]
	left.id, left.next = id, right.next
	right.id = none
	if int(left.next) < len(m.symbols) {
		m.symbols[left.next].previous = int32(at)
	}
}

func (m *merger) collect() {
	if m.last < 0 {
		return
	}
	for at := m.first(); at < len(m.symbols); at = int(m.symbols[at].next) {
		m.ids = append(m.ids, m.symbols[at].id)
		m.ends = append(m.ends, m.symbols[at].next)
	}
}

func (m *merger) heapify() {
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.sink(i)
	}
}

func (m *merger) push(c uint64) {
	m.heap = append(m.heap, c)
	for i := len(m.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if m.heap[parent] <= m.heap[i] {
			return
		}
		m.heap[parent], m.heap[i] = m.heap[i], m.heap[parent]
		i = parent
	}
}

func (m *merger) pop() uint64 {
	top, end := m.heap[0], len(m.heap)-1
	m.heap[0] = m.heap[end]
	m.heap = m.heap[:end]
	m.sink(0)
	return top
}

func (m *merger) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if m.heap[child] < m.heap[least] {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[least], m.heap[i] = m.heap[i], m.heap[least]
		i = least
	}
}
