package parquet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// scalarType is the type of a leaf of a file's schema: its logical type, or the
// converted type that older writers gave instead, or the physical type alone.
func scalarType(e *format.SchemaElement) (data.Type, error) {
	if t, ok := annotated(e); ok {
		return t, nil
	}
	if t, ok := converted(e); ok {
		return t, nil
	}
	return physicalType(e)
}

func physicalType(e *format.SchemaElement) (data.Type, error) {
	switch e.Type.V {
	case format.Boolean:
		return data.BoolType, nil
	case format.Int32:
		return data.Type{Kind: data.Int64, Logical: "int32"}, nil
	case format.Int64:
		return data.Int64Type, nil
	case format.Int96:
		return data.Type{Kind: data.Timestamp, Logical: "int96", Unit: data.Nano, Local: true}, nil
	case format.Float:
		return data.Float32Type, nil
	case format.Double:
		return data.Float64Type, nil
	case format.ByteArray:
		return data.BytesType, nil
	case format.FixedLenByteArray:
		if n := e.TypeLength.V; n > 0 && n <= maxFixed {
			return data.Type{Kind: data.Bytes, Logical: fmt.Sprintf("fixed(%d)", n)}, nil
		}
		return data.Type{}, fmt.Errorf("damaged: fixed-length bytes of length %d", e.TypeLength.V)
	}
	return data.Type{}, fmt.Errorf("unknown physical type %v", e.Type.V)
}

// maxFixed bounds the length of fixed-length bytes.
const maxFixed = 1 << 20

// annotated reads the logical type. An annotation that does not fit the physical
// type, or that is newer than this package, is ignored.
func annotated(e *format.SchemaElement) (data.Type, bool) {
	switch t := e.LogicalType.Value.(type) {
	case *format.StringType:
		return data.StringType, e.Type.V == format.ByteArray
	case *format.EnumType:
		return data.Type{Kind: data.String, Logical: "enum"}, e.Type.V == format.ByteArray
	case *format.JsonType:
		return data.Type{Kind: data.String, Logical: "json"}, e.Type.V == format.ByteArray
	case *format.BsonType:
		return data.Type{Kind: data.Bytes, Logical: "bson"}, e.Type.V == format.ByteArray
	case *format.GeometryType:
		name := "geometry"
		if t.CRS != "" {
			name += "(" + t.CRS + ")"
		}
		return data.Type{Kind: data.Bytes, Logical: name}, e.Type.V == format.ByteArray
	case *format.UUIDType:
		return data.Type{Kind: data.Bytes, Logical: "uuid"}, isFixed(e, 16)
	case *format.Float16Type:
		return data.Type{Kind: data.Bytes, Logical: "float16"}, isFixed(e, 2)
	case *format.NullType:
		return data.Type{Kind: data.Int64, Logical: "null"}, e.Type.V == format.Int32
	case *format.DateType:
		return data.Type{Kind: data.Int64, Logical: "date"}, e.Type.V == format.Int32
	case *format.IntType:
		return integer(e, int(t.BitWidth), t.IsSigned)
	case *format.DecimalType:
		return decimal(e, t.Precision, t.Scale)
	case *format.TimeType:
		return timeOfDay(e, unitOf(t.Unit), !t.IsAdjustedToUTC)
	case *format.TimestampType:
		unit := unitOf(t.Unit)
		return data.Type{Kind: data.Timestamp, Unit: unit, Local: !t.IsAdjustedToUTC}, e.Type.V == format.Int64 && unit != data.Second
	}
	return data.Type{}, false
}

// converted reads the type annotation that logical types superseded.
func converted(e *format.SchemaElement) (data.Type, bool) {
	if !e.ConvertedType.Valid {
		return data.Type{}, false
	}
	switch e.ConvertedType.V {
	case deprecated.UTF8:
		return data.StringType, e.Type.V == format.ByteArray
	case deprecated.Enum:
		return data.Type{Kind: data.String, Logical: "enum"}, e.Type.V == format.ByteArray
	case deprecated.Json:
		return data.Type{Kind: data.String, Logical: "json"}, e.Type.V == format.ByteArray
	case deprecated.Bson:
		return data.Type{Kind: data.Bytes, Logical: "bson"}, e.Type.V == format.ByteArray
	case deprecated.Interval:
		return data.Type{Kind: data.Bytes, Logical: "interval"}, isFixed(e, 12)
	case deprecated.Decimal:
		return decimal(e, e.Precision.V, e.Scale.V)
	case deprecated.Date:
		return data.Type{Kind: data.Int64, Logical: "date"}, e.Type.V == format.Int32
	case deprecated.TimeMillis:
		return timeOfDay(e, data.Milli, false)
	case deprecated.TimeMicros:
		return timeOfDay(e, data.Micro, false)
	case deprecated.TimestampMillis:
		return data.Type{Kind: data.Timestamp, Unit: data.Milli}, e.Type.V == format.Int64
	case deprecated.TimestampMicros:
		return data.Type{Kind: data.Timestamp, Unit: data.Micro}, e.Type.V == format.Int64
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return integer(e, 8<<(e.ConvertedType.V-deprecated.Uint8), false)
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return integer(e, 8<<(e.ConvertedType.V-deprecated.Int8), true)
	}
	return data.Type{}, false
}

