package jsonl

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"penstock.dev/data"
)

// Error says why a line is no row. Class is "parse" for text that is not JSON,
// "utf8" for text that is not UTF-8, "schema" for JSON of other columns.
type Error struct{ Class, Message string }

func (e *Error) Error() string { return e.Message }

// Decoder turns lines into the values of a schema. It may be used by several
// goroutines.
type Decoder struct {
	DropUnknown bool // keys that the schema lacks are passed over, not refused
	NeedAll     bool // every column of the schema must have its key, if only with null
	schema      *data.Schema
	index       map[string]int
}

// NewDecoder makes a decoder for a schema of the types in the package
// documentation.
func NewDecoder(schema *data.Schema) *Decoder {
	d := &Decoder{schema: schema, index: make(map[string]int, schema.Len())}
	for i, name := range schema.Names() {
		d.index[name] = i
	}
	return d
}

// Decode reads a line. A key that the line lacks is null unless NeedAll; one that
// the schema lacks (unless DropUnknown), or that occurs twice, is an error.
func (d *Decoder) Decode(line []byte) ([]data.Value, error) {
	if !utf8.Valid(line) {
		return nil, &Error{"utf8", "invalid UTF-8"}
	}
	s := scanner{text: line}
	if s.peek() != '{' {
		return nil, notObject(line)
	}
	values := make([]data.Value, d.schema.Len())
	seen := make([]bool, d.schema.Len())
	var wrong *Error
	s.object(func(key []byte) {
		name := unquote(key)
		k, text := s.value(1)
		if s.err != nil || wrong != nil {
			return
		}
		i, ok := d.index[name]
		switch {
		case !ok && d.DropUnknown:
		case !ok:
			wrong = d.unknown(name)
		case seen[i]:
			wrong = &Error{"schema", fmt.Sprintf("key %q occurs twice", name)}
		default:
			seen[i] = true
			values[i], wrong = convert(k, text, d.schema.Field(i))
		}
	})
	if s.err == nil && !s.ended() {
		s.fail("parse", "text behind the object")
	}
	switch {
	case s.err != nil:
		return nil, s.err
	case wrong != nil:
		return nil, wrong
	}
	if i := slices.Index(seen, false); d.NeedAll && i >= 0 {
		return nil, &Error{"schema", fmt.Sprintf("no key %q", d.schema.Field(i).Name)}
	}
	return values, nil
}

func (d *Decoder) unknown(name string) *Error {
	message := fmt.Sprintf("key %q is not among the columns", name)
	if near, ok := d.schema.Nearest(name); ok {
		message += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return &Error{"schema", message}
}

// notObject tells bad JSON from a value that is no object.
func notObject(line []byte) *Error {
	s := scanner{text: line}
	k, _ := s.value(0)
	if s.err == nil && !s.ended() {
		s.fail("parse", "text behind the value")
	}
	if s.err != nil {
		return s.err
	}
	return &Error{"schema", fmt.Sprintf("a line must be an object, this is %s", k)}
}

// convert makes a value of the column's type.
func convert(k kind, text []byte, f data.Field) (data.Value, *Error) {
	v, ok := valueOf(k, text, f.Type)
	if !ok {
		return data.Value{}, &Error{"schema", fmt.Sprintf("column %q is %s, the value is %s", f.Name, f.Type, describe(k, text))}
	}
	return v, nil
}

// describe shows a value that does not fit, if it is short.
func describe(k kind, text []byte) string {
	if len(text) <= 24 && k != isNull {
		return string(text)
	}
	return k.String()
}

func valueOf(k kind, text []byte, t data.Type) (data.Value, bool) {
	if k == isNull {
		return data.Value{}, true
	}
	if isJSON(t) {
		return data.StringValue(string(text)), true
	}
	switch t.Kind {
	case data.Bool:
		return data.BoolValue(text[0] == 't'), k == isBool
	case data.Int64:
		n, err := strconv.ParseInt(string(text), 10, 64)
		return data.Int64Value(n), k == isInteger && err == nil
	case data.Float64:
		x, ok := float(k, text, 64)
		return data.Float64Value(x), ok
	case data.Float32:
		x, ok := float(k, text, 32)
		return data.Float32Value(float32(x)), ok
	case data.List:
		return listOf(k, text, *t.Elem)
	case data.Struct:
		return structOf(k, text, t.Fields)
	}
	if k != isString {
		return data.Value{}, false
	}
	return fromString(unquote(text), t)
}

func fromString(s string, t data.Type) (data.Value, bool) {
	switch t.Kind {
	case data.String:
		return data.StringValue(s), true
	case data.Bytes:
		b, err := base64.StdEncoding.DecodeString(s)
		return data.BytesValue(b), err == nil
	case data.Timestamp:
		at, err := time.Parse(time.RFC3339, s)
		return data.TimeValue(at), err == nil
	}
	return data.Value{}, false
}

// float reads a number. Fractions are rounded to the nearest float, as any
// reader does; an integer that is none exactly is refused.
func float(k kind, text []byte, bits int) (float64, bool) {
	if k != isNumber && k != isInteger {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, false // out of range
	}
	return x, k == isNumber || isExact(text, x)
}

// isExact reports whether the integer is the float.
func isExact(integer []byte, x float64) bool {
	if math.Abs(x) < 1<<24 {
		return true
	}
	n, ok := new(big.Int).SetString(string(integer), 10)
	if !ok {
		return false
	}
	rounded, _ := big.NewFloat(x).Int(nil)
	return n.Cmp(rounded) == 0
}

func listOf(k kind, text []byte, elem data.Type) (data.Value, bool) {
	if k != isArray {
		return data.Value{}, false
	}
	s := scanner{text: text}
	values := []data.Value{}
	fits := true
	s.array(func() {
		k, text := s.value(1)
		v, ok := valueOf(k, text, elem)
		fits = fits && ok
		values = append(values, v)
	})
	return data.ListValue(values), fits
}

// structOf reads an object that has no other keys than the fields.
func structOf(k kind, text []byte, fields []data.Field) (data.Value, bool) {
	if k != isObject {
		return data.Value{}, false
	}
	s := scanner{text: text}
	values := make([]data.Value, len(fields))
	fits := true
	s.object(func(key []byte) {
		name := unquote(key)
		k, text := s.value(1)
		i := slices.IndexFunc(fields, func(f data.Field) bool { return f.Name == name })
		if i < 0 {
			fits = false
			return
		}
		v, ok := valueOf(k, text, fields[i].Type)
		fits = fits && ok
		values[i] = v
	})
	return data.StructValue(values), fits
}

func isJSON(t data.Type) bool { return t.Kind == data.String && t.Logical == "json" }

// ParseValue makes a value of type t of a JSON text; ok is false if the text is
// not JSON or not of that type.
func ParseValue(text []byte, t data.Type) (v data.Value, ok bool) {
	s := scanner{text: text}
	k, value := s.value(0)
	if s.err != nil || !s.ended() || !utf8.Valid(text) {
		return data.Value{}, false
	}
	return valueOf(k, value, t)
}
