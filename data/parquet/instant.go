package parquet

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// timestampScalar stores ticks of the type's unit; seconds, which Parquet lacks,
// as milliseconds.
func timestampScalar(t data.Type) *scalar {
	unit := t.Unit
	if unit == data.Second {
		unit = data.Milli
	}
	logical := &format.TimestampType{IsAdjustedToUTC: !t.Local, Unit: formatUnit(unit)}
	column := annotate(parquet.Int64Type, logical)
	switch {
	case unit == data.Milli && !t.Local:
		column = annotate(parquet.Int64Type, logical, deprecated.TimestampMillis)
	case unit == data.Micro && !t.Local:
		column = annotate(parquet.Int64Type, logical, deprecated.TimestampMicros)
	}
	return &scalar{
		column: column,
		decode: func(v *parquet.Value) data.Value { return data.TimestampValue(v.Int64(), unit) },
		encode: func(v data.Value) (parquet.Value, error) {
			if err := wantKind(v, data.Timestamp); err != nil {
				return parquet.Value{}, err
			}
			ticks, err := inUnit(v, unit)
			return parquet.Int64Value(ticks), err
		},
		bounded: true,
	}
}

func perSecond(u data.Unit) int64 {
	switch u {
	case data.Second:
		return 1
	case data.Milli:
		return 1e3
	case data.Nano:
		return 1e9
	}
	return 1e6
}

// inUnit is a time in ticks of a unit; it is an error if it cannot be said in it.
func inUnit(v data.Value, unit data.Unit) (int64, error) {
	from, to, ticks := perSecond(v.Unit()), perSecond(unit), v.Int64()
	switch {
	case from == to:
		return ticks, nil
	case from < to:
		n := to / from
		if ticks > math.MaxInt64/n || ticks < math.MinInt64/n {
			return 0, fmt.Errorf("the time %v is out of the range of %s", v.Time(), unit)
		}
		return ticks * n, nil
	case ticks%(from/to) != 0:
		return 0, fmt.Errorf("the time %v is finer than %s", v.Time(), unit)
	}
	return ticks / (from / to), nil
}

// INT96 holds the nanoseconds of a day and the Julian day number.
const (
	julianEpoch = 2440588 // of 1970-01-01
	nanosPerDay = 86400e9
)

func decodeInt96(v *parquet.Value) data.Value {
	i := v.Int96()
	nanos := int64(uint64(i[1])<<32 | uint64(i[0]))
	days := int64(int32(i[2])) - julianEpoch
	if ticks, ok := mulAdd(days, nanosPerDay, nanos); ok {
		return data.TimestampValue(ticks, data.Nano)
	}
	return data.TimestampValue(days*(nanosPerDay/1000)+nanos/1000, data.Micro)
}

// mulAdd is a·b + c, if that does not overflow; b is positive.
func mulAdd(a, b, c int64) (int64, bool) {
	high, low := bits.Mul64(uint64(max(a, -a)), uint64(b))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	product := a * b
	sum := product + c
	return sum, (sum > product) == (c > 0)
}

func encodeInt96(v data.Value) (parquet.Value, error) {
	if err := wantKind(v, data.Timestamp); err != nil {
		return parquet.Value{}, err
	}
	perDay := perSecond(v.Unit()) * 86400
	days, rest := v.Int64()/perDay, v.Int64()%perDay
	if rest < 0 {
		days, rest = days-1, rest+perDay
	}
	julian := days + julianEpoch
	if julian < math.MinInt32 || julian > math.MaxInt32 {
		return parquet.Value{}, fmt.Errorf("the time %v is out of the range of int96", v.Time())
	}
	nanos := uint64(rest * (1e9 / perSecond(v.Unit())))
	return parquet.Int96Value(deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(int32(julian))}), nil
}
