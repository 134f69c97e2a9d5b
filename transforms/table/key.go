package table

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"

	"golang.org/x/text/unicode/norm"

	"penstock.dev/data"
)

// appendKey appends bytes that are equal for equal values only: -0 equals 0, a
// NaN every NaN, and timestamps go by the instant whatever their unit.
func appendKey(b []byte, v data.Value) []byte {
	switch v.Kind() {
	case data.Float32, data.Float64:
		f := v.Float64()
		if f == 0 {
			f = 0 // -0 is equal to 0
		}
		if math.IsNaN(f) {
			f = math.NaN()
		}
		b = append(b, byte(data.Float64))
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	case data.Timestamp:
		t := v.Time()
		b = binary.AppendVarint(append(b, byte(data.Timestamp)), t.Unix())
		return binary.AppendVarint(b, int64(t.Nanosecond()))
	}
	return data.AppendValue(b, v)
}

// appendKeys appends the keys of several of a row's values.
func appendKeys(b []byte, r *data.Record, at []int) []byte {
	for _, i := range at {
		b = appendKey(b, r.Values[i])
	}
	return b
}

// digest is a hash that stands for a key: among 10^9 keys two agree with a
// chance below 10^-20.
type digest [16]byte

func digestOf(key []byte) digest {
	sum := sha256.Sum256(key)
	return digest(sum[:16])
}

// normalise makes texts that differ only in case, space or Unicode form equal:
// NFKC, lower case, runs of space as one.
func normalise(s string) string {
	return strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(s))), " ")
}
