package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordPiece takes the longest token at each position of a word, from left to
// right (Wu et al. 2016, as BERT uses it). A word that cannot be covered, or is
// too long, is one unknown token.
type wordPiece struct {
	initial, continuing map[string]int32 // continuing without the prefix
	longest             int              // token, in bytes
	unknown             int32
	longestWord         int // in characters
}

func newWordPiece(m *modelDefinition) (*wordPiece, error) {
	unknown, ok := m.Vocab[m.UnkToken]
	if !ok {
		return nil, fmt.Errorf("model: unk_token %q is not in the vocabulary", m.UnkToken)
	}
	w := &wordPiece{
		initial: m.Vocab, continuing: map[string]int32{}, unknown: unknown, longestWord: 100,
	}
	if m.MaxInputCharsPerWord != nil {
		w.longestWord = *m.MaxInputCharsPerWord
	}
	for token, id := range m.Vocab {
		if rest, ok := strings.CutPrefix(token, m.ContinuingSubwordPrefix); ok {
			w.continuing[rest] = id
		}
		w.longest = max(w.longest, len(token))
	}
	return w, nil
}

func (w *wordPiece) encode(word string, out *output) {
	begin := out.mark()
	if len(word) > w.longestWord && utf8.RuneCountInString(word) > w.longestWord {
		out.add(w.unknown, 0, len(word))
		return
	}
	tokens := w.initial
	for at := 0; at < len(word); {
		id, end := w.longestAt(word, at, tokens)
		if end == at {
			out.rewind(begin)
			out.add(w.unknown, 0, len(word))
			return
		}
		out.add(id, at, end)
		at, tokens = end, w.continuing
	}
}

// longestAt returns the longest of tokens at word[at:] and its end, which is at
// if there is none.
func (w *wordPiece) longestAt(word string, at int, tokens map[string]int32) (int32, int) {
	for end := min(len(word), at+w.longest); end > at; end-- {
		if id, ok := tokens[word[at:end]]; ok {
			return id, end
		}
	}
	return none, at
}
