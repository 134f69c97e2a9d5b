package tokenizer

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An addedToken is matched in the text before the model sees it, as the
// added_tokens of tokenizer.json are.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // not inside a longer word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // takes the white space behind it
	Normalized bool   `json:"normalized"`  // looked for in normalized text
	Special    bool   `json:"special"`     // left out of decoded text on request
}

// An addedSet finds added tokens, the longest at each position.
type addedSet struct {
	byContent map[string]addedToken
	lengths   [256][]int // of the tokens that begin with a byte, longest first
}

// newAddedSet indexes tokens by their content.
func newAddedSet(tokens map[string]addedToken) *addedSet {
	s := &addedSet{byContent: tokens}
	known := map[[2]int]bool{}
	for content := range tokens {
		if key := [2]int{int(content[0]), len(content)}; !known[key] {
			known[key] = true
			s.lengths[content[0]] = append(s.lengths[content[0]], len(content))
		}
	}
	for _, lengths := range s.lengths {
		sort.Sort(sort.Reverse(sort.IntSlice(lengths)))
	}
	return s
}

// find returns the first token at or after text[at] and the range it takes, or
// false. With plain set, special tokens are not looked for.
func (s *addedSet) find(text string, at int, plain bool) (token addedToken, from, to int, ok bool) {
	for from = at; from < len(text); from++ {
		if token, ok = s.matchAt(text[from:], plain); !ok {
			continue
		}
		to = from + len(token.Content)
		if token.SingleWord && insideWord(text, from, to) {
			from = to - 1
			continue
		}
		if token.LStrip {
			from = at + len(strings.TrimRightFunc(text[at:from], unicode.IsSpace))
		}
		if token.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		return token, from, to, true
	}
	return addedToken{}, 0, 0, false
}

func (s *addedSet) matchAt(text string, plain bool) (addedToken, bool) {
	for _, n := range s.lengths[text[0]] {
		if n > len(text) {
			continue
		}
		if token, ok := s.byContent[text[:n]]; ok && !(plain && token.Special) {
			token.Content = text[:n] // as it is written in normalized text
			return token, true
		}
	}
	return addedToken{}, false
}

func insideWord(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	behind, _ := utf8.DecodeRuneInString(text[to:])
	return from > 0 && isWord(before) || to < len(text) && isWord(behind)
}

// cut hands the added tokens of a fragment and the text between them to the two
// functions, in order.
func (s *addedSet) cut(f fragment, plain bool, token func(fragment, int32), text func(fragment)) {
	at := 0
	for len(s.byContent) > 0 && at < len(f.text) {
		t, from, to, ok := s.find(f.text, at, plain)
		if !ok {
			break
		}
		if from > at {
			text(f.slice(at, from))
		}
		token(f.slice(from, to), t.ID)
		at = to
	}
	if at < len(f.text) {
		text(f.slice(at, len(f.text)))
	}
}
