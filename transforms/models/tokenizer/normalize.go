package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normalizer rewrites a text.
type normalizer func(text string, w *rewriter)

// buildNormalizers flattens a normalizer of tokenizer.json into the steps that
// are applied one after the other.
func buildNormalizers(c *component) ([]normalizer, error) {
	if c == nil {
		return nil, nil
	}
	switch c.Type {
	case "Sequence":
		return buildAll(c.Normalizers, buildNormalizers)
	case "BertNormalizer":
		return bertNormalizers(c), nil
	case "NFC":
		return []normalizer{unicodeForm(norm.NFC)}, nil
	case "NFD":
		return []normalizer{unicodeForm(norm.NFD)}, nil
	case "NFKC":
		return []normalizer{unicodeForm(norm.NFKC)}, nil
	case "NFKD":
		return []normalizer{unicodeForm(norm.NFKD)}, nil
	case "Lowercase":
		return []normalizer{lowercase}, nil
	case "StripAccents":
		return []normalizer{deleting(unicode.IsMark)}, nil
	case "Strip":
		return []normalizer{strip(c.StripLeft, c.StripRight)}, nil
	case "Prepend":
		return []normalizer{prepend(c.Prepend)}, nil
	case "Replace":
		m, err := buildMatcher(c.Pattern)
		if err != nil {
			return nil, err
		}
		return []normalizer{replaceAll(m, c.Content)}, nil
	}
	return nil, fmt.Errorf("normalizer %q is not supported", c.Type)
}

// unicodeForm applies a Unicode normalization form, one segment at a time so
// that only the segments that change lose their exact alignment.
//
// After 30 combining marks in a row the form inserts U+034F, as the stream-safe
// text process of UAX #15 asks.
func unicodeForm(form norm.Form) normalizer {
	return func(text string, w *rewriter) {
		for text != "" {
			n := form.QuickSpanString(text)
			w.keep(text[:n])
			if text = text[n:]; text == "" {
				return
			}
			n = form.NextBoundaryInString(text, true)
			if n <= 0 {
				n = len(text)
			}
			if formed := form.String(text[:n]); formed == text[:n] {
				w.keep(formed)
			} else {
				w.replace(n, formed)
			}
			text = text[n:]
		}
	}
}

// lowercase maps character by character, without the context rule for the
// final sigma: that is how vocabularies were made.
func lowercase(text string, w *rewriter) {
	eachRune(text, func(r rune, char string) {
		switch low := unicode.ToLower(r); {
		case r == 'İ':
			w.replace(len(char), "i̇")
		case low == r:
			w.keep(char)
		case utf8.RuneLen(low) == len(char):
			w.keep(string(low))
		default:
			w.replace(len(char), string(low))
		}
	})
}

// deleting removes the characters for which drop holds.
func deleting(drop func(rune) bool) normalizer {
	return func(text string, w *rewriter) {
		eachRune(text, func(r rune, char string) {
			if drop(r) {
				w.replace(len(char), "")
			} else {
				w.keep(char)
			}
		})
	}
}

func strip(left, right bool) normalizer {
	return func(text string, w *rewriter) {
		body := text
		if left {
			body = strings.TrimLeftFunc(body, unicode.IsSpace)
			w.replace(len(text)-len(body), "")
		}
		tail := len(body)
		if right {
			body = strings.TrimRightFunc(body, unicode.IsSpace)
		}
		w.keep(body)
		w.replace(tail-len(body), "")
	}
}

func prepend(s string) normalizer {
	return func(text string, w *rewriter) {
		if text != "" {
			w.replace(0, s)
		}
		w.keep(text)
	}
}

// prependUnless prepends s to texts that do not begin with it.
func prependUnless(s string) normalizer {
	return func(text string, w *rewriter) {
		if !strings.HasPrefix(text, s) {
			w.replace(0, s)
		}
		w.keep(text)
	}
}

func replaceAll(m matcher, content string) normalizer {
	return func(text string, w *rewriter) {
		for at := 0; at < len(text); {
			end, match := m(text, at)
			switch {
			case !match:
				w.keep(text[at:end])
			case len(content) == end-at:
				w.keep(content)
			default:
				w.replace(end-at, content)
			}
			at = end
		}
	}
}

// eachRune visits the characters of text; an invalid byte is visited as
// U+FFFD with the byte itself as char.
func eachRune(text string, visit func(r rune, char string)) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		visit(r, text[i:i+n])
		i += n
	}
}

// buildAll builds every component of a sequence and joins the results.
func buildAll[T any](sequence []component, build func(*component) ([]T, error)) ([]T, error) {
	var all []T
	for i := range sequence {
		built, err := build(&sequence[i])
		if err != nil {
			return nil, err
		}
		all = append(all, built...)
	}
	return all, nil
}