func isFixed(e *format.SchemaElement, n int32) bool {
	return e.Type.V == format.FixedLenByteArray && e.TypeLength.V == n
}

func integer(e *format.SchemaElement, bits int, signed bool) (data.Type, bool) {
	fits := e.Type.V == format.Int32 && (bits == 8 || bits == 16 || bits == 32) || e.Type.V == format.Int64 && bits == 64
	if signed && bits == 64 {
		return data.Int64Type, fits
	}
	name := "uint"
	if signed {
		name = "int"
	}
	return data.Type{Kind: data.Int64, Logical: name + strconv.Itoa(bits)}, fits
}

func decimal(e *format.SchemaElement, precision, scale int32) (data.Type, bool) {
	if precision < 1 || scale < 0 || scale > precision {
		return data.Type{}, false
	}
	name := fmt.Sprintf("decimal(%d,%d)/", precision, scale)
	switch e.Type.V {
	case format.Int32:
		return data.Type{Kind: data.Int64, Logical: name + "int32"}, true
	case format.Int64:
		return data.Type{Kind: data.Int64, Logical: name + "int64"}, true
	case format.ByteArray:
		return data.Type{Kind: data.Bytes, Logical: name + "bytes"}, true
	case format.FixedLenByteArray:
		n := e.TypeLength.V
		return data.Type{Kind: data.Bytes, Logical: name + "flba" + strconv.Itoa(int(n))}, n > 0 && n <= maxFixed
	}
	return data.Type{}, false
}

func timeOfDay(e *format.SchemaElement, unit data.Unit, local bool) (data.Type, bool) {
	name := "time(" + unit.String()
	if local {
		name += ",local"
	}
	fits := unit == data.Milli && e.Type.V == format.Int32 ||
		(unit == data.Micro || unit == data.Nano) && e.Type.V == format.Int64
	return data.Type{Kind: data.Int64, Logical: name + ")"}, fits
}

// unitOf is Second, which Parquet lacks, for a unit that is missing or unknown.
func unitOf(u format.TimeUnit) data.Unit {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return data.Milli
	case *format.MicroSeconds:
		return data.Micro
	case *format.NanoSeconds:
		return data.Nano
	}
	return data.Second
}

func formatUnit(u data.Unit) format.TimeUnit {
	switch u {
	case data.Milli, data.Second:
		return format.TimeUnit{Value: new(format.MilliSeconds)}
	case data.Nano:
		return format.TimeUnit{Value: new(format.NanoSeconds)}
	}
	return format.TimeUnit{Value: new(format.MicroSeconds)}
}

// parseDecimal reads "decimal(38,10)/flba16".
func parseDecimal(logical string) (t format.DecimalType, storage string, ok bool) {
	inner, ok := strings.CutPrefix(logical, "decimal(")
	if !ok {
		return t, "", false
	}
	digits, storage, ok := strings.Cut(inner, ")/")
	if !ok {
		return t, "", false
	}
	precision, scale, ok := strings.Cut(digits, ",")
	p, err1 := strconv.ParseInt(precision, 10, 32)
	s, err2 := strconv.ParseInt(scale, 10, 32)
	t.Precision, t.Scale = int32(p), int32(s)
	return t, storage, ok && err1 == nil && err2 == nil
}

// parseLength reads the number between prefix and suffix: 16 in "fixed(16)".
func parseLength(logical, prefix, suffix string) (int, bool) {
	inner, ok := strings.CutPrefix(logical, prefix)
	if !ok {
		return 0, false
	}
	inner, ok = strings.CutSuffix(inner, suffix)
	n, err := strconv.Atoi(inner)
	return n, ok && err == nil && n > 0 && n <= maxFixed
}
