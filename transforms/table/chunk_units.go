package table

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// units take the first unit off a text that is not empty: its length in bytes
// with the white space behind it, and at the head of the text before it.
var units = map[string]func(string) int{
	"words":      nextWord,
	"sentences":  nextSentence,
	"characters": nextCharacter,
}

func nextCharacter(text string) int {
	_, size := utf8.DecodeRuneInString(text)
	return size
}

func nextWord(text string) int {
	word := skipSpace(text, 0)
	end := strings.IndexFunc(text[word:], unicode.IsSpace)
	if end < 0 {
		return len(text)
	}
	return skipSpace(text, word+end)
}

// nextSentence ends a sentence at a blank line, at an ideographic full stop,
// question or exclamation mark, and at . ! ? or … with white space behind it,
// unless a lower-case letter follows (as in "e.g. this"). Closing quotes and
// brackets behind the mark belong to the sentence. There is no list of
// abbreviations: "Dr. Who" is two sentences.
func nextSentence(text string) int {
	for at := skipSpace(text, 0); at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		at += size
		switch {
		case strings.ContainsRune(".!?…。！？", r):
			at = skipAll(text, at, isClosing)
			next := skipSpace(text, at)
			ideographic := strings.ContainsRune("。！？", r)
			if first, _ := utf8.DecodeRuneInString(text[next:]); ideographic || next > at && !unicode.IsLower(first) {
				return next
			}
		case r == '\n':
			next := skipSpace(text, at)
			if strings.ContainsRune(text[at:next], '\n') {
				return next
			}
			at = next
		}
	}
	return len(text)
}

func isClosing(r rune) bool {
	return strings.ContainsRune(`"'.!?…`, r) || unicode.In(r, unicode.Pe, unicode.Pf)
}

func skipSpace(text string, at int) int { return skipAll(text, at, unicode.IsSpace) }

func skipAll(text string, at int, is func(rune) bool) int {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if !is(r) {
			break
		}
		at += size
	}
	return at
}
