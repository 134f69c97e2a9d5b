package jsonl

import (
	"strconv"
	"unicode/utf8"

	"penstock.dev/data"
)

// JSONType is the type of columns whose values are kept as the text of JSON.
var JSONType = data.Type{Kind: data.String, Logical: "json"}

// Infer finds the columns from sample lines; lines that are no JSON objects are
// passed over. The columns come in the order in which they first occur and may
// all be null. ok is false if no line is an object.
func Infer(lines [][]byte) (fields []data.Field, ok bool) {
	index := map[string]int{}
	var seen []shape
	for _, line := range lines {
		s := scanner{text: line}
		if !utf8.Valid(line) || !isObjectLine(line) {
			continue
		}
		ok = true
		s.object(func(key []byte) {
			name := unquote(key)
			k, text := s.value(1)
			i, known := index[name]
			if !known {
				i = len(fields)
				index[name] = i
				fields = append(fields, data.Field{Name: name, Nullable: true})
				seen = append(seen, shape{})
			}
			seen[i].add(k, text)
		})
	}
	for i := range fields {
		fields[i].Type = seen[i].columnType()
	}
	return fields, ok
}

func isObjectLine(line []byte) bool {
	s := scanner{text: line}
	k, _ := s.value(0)
	return k == isObject && s.err == nil && s.ended()
}

// shape is what the values of a column have been so far.
type shape struct {
	seen    [isObject + 1]bool
	inexact bool   // an integer beyond 2^53
	beyond  bool   // an integer beyond int64
	elem    *shape // of arrays
}

func (s *shape) add(k kind, text []byte) {
	s.seen[k] = true
	switch k {
	case isInteger:
		n, err := strconv.ParseInt(string(text), 10, 64)
		s.beyond = s.beyond || err != nil
		s.inexact = s.inexact || err != nil || n > 1<<53 || n < -1<<53
	case isArray:
		if s.elem == nil {
			s.elem = &shape{}
		}
		inner := scanner{text: text}
		inner.array(func() {
			k, text := inner.value(1)
			s.elem.addElement(k, text)
		})
	}
}

// addElement is add without a look into arrays of arrays, which are kept as JSON.
func (s *shape) addElement(k kind, text []byte) {
	if k == isArray {
		s.seen[isArray] = true
		return
	}
	s.add(k, text)
}

func (s *shape) columnType() data.Type {
	t, ok := s.scalar()
	switch {
	case ok:
		return t
	case s.only(isArray) && s.elem != nil:
		if elem, ok := s.elem.scalar(); ok {
			return data.ListOf(elem, true)
		}
	}
	return JSONType
}

// scalar is the type that holds all the values, if they are scalars of one kind.
func (s *shape) scalar() (data.Type, bool) {
	switch {
	case s.only(isBool):
		return data.BoolType, true
	case s.only(isString):
		return data.StringType, true
	case s.only(isInteger):
		return data.Int64Type, !s.beyond
	case s.only(isInteger, isNumber):
		return data.Float64Type, !s.inexact
	}
	return data.Type{}, false
}

// only reports whether the values are null or of the given kinds, and not all
// null.
func (s *shape) only(kinds ...kind) bool {
	seen := s.seen
	any := false
	for _, k := range kinds {
		any = any || seen[k]
		seen[k] = false
	}
	seen[isNull] = false
	return any && seen == [isObject + 1]bool{}
}
