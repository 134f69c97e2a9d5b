package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// The published word patterns end in `\s+(?!\S)|\s+`, which package regexp
// cannot express, and are run over every byte of every text. The ones in common
// use are therefore written out by hand here. Each scanner returns the end of
// the match that begins at text[at]; the patterns match everywhere.

const (
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	patternQwen2  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// A class is what the patterns distinguish: \p{L}, \p{N}, \s and the rest.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsSpace(r):
		return space
	case unicode.IsNumber(r):
		return number
	}
	return other
}

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for r := range table {
		table[r] = classOf(rune(r))
	}
	return table
}()

// classAt classifies the character at text[at] and gives its length in bytes.
func classAt(text string, at int) (class, int) {
	if b := text[at]; b < utf8.RuneSelf {
		return asciiClass[b], 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	return classOf(r), n
}

// runEnd returns the end of the run of characters of class c that begins at at,
// which may be empty, and the length of its last character.
func runEnd(text string, at int, c class) (end, last int) {
	for at < len(text) {
		k, n := classAt(text, at)
		if k != c {
			break
		}
		at, last = at+n, n
	}
	return at, last
}

// scanGPT2 matches patternGPT2.
func scanGPT2(text string, at int) int {
	if n := contraction(text[at:], false); n > 0 {
		return at + n
	}
	body := at
	if text[at] == ' ' && at+1 < len(text) {
		body++
	}
	if c, _ := classAt(text, body); c != space {
		end, _ := runEnd(text, body, c)
		return end
	}
	return scanSpaces(text, at)
}

// scanLlama3 matches patternLlama3, and patternQwen2 with digits = 1.
func scanLlama3(text string, at, digits int) int {
	if n := contraction(text[at:], true); n > 0 {
		return at + n
	}
	c, n := classAt(text, at)
	if c == number {
		return scanDigits(text, at, digits)
	}
	if c == letter || !isNewline(text[at]) {
		lead := n
		if c == letter {
			lead = 0
		}
		if end, _ := runEnd(text, at+lead, letter); end > at+lead {
			return end
		}
	}
	body := at
	if text[at] == ' ' {
		body++
	}
	if end, _ := runEnd(text, body, other); end > body {
		for end < len(text) && isNewline(text[end]) {
			end++
		}
		return end
	}
	return scanLines(text, at)
}

func scanDigits(text string, at, most int) int {
	for ; most > 0 && at < len(text); most-- {
		c, n := classAt(text, at)
		if c != number {
			break
		}
		at += n
	}
	return at
}

// scanLines matches `\s*[\r\n]+|\s+(?!\S)|\s+` at a white-space character: up to
// the last line break of the run if there is one.
func scanLines(text string, at int) int {
	end, _ := runEnd(text, at, space)
	for i := end; i > at; i-- {
		if isNewline(text[i-1]) {
			return i
		}
	}
	return scanSpaces(text, at)
}

// scanSpaces matches `\s+(?!\S)|\s+` at a white-space character: the run up to
// its last character, which goes with the word that follows; all of it when no
// word follows or there is nothing else to match.
func scanSpaces(text string, at int) int {
	end, last := runEnd(text, at, space)
	if end < len(text) && end-last > at {
		return end - last
	}
	return end
}

// contraction returns the length of 's 't 'm 'd 're 've 'll at the beginning of
// text, 0 if there is none. Under Unicode case folding s is also ſ.
func contraction(text string, fold bool) int {
	if len(text) < 2 || text[0] != '\'' {
		return 0
	}
	if fold && len(text) > 2 && text[1:3] == "ſ" {
		return 3
	}
	switch lower(text[1], fold) {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(text) < 3 {
		return 0
	}
	switch [2]byte{lower(text[1], fold), lower(text[2], fold)} {
	case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
		return 3
	}
	return 0
}

func lower(b byte, fold bool) byte {
	if fold && b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func isNewline(b byte) bool { return b == '\n' || b == '\r' }
