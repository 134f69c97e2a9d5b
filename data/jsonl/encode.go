package jsonl

import (
	"bytes"
	"encoding/json"
	"math"
	"unicode/utf8"

	"penstock.dev/data"
)

// AppendRow appends a row as a line with its end. Null is null, and so are NaN
// and the infinities, which JSON does not have. Bytes are base64; timestamps,
// dates, times, decimals and UUIDs are strings as in data.AppendText; columns of
// logical type "json" are the JSON they hold. Structs and maps are objects,
// lists are arrays, tensors nested arrays.
func AppendRow(b []byte, schema *data.Schema, values []data.Value) []byte {
	b = append(b, '{')
	for i, f := range schema.Fields() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.Name), ':')
		b = AppendValue(b, values[i], f.Type)
	}
	return append(b, '}', '\n')
}

// AppendValue appends a value of type t as JSON.
func AppendValue(b []byte, v data.Value, t data.Type) []byte {
	switch v.Kind() {
	case data.Null:
		return append(b, "null"...)
	case data.Float32, data.Float64:
		if x := v.Float64(); math.IsNaN(x) || math.IsInf(x, 0) {
			return append(b, "null"...)
		}
		return data.AppendText(b, v, t)
	case data.Bool, data.Int64:
		if t.IsSpeltOut() {
			return appendString(b, string(data.AppendText(nil, v, t)))
		}
		return data.AppendText(b, v, t)
	case data.String:
		if t.Logical == "json" {
			return appendJSON(b, v.Text())
		}
		return appendString(b, v.Text())
	case data.List:
		return appendArray(b, v.List(), t)
	case data.Struct:
		return appendStruct(b, v.Struct(), t)
	case data.Map:
		return appendMap(b, v.Map(), t)
	case data.Tensor:
		return appendTensor(b, v.Tensor())
	}
	return appendString(b, string(data.AppendText(nil, v, t)))
}

// appendJSON appends JSON on one line; text that is none becomes a string.
func appendJSON(b []byte, text string) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(text)) != nil {
		return appendString(b, text)
	}
	return append(b, compact.Bytes()...)
}

func appendArray(b []byte, elems []data.Value, t data.Type) []byte {
	b = append(b, '[')
	for i, e := range elems {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendValue(b, e, *t.Elem)
	}
	return append(b, ']')
}

func appendStruct(b []byte, values []data.Value, t data.Type) []byte {
	b = append(b, '{')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, t.Fields[i].Name), ':')
		b = AppendValue(b, v, t.Fields[i].Type)
	}
	return append(b, '}')
}

func appendMap(b []byte, entries []data.Entry, t data.Type) []byte {
	b = append(b, '{')
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, string(data.AppendText(nil, e.Key, *t.Key))), ':')
		b = AppendValue(b, e.Value, *t.Elem)
	}
	return append(b, '}')
}

// appendTensor appends the elements, row-major, in an array an axis.
func appendTensor(b []byte, a *data.Array) []byte {
	at := 0
	var axis func(b []byte, shape []int) []byte
	axis = func(b []byte, shape []int) []byte {
		if len(shape) == 0 {
			b = appendElement(b, a.Data, at)
			at++
			return b
		}
		b = append(b, '[')
		for i := range shape[0] {
			if i > 0 {
				b = append(b, ',')
			}
			b = axis(b, shape[1:])
		}
		return append(b, ']')
	}
	return axis(b, a.Shape)
}

func appendElement(b []byte, elems any, i int) []byte {
	switch d := elems.(type) {
	case []float32:
		return AppendValue(b, data.Float32Value(d[i]), data.Float32Type)
	case []float64:
		return AppendValue(b, data.Float64Value(d[i]), data.Float64Type)
	case []int64:
		return AppendValue(b, data.Int64Value(d[i]), data.Int64Type)
	case []uint8:
		return AppendValue(b, data.Int64Value(int64(d[i])), data.Int64Type)
	}
	return append(b, "null"...)
}

// appendString appends a quoted string. What is not UTF-8 becomes U+FFFD, for
// JSON cannot hold it.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if c >= utf8.RuneSelf {
				b = append(b, "\uFFFD"...)
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			}
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
