package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A decoder rewrites a list of tokens; joined, the last list is the text.
type decoder func(tokens []string) []string

// buildDecoders flattens a decoder of tokenizer.json into steps.
func buildDecoders(c *component) ([]decoder, error) {
	if c == nil {
		return nil, nil
	}
	switch c.Type {
	case "Sequence":
		return buildAll(c.Decoders, buildDecoders)
	case "ByteLevel":
		return []decoder{decodeBytes}, nil
	case "ByteFallback":
		return []decoder{decodeByteTokens}, nil
	case "Fuse":
		return []decoder{fuse}, nil
	case "WordPiece":
		return []decoder{decodeWordPiece(deref(c.Prefix, "##"), isTrue(c.Cleanup, true))}, nil
	case "Metaspace":
		return []decoder{decodeMetaspace(c.Replacement, prependScheme(c) != "never")}, nil
	case "BPEDecoder":
		return []decoder{decodeSuffix(deref(c.Suffix, "</w>"))}, nil
	case "Strip":
		return []decoder{eachToken(func(token string) string { return stripped(token, c.Content, c.Start, c.Stop) })}, nil
	case "Replace":
		m, err := buildMatcher(c.Pattern)
		if err != nil {
			return nil, err
		}
		return []decoder{eachToken(func(token string) string {
			return fragment{text: token}.rewrite(replaceAll(m, c.Content)).text
		})}, nil
	}
	return nil, fmt.Errorf("decoder %q is not supported", c.Type)
}

func eachToken(change func(string) string) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			tokens[i] = change(token)
		}
		return tokens
	}
}

func fuse(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// decodeBytes reads the byte alphabet of byte-level BPE.
func decodeBytes(tokens []string) []string {
	var text []byte
	for _, token := range tokens {
		text = appendBytes(text, token)
	}
	return []string{validUTF8(text)}
}

// validUTF8 puts one U+FFFD in place of each truncated or invalid sequence, as
// the Unicode standard recommends (section 3.9, "maximal subparts").
func validUTF8(text []byte) string {
	if utf8.Valid(text) {
		return string(text)
	}
	var out strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			n = subpart(text)
		}
		out.WriteRune(r)
		text = text[n:]
	}
	return out.String()
}

// subpart is the length of the longest beginning of an invalid text that could
// have become a character, at least one byte.
func subpart(text []byte) int {
	n := 1
	for n < len(text) && n < utf8.UTFMax && !utf8.FullRune(text[:n]) {
		n++
	}
	if n > 1 && utf8.FullRune(text[:n]) {
		n-- // the last byte is what broke it
	}
	return n
}

// decodeByteTokens joins tokens <0x00> to <0xFF> to characters, one U+FFFD for
// each byte of a run that is not valid UTF-8.
func decodeByteTokens(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			out = append(out, string(run))
		} else {
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if b, ok := byteOfToken(token); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

func byteOfToken(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(token[3:5], 16, 8)
	return byte(b), err == nil
}

// decodeWordPiece puts blanks between words and, with cleanup, takes them away
// before punctuation and English contractions again.
func decodeWordPiece(prefix string, cleanup bool) decoder {
	tidy := strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'",
		" n't", "n't", " 'm", "'m", " do not", " don't", " 's", "'s", " 've", "'ve", " 're", "'re")
	return func(tokens []string) []string {
		for i, token := range tokens {
			if rest, ok := strings.CutPrefix(token, prefix); i > 0 && ok {
				token = rest
			} else if i > 0 {
				token = " " + token
			}
			if cleanup {
				token = tidy.Replace(token)
			}
			tokens[i] = token
		}
		return tokens
	}
}

// decodeMetaspace turns word marks into blanks, but not those of the first token
// if encoding put one there.
func decodeMetaspace(mark string, prepended bool) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			blank := " "
			if i == 0 && prepended {
				blank = ""
			}
			tokens[i] = strings.ReplaceAll(token, mark, blank)
		}
		return tokens
	}
}

// decodeSuffix turns the end-of-word mark into a blank, except at the end.
func decodeSuffix(suffix string) decoder {
	return func(tokens []string) []string {
		for i, token := range tokens {
			blank := " "
			if i == len(tokens)-1 {
				blank = ""
			}
			tokens[i] = strings.ReplaceAll(token, suffix, blank)
		}
		return tokens
	}
}

// stripped removes up to start and stop times content from the two ends.
func stripped(token, content string, start, stop int) string {
	if content == "" {
		return token
	}
	for ; start > 0 && strings.HasPrefix(token, content); start-- {
		token = token[len(content):]
	}
	for ; stop > 0 && strings.HasSuffix(token, content); stop-- {
		token = token[:len(token)-len(content)]
	}
	return token
}
