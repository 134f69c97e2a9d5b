package bm25

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// Analyze is the terms of a text: its words in lower case, without those that stand in
// any text, reduced to stems. Words are runs of letters, marks and digits; an
// apostrophe between two letters, and a comma or a full stop between two digits, belong
// to the word. Stop words are Lucene's 33, stems those of Porter's
// second stemmer for English. What is not valid UTF-8 parts words.
func Analyze(text string) []string {
	var terms []string
	for text != "" {
		var word string
		if word, text = nextWord(text); word != "" {
			if term := stem(word); term != "" {
				terms = append(terms, term)
			}
		}
	}
	return terms
}

// nextWord is the first word of a text, as it is written, and what follows it; the
// word is empty if there is none.
func nextWord(text string) (word, after string) {
	from := -1
	var before rune // the one ahead of the present
	for i, r := range text {
		switch {
		case isWord(r):
			if from < 0 {
				from = i
			}
		case from >= 0 && !joins(before, r, text[i:]):
			return text[from:i], text[i:]
		}
		before = r
	}
	if from < 0 {
		return "", ""
	}
	return text[from:], ""
}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// joins reports whether a character that is of no word belongs to one for what stands
// before and after it; rest begins with the character.
func joins(before, r rune, rest string) bool {
	var within func(rune) bool
	switch r {
	case '\'', '’':
		within = unicode.IsLetter
	case '.', ',':
		within = unicode.IsDigit
	default:
		return false
	}
	after, _ := utf8.DecodeRuneInString(rest[utf8.RuneLen(r):])
	return within(before) && within(after)
}

// longest is the length in bytes up to which words have stems; what is longer is no
// word of English.
const longest = 64

// stem is the term for a word, empty for a stop word.
func stem(word string) string {
	word = strings.ReplaceAll(strings.ToLower(word), "’", "'")
	switch {
	case stopWords[word]:
		return ""
	case len(word) > longest:
		return word
	}
	return english.Stem(word, true)
}

// stopWords are those of Lucene's EnglishAnalyzer.
var stopWords = setOf(
	"a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
	"on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with")

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, w := range words {
		set[w] = true
	}
	return set
}
