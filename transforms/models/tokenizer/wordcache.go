package tokenizer

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"
)

// A wordCache remembers the ids of words. It is a table with one place for each
// hash value, the newest word taking it, so that it is bounded (some 10 MB at
// worst) and needs no lock.
type wordCache struct {
	seed  maphash.Seed
	words [1 << 14]atomic.Pointer[cachedWord]
}

type cachedWord struct {
	word      string
	ids, ends []int32
}

// longestCached is in bytes. Longer words are rare and seldom come back.
const longestCached = 64

func newWordCache() *wordCache { return &wordCache{seed: maphash.MakeSeed()} }

func (c *wordCache) get(word string) *cachedWord {
	if len(word) > longestCached {
		return nil
	}
	if w := c.place(word).Load(); w != nil && w.word == word {
		return w
	}
	return nil
}

func (c *wordCache) put(word string, ids, ends []int32) {
	if len(word) <= longestCached {
		c.place(word).Store(&cachedWord{strings.Clone(word), slices.Clone(ids), slices.Clone(ends)})
	}
}

func (c *wordCache) place(word string) *atomic.Pointer[cachedWord] {
	return &c.words[maphash.String(c.seed, word)%uint64(len(c.words))]
}
