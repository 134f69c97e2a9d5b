package tokenizer

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizers are the steps of BERT's basic tokenizer (Devlin et al. 2019)
// that come before splitting: clean, space out ideographs, strip accents,
// lowercase. Accents follow the case unless the file says otherwise.
func bertNormalizers(c *component) []normalizer {
	var steps []normalizer
	if c.CleanText == nil || *c.CleanText {
		steps = append(steps, cleanText)
	}
	if c.HandleChineseChars == nil || *c.HandleChineseChars {
		steps = append(steps, spaceIdeographs)
	}
	lower := c.Lowercase == nil || *c.Lowercase
	stripAccents := lower
	if c.StripAccents != nil {
		stripAccents = *c.StripAccents
	}
	if stripAccents {
		nonspacing := func(r rune) bool { return unicode.Is(unicode.Mn, r) }
		steps = append(steps, unicodeForm(norm.NFD), deleting(nonspacing))
	}
	if lower {
		steps = append(steps, lowercase)
	}
	return steps
}

// cleanText drops control characters and turns white space into blanks.
func cleanText(text string, w *rewriter) {
	eachRune(text, func(r rune, char string) {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			w.keep(" ")
		case r == 0 || r == unicode.ReplacementChar || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			w.replace(len(char), "")
		case unicode.IsSpace(r) && len(char) > 1:
			w.replace(len(char), " ")
		default:
			w.keep(char)
		}
	})
}

func spaceIdeographs(text string, w *rewriter) {
	eachRune(text, func(r rune, char string) {
		if !isIdeograph(r) {
			w.keep(char)
			return
		}
		w.replace(0, " ")
		w.keep(char)
		w.replace(0, " ")
	})
}

// isIdeograph holds for the CJK Unified and Compatibility Ideograph blocks that
// BERT knows; later extensions and kana are left to WordPiece.
func isIdeograph(r rune) bool {
	switch {
	case r < 0x3400:
		return false
	case r <= 0x4DBF, r >= 0x4E00 && r <= 0x9FFF, r >= 0xF900 && r <= 0xFAFF:
		return true
	case r >= 0x20000 && r <= 0x2A6DF, r >= 0x2A700 && r <= 0x2B73F, r >= 0x2B740 && r <= 0x2B81F:
		return true
	case r >= 0x2B920 && r <= 0x2CEAF, r >= 0x2F800 && r <= 0x2FA1F:
		return true
	}
	return false
}

// isPunctuation counts every ASCII character that is neither letter, digit nor
// space as punctuation, and Unicode's own punctuation elsewhere.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return r > ' ' && r < 0x7F && !isASCIIAlphanumeric(r)
	}
	return unicode.IsPunct(r)
}

func isASCIIAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
