package csv

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
)

// Infer finds the types of columns from sample rows, which may be ragged. A
// column without values is of strings.
func Infer(columns int, rows [][]Field) []data.Type {
	types := make([]data.Type, columns)
	for i := range types {
		types[i] = inferColumn(rows, i)
	}
	return types
}

func inferColumn(rows [][]Field, column int) data.Type {
	for _, t := range []data.Type{data.BoolType, data.Int64Type, data.Float64Type} {
		values := 0
		fits := true
		for _, row := range rows {
			if column >= len(row) || row[column].Text == "" {
				continue
			}
			_, ok := valueOf(row[column], t)
			fits = fits && ok && (t.Kind != data.Float64 || survives(row[column].Text))
			values++
		}
		if fits && values > 0 {
			return t
		}
	}
	return data.StringType
}

// survives reports whether a number keeps its meaning as a float: one with
// leading zeros is a code, and an integer must not be rounded.
func survives(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return false
	}
	if strings.Trim(digits, "0123456789") != "" {
		return true // a fraction, an exponent, NaN or Inf
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n <= 1<<53 && n >= -1<<53
}

// Convert makes the values of a row. A row of another number of fields, or with
// a field that is not of its column's type, is an *Error.
func Convert(row []Field, schema *data.Schema) ([]data.Value, error) {
	if len(row) != schema.Len() {
		return nil, &Error{"schema", fmt.Sprintf("%d fields, want %d", len(row), schema.Len())}
	}
	values := make([]data.Value, len(row))
	for i, field := range row {
		f := schema.Field(i)
		v, ok := valueOf(field, f.Type)
		if !ok {
			return nil, &Error{"schema", fmt.Sprintf("column %q is %s, the field is %s", f.Name, f.Type, clip(field.Text))}
		}
		values[i] = v
	}
	return values, nil
}

func clip(s string) string {
	const most = 24
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}

func valueOf(field Field, t data.Type) (data.Value, bool) {
	s := field.Text
	if s == "" {
		if field.Quoted && t.Kind == data.String {
			return data.StringValue(""), true
		}
		return data.Value{}, true
	}
	switch t.Kind {
	case data.String:
		return data.StringValue(s), true
	case data.Bool:
		return data.BoolValue(s == "true"), s == "true" || s == "false"
	case data.Int64:
		n, err := strconv.ParseInt(s, 10, 64)
		return data.Int64Value(n), err == nil && strconv.FormatInt(n, 10) == s
	case data.Float64:
		x, ok := float(s, 64)
		return data.Float64Value(x), ok
	case data.Float32:
		x, ok := float(s, 32)
		return data.Float32Value(float32(x)), ok
	case data.Bytes:
		b, err := base64.StdEncoding.DecodeString(s)
		return data.BytesValue(b), err == nil
	case data.Timestamp:
		at, err := time.Parse(time.RFC3339, s)
		return data.TimeValue(at), err == nil
	case data.List:
		return jsonl.ParseValue([]byte(s), t)
	}
	return data.Value{}, false
}

// float reads a decimal number without a plus, NaN, Inf, +Inf or -Inf.
func float(s string, bits int) (float64, bool) {
	switch s {
	case "NaN":
		return math.NaN(), true
	case "Inf", "+Inf":
		return math.Inf(1), true
	case "-Inf":
		return math.Inf(-1), true
	}
	if s[0] == '+' || strings.Trim(s, "0123456789+-.eE") != "" {
		return 0, false
	}
	x, err := strconv.ParseFloat(s, bits)
	return x, err == nil
}
