package jsonl

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a value, so that hostile text cannot exhaust
// the stack.
const maxDepth = 512

// kind is the first thing to know of a JSON value.
type kind uint8

const (
	isNull kind = iota
	isBool
	isInteger // digits alone, with or without a minus
	isNumber  // any other number
	isString
	isArray
	isObject
)

var kindNames = [...]string{"null", "a boolean", "an integer", "a number", "a string", "an array", "an object"}

func (k kind) String() string { return kindNames[k] }

// scanner takes values off the head of a JSON text (RFC 8259, no leniency).
// After the first error it stands at the end and takes nothing.
type scanner struct {
	text []byte
	at   int
	err  *Error
}

func (s *scanner) fail(class, message string) {
	if s.err == nil {
		s.err = &Error{Class: class, Message: message + " at byte " + strconv.Itoa(s.at+1)}
	}
	s.at = len(s.text)
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte after white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// ended reports whether nothing but white space is left.
func (s *scanner) ended() bool {
	s.space()
	return s.at == len(s.text)
}

// take skips white space and c, if that is next.
func (s *scanner) take(c byte) bool {
	if s.peek() == c && s.err == nil && s.at < len(s.text) {
		s.at++
		return true
	}
	return false
}

// value takes a value and returns its kind and text.
func (s *scanner) value(depth int) (kind, []byte) {
	if depth > maxDepth {
		s.fail("parse", "nested too deeply")
		return isNull, nil
	}
	c := s.peek()
	start := s.at
	k := isNull
	switch {
	case c == '{':
		k = isObject
		s.object(func([]byte) { s.value(depth + 1) })
	case c == '[':
		k = isArray
		s.array(func() { s.value(depth + 1) })
	case c == '"':
		k = isString
		s.skipString()
	case c == '-' || c >= '0' && c <= '9':
		k = s.number()
	case c == 't':
		k = isBool
		s.literal("true")
	case c == 'f':
		k = isBool
		s.literal("false")
	case c == 'n':
		s.literal("null")
	case s.at >= len(s.text):
		s.fail("parse", "unexpected end")
	default:
		s.fail("parse", "no JSON value")
	}
	if s.err != nil {
		return isNull, nil
	}
	return k, s.text[start:s.at]
}

// object takes an object and calls member at each value, which member takes.
// The key is still quoted.
func (s *scanner) object(member func(key []byte)) {
	s.take('{')
	if s.take('}') {
		return
	}
	for s.err == nil {
		if s.peek() != '"' {
			s.fail("parse", "no key")
			return
		}
		start := s.at
		s.skipString()
		key := s.text[start:s.at]
		if !s.take(':') {
			s.fail("parse", "no colon after a key")
			return
		}
		member(key)
		if s.take('}') {
			return
		}
		if !s.take(',') {
			s.fail("parse", "neither comma nor end in an object")
		}
	}
}

// array takes an array and calls element at each value, which element takes.
func (s *scanner) array(element func()) {
	s.take('[')
	if s.take(']') {
		return
	}
	for s.err == nil {
		element()
		if s.take(']') {
			return
		}
		if !s.take(',') {
			s.fail("parse", "neither comma nor end in an array")
		}
	}
}

func (s *scanner) literal(word string) {
	if !bytes.HasPrefix(s.text[s.at:], []byte(word)) {
		s.fail("parse", "no JSON value")
		return
	}
	s.at += len(word)
}

func (s *scanner) number() kind {
	if s.text[s.at] == '-' {
		s.at++
	}
	start := s.at
	if n := s.digits(); n == 0 || n > 1 && s.text[start] == '0' {
		s.fail("parse", "malformed number")
		return isNull
	}
	k := isInteger
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		k = isNumber
		if s.digits() == 0 {
			s.fail("parse", "malformed number")
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		k = isNumber
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			s.fail("parse", "malformed number")
		}
	}
	return k
}

func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// skipString takes a quoted string and checks its escapes.
func (s *scanner) skipString() {
	s.at++ // the quote
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return
		case c < ' ':
			s.fail("parse", "control character in a string")
		case c == '\\':
			s.skipEscape()
		default:
			s.at++
		}
	}
	s.fail("parse", "string without an end")
}

func (s *scanner) skipEscape() {
	if s.at+1 >= len(s.text) {
		s.fail("parse", "string without an end")
		return
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
	case 'u':
		r, ok := hex4(s.text[s.at+2:])
		if !ok {
			s.fail("parse", "malformed escape")
			return
		}
		s.at += 6
		if !utf16.IsSurrogate(r) {
			return
		}
		var low rune
		if bytes.HasPrefix(s.text[s.at:], []byte(`\u`)) {
			low, _ = hex4(s.text[s.at+2:])
		}
		if utf16.DecodeRune(r, low) == utf8.RuneError {
			s.fail("utf8", "half a surrogate pair")
			return
		}
		s.at += 6
	default:
		s.fail("parse", "malformed escape")
	}
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	r := rune(0)
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote is the content of a string that the scanner took.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	b := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			b = append(b, inner[i])
			continue
		}
		i++
		switch inner[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, _ := hex4(inner[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, _ := hex4(inner[i+3:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, inner[i])
		}
	}
	return string(b)
}
