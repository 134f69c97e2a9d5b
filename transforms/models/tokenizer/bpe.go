package tokenizer

import (
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"
)

// none stands where there is no token.
const none int32 = -1

// longestWord bounds the bytes merged at once, so that positions fit 32 bits.
const longestWord = 1 << 30

// A model turns one word into ids.
type model interface {
	encode(word string, out *output)
}

// bpe is byte-pair encoding (Sennrich et al. 2016): a word begins as single
// characters or bytes, and the adjacent pair of least rank, the leftmost of
// equals, is merged until no pair is known.
type bpe struct {
	vocab map[string]int32
	pairs map[pair]merged

	bytes     bool       // symbols are bytes, not characters
	byteIDs   [256]int32 // of single bytes; with fallback, of the tokens <0x00> to <0xFF>
	fallback  bool       // characters outside the vocabulary become byte tokens
	unknown   int32      // for the others; none drops them
	fuse      bool       // neighbouring unknowns are one
	wholeWord bool       // a word that is a token needs no merges

	wordPrefix string // put before all symbols of a word but the first
	wordSuffix string // put behind the last symbol of a word

	mark  string // words may be cut before it without changing the merges; "" if not
	cache *wordCache
	pool  sync.Pool // of *merger
}

type pair struct{ left, right int32 }

type merged struct {
	rank uint32
	id   int32
}

func newBPE(m *modelDefinition, bytes bool) (*bpe, error) {
	b := &bpe{
		vocab: m.Vocab, pairs: make(map[pair]merged, len(m.Merges)),
		bytes: bytes, fallback: m.ByteFallback, fuse: m.FuseUnk, wholeWord: m.IgnoreMerges,
		wordPrefix: m.ContinuingSubwordPrefix, wordSuffix: m.EndOfWordSuffix,
		unknown: none, cache: newWordCache(),
	}
	b.pool.New = func() any { return new(merger) }
	if m.UnkToken != "" {
		id, ok := m.Vocab[m.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model: unk_token %q is not in the vocabulary", m.UnkToken)
		}
		b.unknown = id
	}
	for i := range b.byteIDs {
		b.byteIDs[i] = none
		if id, ok := m.Vocab[b.byteToken(byte(i))]; ok {
			b.byteIDs[i] = id
		}
	}
	if err := b.addMerges(m.Merges); err != nil {
		return nil, err
	}
	b.mark = b.wordMark()
	return b, nil
}

func (b *bpe) byteToken(c byte) string {
	if b.bytes {
		return string(byteAlphabet[c])
	}
	return fmt.Sprintf("<0x%02X>", c)
}

func (b *bpe) addMerges(merges []mergeRule) error {
	for i, m := range merges {
		left, okLeft := b.vocab[m.Left]
		right, okRight := b.vocab[m.Right]
		id, ok := b.vocab[m.Left+strings.TrimPrefix(m.Right, b.wordPrefix)]
		if !okLeft || !okRight || !ok {
			return fmt.Errorf("model: merges[%d]: %q + %q or their union is not in the vocabulary", i, m.Left, m.Right)
		}
		b.pairs[pair{left, right}] = merged{m.Rank, id}
	}
	return nil
}

// wordMark returns the word-beginning character before which a text may be cut,
// so that vocabularies without a pre-tokenizer still work word by word: no merge
// may lead across such a cut, and no character may vanish there.
func (b *bpe) wordMark() string {
	if b.bytes || b.wholeWord || b.unknown == none || b.wordPrefix+b.wordSuffix != "" {
		return ""
	}
	mark := "▁"
	if _, ok := b.vocab[mark]; !ok {
		mark = " "
	}
	if _, ok := b.vocab[mark]; !ok {
		return ""
	}
	tokens := make(map[int32]string, len(b.vocab))
	for token, id := range b.vocab {
		tokens[id] = token
	}
	for p := range b.pairs {
		if strings.HasPrefix(tokens[p.right], mark) && !strings.HasSuffix(tokens[p.left], mark) {
			return ""
		}
	}
	return mark
}

func (b *bpe) encode(word string, out *output) {
	for word != "" {
		n := b.cut(word)
		b.encodeWord(word[:n], out)
		word = word[n:]
		out.at += n
	}
}

// cut returns the length of the first part of text that merges by itself.
func (b *bpe) cut(text string) int {
	end := min(len(text), longestWord)
	if b.mark == "" {
		return end
	}
	for at := 0; ; {
		for strings.HasPrefix(text[at:end], b.mark) {
			at += len(b.mark)
		}
		i := strings.Index(text[at:end], b.mark)
		if i < 0 {
			return end
		}
		if at+i > 0 && i > 0 {
			return at + i
		}
		at += i
	}
}

func (b *bpe) encodeWord(word string, out *output) {
	if w := b.cache.get(word); w != nil {
		out.addAll(w.ids, w.ends)
		return
	}
	m := b.pool.Get().(*merger)
	defer m.release(&b.pool)
	b.segment(word, m)
	b.cache.put(word, m.ids, m.ends)
	out.addAll(m.ids, m.ends)
}

// segment leaves the ids of word, and where each ends, in m.
func (b *bpe) segment(word string, m *merger) {
	m.reset(len(word))
	if id, ok := b.lookUp(word); ok && b.wholeWord {
		m.ids, m.ends = append(m.ids, id), append(m.ends, int32(len(word)))
		return
	}
	if b.bytes && b.wordPrefix+b.wordSuffix == "" {
		for i := range len(word) {
			if id := b.byteIDs[word[i]]; id != none {
				m.append(i, id)
			} else if b.unknown != none {
				b.appendUnknown(i, m)
			}
		}
	} else {
		b.seedCharacters(word, m)
	}
	m.merge(b.pairs)
	m.collect()
}

// lookUp finds a word that is a token as a whole.
func (b *bpe) lookUp(word string) (int32, bool) {
	if !b.wholeWord {
		return none, false
	}
	if b.bytes {
		word = inAlphabet(word)
	}
	id, ok := b.vocab[word]
	return id, ok
}

// seedCharacters begins with one symbol a character, or a byte where bytes is
// set, spelled with the prefix and suffix of the vocabulary.
func (b *bpe) seedCharacters(word string, m *merger) {
	for i, n := 0, 0; i < len(word); i += n {
		n = 1
		if !b.bytes {
			_, n = utf8.DecodeRuneInString(word[i:])
		}
		symbol := word[i : i+n]
		if b.bytes {
			symbol = inAlphabet(symbol)
		}
		if i > 0 {
			symbol = b.wordPrefix + symbol
		}
		if i+n == len(word) {
			symbol += b.wordSuffix
		}
		if id, ok := b.vocab[symbol]; ok {
			m.append(i, id)
		} else if b.fallback && b.hasBytes(word[i:i+n]) {
			for j := i; j < i+n; j++ {
				m.append(j, b.byteIDs[word[j]])
			}
		} else if b.unknown != none {
			b.appendUnknown(i, m)
		}
	}
}

func (b *bpe) hasBytes(char string) bool {
	for i := range len(char) {
		if b.byteIDs[char[i]] == none {
			return false
		}
	}
	return true
}

func (b *bpe) appendUnknown(at int, m *merger) {
	if b.fuse && m.lastUnknown && m.last >= 0 {
		return
	}
	m.append(at, b.unknown)
	m.lastUnknown = true
}

func inAlphabet(bytes string) string {
	var out strings.Builder
	for i := range len(bytes) {
		out.WriteRune(byteAlphabet[bytes[i]])
	}
	return out.String()
}
