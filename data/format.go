package data

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Format writes a value for people, on one line of at most limit characters.
func Format(v Value, t Type, limit int) string {
	s := format(v, t, limit)
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(0, limit-1)]) + "…"
}

func format(v Value, t Type, limit int) string {
	switch v.Kind() {
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(v.Bool())
	case Int64:
		if t.Logical == "uint64" {
			return strconv.FormatUint(uint64(v.Int64()), 10)
		}
		if t.Logical == "date" {
			return time.Unix(v.Int64()*86400, 0).UTC().Format(time.DateOnly)
		}
		return strconv.FormatInt(v.Int64(), 10)
	case Float32:
		return strconv.FormatFloat(v.Float64(), 'g', -1, 32)
	case Float64:
		return strconv.FormatFloat(v.Float64(), 'g', -1, 64)
	case String:
		return oneLine(head(v.Text(), 4*limit))
	case Bytes:
		b := v.Bytes()
		return fmt.Sprintf("%d bytes %s", len(b), hex.EncodeToString(b[:min(len(b), limit/2)]))
	case Timestamp:
		return v.Time().Format(time.RFC3339Nano)
	case List:
		return "[" + joined(v.List(), func(int) Type { return deref(t.Elem) }, limit) + "]"
	case Struct:
		return "{" + joined(v.Struct(), func(i int) Type {
			if i < len(t.Fields) {
				return t.Fields[i].Type
			}
			return Type{}
		}, limit) + "}"
	case Map:
		parts := []string{}
		for _, e := range v.Map()[:min(len(v.Map()), limit)] {
			parts = append(parts, format(e.Key, deref(t.Key), limit)+": "+format(e.Value, deref(t.Elem), limit))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case Tensor:
		return fmt.Sprintf("tensor %v", v.Tensor().Shape)
	}
	return ""
}

func joined(values []Value, typeOf func(int) Type, limit int) string {
	parts := []string{}
	for i, v := range values[:min(len(values), limit)] {
		parts = append(parts, format(v, typeOf(i), limit))
	}
	return strings.Join(parts, ", ")
}

func deref(t *Type) Type {
	if t == nil {
		return Type{}
	}
	return *t
}

// head is the start of s of at most n bytes, cut between characters.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// oneLine replaces what would break a line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}
