package data

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// AppendText appends the plain text of a scalar of type t, as text formats write
// it: shortest round-trip floats (NaN, +Inf, -Inf), RFC 3339 timestamps (without
// a zone if they are local), base64 bytes, and the logical types date
// (2006-01-02), time (15:04:05.999), decimal (12.50) and uuid in their usual
// spelling. Null appends nothing, and so do lists, structs, maps and tensors.
func AppendText(b []byte, v Value, t Type) []byte {
	if spelt, ok := appendLogical(b, v, t.Logical); ok {
		return spelt
	}
	switch v.Kind() {
	case Bool:
		return strconv.AppendBool(b, v.Bool())
	case Int64:
		return strconv.AppendInt(b, v.Int64(), 10)
	case Float32:
		return appendFloat(b, v.Float64(), 32)
	case Float64:
		return appendFloat(b, v.Float64(), 64)
	case String:
		return append(b, v.Text()...)
	case Bytes:
		return base64.StdEncoding.AppendEncode(b, v.Bytes())
	case Timestamp:
		layout := time.RFC3339Nano
		if t.Local {
			layout = "2006-01-02T15:04:05.999999999"
		}
		return v.Time().AppendFormat(b, layout)
	}
	return b
}

// appendFloat writes the shortest text that reads back as x, with a point or an
// exponent so that it is read as a float.
func appendFloat(b []byte, x float64, bits int) []byte {
	start, form := len(b), byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	b = strconv.AppendFloat(b, x, form, -1, bits)
	if bytes.ContainsAny(b[start:], ".eIN") {
		return b
	}
	return append(b, ".0"...)
}

// PythonStrip removes white space around a text as Python's str.strip does: four
// separators beyond those of strings.TrimSpace.
func PythonStrip(s string) string { return strings.TrimFunc(s, isPythonSpace) }

func isPythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// IsSpeltOut reports whether AppendText has a spelling of its own for the
// logical type, which is then text whatever the kind.
func (t Type) IsSpeltOut() bool {
	name, _, _ := strings.Cut(t.Logical, "(")
	return name == "date" || name == "time" || name == "decimal" || name == "uuid"
}

func appendLogical(b []byte, v Value, logical string) ([]byte, bool) {
	name, detail, _ := strings.Cut(logical, "(")
	switch kind := v.Kind(); {
	case name == "date" && kind == Int64:
		return time.Unix(v.Int64()*86400, 0).UTC().AppendFormat(b, time.DateOnly), true
	case name == "time" && kind == Int64:
		return appendTime(b, v.Int64(), detail), true
	case name == "decimal" && (kind == Int64 || kind == Bytes):
		return appendDecimal(b, unscaled(v), detail), true
	case name == "uuid" && kind == Bytes && len(v.Bytes()) == 16:
		u := v.Bytes()
		for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
			if i > 0 {
				b = append(b, '-')
			}
			b = hex.AppendEncode(b, part)
		}
		return b, true
	case name == "uint64" && kind == Int64:
		return strconv.AppendUint(b, uint64(v.Int64()), 10), true
	}
	return b, false
}

// appendTime spells the ticks since midnight; detail begins with their unit.
func appendTime(b []byte, ticks int64, detail string) []byte {
	tick := time.Microsecond
	switch {
	case strings.HasPrefix(detail, "ms"):
		tick = time.Millisecond
	case strings.HasPrefix(detail, "ns"):
		tick = time.Nanosecond
	}
	return time.Time{}.Add(time.Duration(ticks)*tick).AppendFormat(b, "15:04:05.999999999")
}

// unscaled is the integer of a decimal: an int64 or big-endian two's complement.
func unscaled(v Value) *big.Int {
	if v.Kind() == Int64 {
		return big.NewInt(v.Int64())
	}
	raw := v.Bytes()
	n := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return n
}

// appendDecimal spells an unscaled decimal; detail is "precision,scale)…".
func appendDecimal(b []byte, n *big.Int, detail string) []byte {
	inside, _, _ := strings.Cut(detail, ")")
	_, after, _ := strings.Cut(inside, ",")
	scale, err := strconv.Atoi(strings.TrimSpace(after))
	if err != nil || scale <= 0 || scale > 1000 {
		return n.Append(b, 10)
	}
	digits := new(big.Int).Abs(n).String()
	if pad := scale + 1 - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	if n.Sign() < 0 {
		b = append(b, '-')
	}
	b = append(b, digits[:len(digits)-scale]...)
	b = append(b, '.')
	return append(b, digits[len(digits)-scale:]...)
}
