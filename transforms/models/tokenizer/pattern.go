package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A matcher divides a text into matches of a pattern and the gaps between them:
// it returns the end of the stretch that begins at text[at], at < len(text),
// and whether it is a match. Both kinds of stretches are never empty.
type matcher func(text string, at int) (end int, match bool)

// buildMatcher compiles the pattern of a Split or Replace.
func buildMatcher(p *pattern) (matcher, error) {
	switch {
	case p != nil && p.String != nil && *p.String != "":
		return literal(*p.String), nil
	case p != nil && p.Regex != nil:
		return compile(*p.Regex)
	}
	return nil, fmt.Errorf("pattern is empty; want {\"String\": …} or {\"Regex\": …}")
}

// compile gives the matcher of a regular expression as tokenizer files write
// them (Oniguruma with Unicode classes): one of the scanners, or package regexp
// where it means the same.
func compile(expression string) (matcher, error) {
	switch expression {
	case patternGPT2:
		return everywhere(scanGPT2), nil
	case patternLlama3:
		return everywhere(func(text string, at int) int { return scanLlama3(text, at, 3) }), nil
	case patternQwen2:
		return everywhere(func(text string, at int) int { return scanLlama3(text, at, 1) }), nil
	}
	body, spaces := strings.CutSuffix(expression, `|\s+(?!\S)|\s+`)
	translated, err := translate(body)
	if err != nil {
		return nil, fmt.Errorf("pattern %q is not supported: %w", expression, err)
	}
	re, err := regexp.Compile(`\A(?:` + translated + `)`)
	if err != nil || re.MatchString("") {
		if err == nil {
			err = fmt.Errorf("it matches the empty string")
		}
		return nil, fmt.Errorf("pattern %q is not supported: %w", expression, err)
	}
	return searching(func(text string, at int) int {
		if loc := re.FindStringIndex(text[at:]); loc != nil && loc[1] > 0 {
			return at + loc[1]
		}
		if spaces {
			if c, _ := classAt(text, at); c == space {
				return scanSpaces(text, at)
			}
		}
		return at
	}), nil
}

// everywhere makes a matcher of a scanner whose pattern matches at every
// position.
func everywhere(scan func(text string, at int) int) matcher {
	return func(text string, at int) (int, bool) { return scan(text, at), true }
}

// searching makes a matcher of a scanner that returns at where nothing matches.
func searching(scan func(text string, at int) int) matcher {
	return func(text string, at int) (int, bool) {
		if end := scan(text, at); end > at {
			return end, true
		}
		for at < len(text) {
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
			if at < len(text) && scan(text, at) > at {
				break
			}
		}
		return at, false
	}
}

// literal matches the string s.
func literal(s string) matcher {
	return func(text string, at int) (int, bool) {
		switch i := strings.Index(text[at:], s); i {
		case -1:
			return len(text), false
		case 0:
			return at + len(s), true
		default:
			return at + i, false
		}
	}
}

// each matches single characters of a class.
func each(in func(rune) bool) matcher {
	return func(text string, at int) (int, bool) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if end := at + n; in(r) {
			return end, true
		}
		return at + stretch(text[at:], func(r rune) bool { return !in(r) }), false
	}
}

// words matches runs of word characters and runs of what is neither word nor
// space: the pattern \w+|[^\w\s]+.
func words(text string, at int) (int, bool) {
	for _, in := range []func(rune) bool{isWord, unicode.IsSpace} {
		if n := stretch(text[at:], in); n > 0 {
			return at + n, !in(' ')
		}
	}
	return at + stretch(text[at:], func(r rune) bool { return !isWord(r) && !unicode.IsSpace(r) }), true
}

// stretch returns the length of the longest prefix made of characters in a class.
func stretch(text string, in func(rune) bool) int {
	if i := strings.IndexFunc(text, func(r rune) bool { return !in(r) }); i >= 0 {
		return i
	}
	return len(text)
}

// isWord is \w of Unicode regular expressions (UTS #18, annex C).
func isWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic) ||
		r == '\u200c' || r == '\u200d'
}

// translate writes an Oniguruma pattern so that package regexp reads it the same
// way: \s and \d are Unicode classes there and ASCII ones here. What has no
// equal or means something else is refused.
func translate(expression string) (string, error) {
	var out strings.Builder
	inClass := false
	for i := 0; i < len(expression); i++ {
		rest := expression[i:]
		for _, bad := range refused {
			if strings.HasPrefix(rest, bad.syntax) && (bad.inClass == inClass) {
				return "", fmt.Errorf("%s", bad.reason)
			}
		}
		switch rest[0] {
		case '[':
			inClass = true
		case ']':
			inClass = false
		case '\\':
			if len(rest) == 1 {
				return "", fmt.Errorf("it ends in a backslash")
			}
			escaped, err := translateEscape(rest[1], inClass)
			if err != nil {
				return "", err
			}
			out.WriteString(escaped)
			i++
			continue
		}
		out.WriteByte(rest[0])
	}
	return out.String(), nil
}

// refused lists what package regexp rejects with a less telling message, or
// accepts with another meaning.
var refused = []struct {
	syntax  string
	inClass bool
	reason  string
}{
	{"(?=", false, "it looks ahead"},
	{"(?!", false, "it looks ahead"},
	{"(?<", false, "it looks behind or names a group"},
	{"(?>", false, "it has an atomic group"},
	{"(?s", false, "it sets a flag other than i"},
	{"(?m", false, "it sets a flag other than i"},
	{"(?x", false, "it sets a flag other than i"},
	{"(?U", false, "it sets a flag other than i"},
	{"(?-", false, "it sets a flag other than i"},
	{"^", false, "it is anchored"},
	{"$", false, "it is anchored"},
	{"{,", false, "it has a repetition without minimum"},
	{"[", true, "it nests character classes"},
	{"&&", true, "it intersects character classes"},
}

// whiteSpace is the Unicode property White_Space, as members of a class.
const whiteSpace = `\t-\r\x{85}\pZ`

func translateEscape(c byte, inClass bool) (string, error) {
	switch {
	case c == 's' && inClass:
		return whiteSpace, nil
	case c == 's':
		return `[` + whiteSpace + `]`, nil
	case c == 'S' && !inClass:
		return `[^` + whiteSpace + `]`, nil
	case c == 'd':
		return `\p{Nd}`, nil
	case c == 'D':
		return `\P{Nd}`, nil
	case strings.IndexByte("pPxtnrfv", c) >= 0 || c < utf8.RuneSelf && isPunctuation(rune(c)):
		return `\` + string(c), nil
	}
	return "", fmt.Errorf(`it uses \%c`, c)
}
