package data

import (
	"bytes"
	"cmp"
	"math"
	"strings"
)

// Ordered reports whether values of the kind have an order that Compare knows.
func (k Kind) Ordered() bool { return k >= Bool && k <= Timestamp }

// Compare orders two values: negative when a comes first, 0 when they are
// equal, positive when b comes first. Numbers compare exactly across kinds,
// strings and bytes byte by byte, timestamps by the instant, false before true;
// NaN follows every number and null follows everything. Values of kinds that
// cannot be compared are ordered by kind; kinds without order are equal.
func Compare(a, b Value) int {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == Null || kb == Null:
		return cmp.Compare(isNull(ka), isNull(kb))
	case isNumber(ka) && isNumber(kb):
		return compareNumbers(a, b)
	case ka != kb:
		return cmp.Compare(ka, kb)
	}
	switch ka {
	case Bool:
		return cmp.Compare(a.num, b.num)
	case String:
		return strings.Compare(a.Text(), b.Text())
	case Bytes:
		return bytes.Compare(a.Bytes(), b.Bytes())
	case Timestamp:
		if a.Unit() == b.Unit() {
			return cmp.Compare(a.Int64(), b.Int64())
		}
		return a.Time().Compare(b.Time())
	}
	return 0
}

func isNull(k Kind) int {
	if k == Null {
		return 1
	}
	return 0
}

func isNumber(k Kind) bool { return k == Int64 || k == Float32 || k == Float64 }

func compareNumbers(a, b Value) int {
	aInt, bInt := a.Kind() == Int64, b.Kind() == Int64
	switch {
	case aInt && bInt:
		return cmp.Compare(a.Int64(), b.Int64())
	case aInt:
		return compareIntFloat(a.Int64(), b.Float64())
	case bInt:
		return -compareIntFloat(b.Int64(), a.Float64())
	}
	return compareFloats(a.Float64(), b.Float64())
}

// compareFloats is cmp.Compare with NaN last instead of first.
func compareFloats(a, b float64) int {
	switch aNaN, bNaN := math.IsNaN(a), math.IsNaN(b); {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return 1
	case bNaN:
		return -1
	}
	return cmp.Compare(a, b)
}

// compareIntFloat compares without rounding the integer to a float.
func compareIntFloat(i int64, f float64) int {
	switch {
	case math.IsNaN(f) || f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return -cmp.Compare(f-whole, 0)
}
