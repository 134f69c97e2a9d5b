package tokenizer

import (
	"fmt"
	"math"
)

const ggufPrefix = "tokenizer.ggml."

func (g *ggufReader) fail(key string, want string, got any) {
	if g.err == nil {
		g.err = fmt.Errorf("%s%s is %T, want %s", ggufPrefix, key, got, want)
	}
}

func (g *ggufReader) string(key, otherwise string) string {
	switch v := g.meta[ggufPrefix+key].(type) {
	case nil:
		return otherwise
	case string:
		return v
	default:
		g.fail(key, "a string", v)
		return otherwise
	}
}

func (g *ggufReader) bool(key string, otherwise bool) bool {
	switch v := g.meta[ggufPrefix+key].(type) {
	case nil:
		return otherwise
	case bool:
		return v
	default:
		g.fail(key, "a bool", v)
		return otherwise
	}
}

// id returns a token id, none where the key is missing.
func (g *ggufReader) id(key string) int32 {
	v, present := g.meta[ggufPrefix+key]
	if !present {
		return none
	}
	n, ok := toFloat(v)
	if !ok || n != math.Trunc(n) {
		g.fail(key, "a token id", v)
		return none
	}
	if n < 0 || n >= float64(len(g.tokens)) {
		return none // some writers mean "no such token" by it
	}
	return int32(n)
}

// strings returns a copy of an array of strings, nil where the key is missing.
func (g *ggufReader) strings(key string) []string {
	switch v := g.meta[ggufPrefix+key].(type) {
	case nil:
		return nil
	case []string:
		return append([]string(nil), v...)
	case []any:
		out := make([]string, len(v))
		for i, item := range v {
			s, ok := item.(string)
			if !ok {
				g.fail(fmt.Sprintf("%s[%d]", key, i), "a string", item)
				return nil
			}
			out[i] = s
		}
		return out
	default:
		g.fail(key, "an array of strings", v)
		return nil
	}
}

// ggufNumbers returns an array of numbers, nil where the key is missing.
func ggufNumbers[T int32 | float32](g *ggufReader, key string) []T {
	v := g.meta[ggufPrefix+key]
	switch v := v.(type) {
	case nil:
		return nil
	case []int32:
		return converted[T](v)
	case []uint32:
		return converted[T](v)
	case []int64:
		return converted[T](v)
	case []int:
		return converted[T](v)
	case []int8:
		return converted[T](v)
	case []uint8:
		return converted[T](v)
	case []float32:
		return converted[T](v)
	case []float64:
		return converted[T](v)
	case []any:
		out := make([]T, len(v))
		for i, item := range v {
			n, ok := toFloat(item)
			if !ok {
				g.fail(fmt.Sprintf("%s[%d]", key, i), "a number", item)
				return nil
			}
			out[i] = T(n)
		}
		return out
	}
	g.fail(key, "an array of numbers", v)
	return nil
}

func converted[T, V int | int8 | uint8 | int32 | uint32 | int64 | float32 | float64](values []V) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = T(v)
	}
	return out
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case uint8:
		return float64(v), true
	case int8:
		return float64(v), true
	case uint16:
		return float64(v), true
	case int16:
		return float64(v), true
	case uint32:
		return float64(v), true
	case int32:
		return float64(v), true
	case uint64:
		return float64(v), true
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
