package parquet

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"penstock.dev/data"
)

// scalar is how values of a type without parts are stored in a column.
type scalar struct {
	column parquet.Type
	decode func(v *parquet.Value) data.Value
	encode func(v data.Value) (parquet.Value, error)
	// bounded says that the smallest and largest value, by the library's order,
	// are what readers expect them to be, so that they may be written.
	bounded bool
}

// columnType is a physical type of the library with the annotation of a logical
// type.
type columnType struct {
	parquet.Type
	logical   format.LogicalType
	converted *deprecated.ConvertedType
}

func (t *columnType) LogicalType() *format.LogicalType         { return &t.logical }
func (t *columnType) ConvertedType() *deprecated.ConvertedType { return t.converted }

// annotate makes a column type, without annotation if logical is nil; the
// converted type is for older readers.
func annotate(t parquet.Type, logical format.LogicalTypeValue, converted ...deprecated.ConvertedType) parquet.Type {
	c := &columnType{Type: t, logical: format.LogicalType{Value: logical}}
	if len(converted) > 0 {
		c.converted = &converted[0]
	}
	return c
}

// scalarOf tells how a type is stored. A logical type that is not of this
// package is stored as its kind.
func scalarOf(t data.Type) (*scalar, error) {
	if s := logicalScalar(t); s != nil {
		return s, nil
	}
	switch t.Kind {
	case data.Bool:
		return &scalar{parquet.BooleanType, decodeBool, encodeBool, true}, nil
	case data.Int64:
		return int64Scalar(annotate(parquet.Int64Type, nil)), nil
	case data.Float32:
		return &scalar{parquet.FloatType, decodeFloat, encodeFloat, true}, nil
	case data.Float64:
		return &scalar{parquet.DoubleType, decodeDouble, encodeDouble, true}, nil
	case data.String:
		return stringScalar(parquet.String().Type()), nil
	case data.Bytes:
		return bytesScalar(parquet.ByteArrayType), nil
	case data.Timestamp:
		return timestampScalar(t), nil
	}
	return nil, fmt.Errorf("a %s cannot be stored as one", t)
}

func logicalScalar(t data.Type) *scalar {
	switch t.Kind {
	case data.Int64:
		return logicalInt(t.Logical)
	case data.String:
		switch t.Logical {
		case "enum":
			return stringScalar(parquet.Enum().Type())
		case "json":
			return stringScalar(parquet.JSON().Type())
		}
	case data.Bytes:
		return logicalBytes(t.Logical)
	case data.Timestamp:
		if t.Logical == "int96" {
			return &scalar{parquet.Int96Type, decodeInt96, encodeInt96, false}
		}
	}
	return nil
}

func logicalInt(logical string) *scalar {
	switch logical {
	case "int8":
		return int32Scalar(parquet.Int(8).Type(), math.MinInt8, math.MaxInt8)
	case "int16":
		return int32Scalar(parquet.Int(16).Type(), math.MinInt16, math.MaxInt16)
	case "int32":
		return int32Scalar(annotate(parquet.Int32Type, nil), math.MinInt32, math.MaxInt32)
	case "uint8":
		return int32Scalar(parquet.Uint(8).Type(), 0, math.MaxUint8)
	case "uint16":
		return int32Scalar(parquet.Uint(16).Type(), 0, math.MaxUint16)
	case "uint32":
		return int32Scalar(parquet.Uint(32).Type(), 0, math.MaxUint32)
	case "uint64":
		return int64Scalar(parquet.Uint(64).Type())
	case "date":
		return int32Scalar(annotate(parquet.Int32Type, new(format.DateType), deprecated.Date), math.MinInt32, math.MaxInt32)
	case "null":
		s := int32Scalar(annotate(parquet.Int32Type, new(format.NullType)), 0, 0)
		s.encode = func(data.Value) (parquet.Value, error) {
			return parquet.Value{}, errors.New("the column's type is null, which has no other value")
		}
		return s
	}
	if d, storage, ok := parseDecimal(logical); ok {
		switch storage {
		case "int32":
			return int32Scalar(annotate(parquet.Int32Type, &d, deprecated.Decimal), math.MinInt32, math.MaxInt32)
		case "int64":
			return int64Scalar(annotate(parquet.Int64Type, &d, deprecated.Decimal))
		}
	}
	return logicalTime(logical)
}

func logicalTime(logical string) *scalar {
	inner, isTime := strings.CutPrefix(logical, "time(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !isTime || !closed {
		return nil
	}
	inner, local := strings.CutSuffix(inner, ",local")
	for _, unit := range []data.Unit{data.Milli, data.Micro, data.Nano} {
		if inner != unit.String() {
			continue
		}
		t := &format.TimeType{IsAdjustedToUTC: !local, Unit: formatUnit(unit)}
		switch {
		case unit == data.Milli && !local:
			return int32Scalar(annotate(parquet.Int32Type, t, deprecated.TimeMillis), math.MinInt32, math.MaxInt32)
		case unit == data.Milli:
			return int32Scalar(annotate(parquet.Int32Type, t), math.MinInt32, math.MaxInt32)
		case unit == data.Micro && !local:
			return int64Scalar(annotate(parquet.Int64Type, t, deprecated.TimeMicros))
		}
		return int64Scalar(annotate(parquet.Int64Type, t))
	}
	return nil
}

func logicalBytes(logical string) *scalar {
	switch logical {
	case "bson":
		return bytesScalar(parquet.BSON().Type())
	case "uuid":
		return fixedScalar(annotate(parquet.FixedLenByteArrayType(16), new(format.UUIDType)), 16)
	case "float16":
		return fixedScalar(annotate(parquet.FixedLenByteArrayType(2), new(format.Float16Type)), 2)
	case "interval":
		return fixedScalar(annotate(parquet.FixedLenByteArrayType(12), nil, deprecated.Interval), 12)
	case "geometry":
		return bytesScalar(annotate(parquet.ByteArrayType, new(format.GeometryType)))
	}
	if crs, ok := strings.CutPrefix(logical, "geometry("); ok {
		return bytesScalar(annotate(parquet.ByteArrayType, &format.GeometryType{CRS: strings.TrimSuffix(crs, ")")}))
	}
	if n, ok := parseLength(logical, "fixed(", ")"); ok {
		return fixedScalar(parquet.FixedLenByteArrayType(n), n)
	}
	if d, storage, ok := parseDecimal(logical); ok {
		if storage == "bytes" {
			return bytesScalar(annotate(parquet.ByteArrayType, &d, deprecated.Decimal))
		}
		if n, ok := parseLength(storage, "flba", ""); ok {
			return fixedScalar(annotate(parquet.FixedLenByteArrayType(n), &d, deprecated.Decimal), n)
		}
	}
	return nil
}

func decodeBool(v *parquet.Value) data.Value   { return data.BoolValue(v.Boolean()) }
func decodeFloat(v *parquet.Value) data.Value  { return data.Float32Value(v.Float()) }
func decodeDouble(v *parquet.Value) data.Value { return data.Float64Value(v.Double()) }

func encodeBool(v data.Value) (parquet.Value, error) {
	return parquet.BooleanValue(v.Bool()), wantKind(v, data.Bool)
}

func encodeFloat(v data.Value) (parquet.Value, error) {
	return parquet.FloatValue(v.Float32()), wantKind(v, data.Float32)
}

func encodeDouble(v data.Value) (parquet.Value, error) {
	return parquet.DoubleValue(v.Float64()), wantKind(v, data.Float64)
}

func int64Scalar(t parquet.Type) *scalar {
	return &scalar{
		column: t,
		decode: func(v *parquet.Value) data.Value { return data.Int64Value(v.Int64()) },
		encode: func(v data.Value) (parquet.Value, error) {
			return parquet.Int64Value(v.Int64()), wantKind(v, data.Int64)
		},
		bounded: true,
	}
}

// int32Scalar stores integers from low to high in 32 bits; those that may exceed
// 2³¹-1 are unsigned.
func int32Scalar(t parquet.Type, low, high int64) *scalar {
	decode := func(v *parquet.Value) data.Value { return data.Int64Value(int64(v.Int32())) }
	if high > math.MaxInt32 {
		decode = func(v *parquet.Value) data.Value { return data.Int64Value(int64(v.Uint32())) }
	}
	encode := func(v data.Value) (parquet.Value, error) {
		i := v.Int64()
		if i < low || i > high {
			return parquet.Value{}, fmt.Errorf("%d is not between %d and %d", i, low, high)
		}
		return parquet.Int32Value(int32(i)), wantKind(v, data.Int64)
	}
	return &scalar{t, decode, encode, true}
}

// Strings and bytes are copied, so that a row which is kept does not keep the
// page it came from.

func stringScalar(t parquet.Type) *scalar {
	return &scalar{
		column: t,
		decode: func(v *parquet.Value) data.Value { return data.StringValue(string(v.ByteArray())) },
		encode: func(v data.Value) (parquet.Value, error) {
			return parquet.ByteArrayValue(v.Bytes()), wantKind(v, data.String)
		},
	}
}

func bytesScalar(t parquet.Type) *scalar {
	return &scalar{
		column: t,
		decode: decodeBytes,
		encode: func(v data.Value) (parquet.Value, error) {
			return parquet.ByteArrayValue(v.Bytes()), wantKind(v, data.Bytes)
		},
	}
}

func fixedScalar(t parquet.Type, n int) *scalar {
	encode := func(v data.Value) (parquet.Value, error) {
		b := v.Bytes()
		if len(b) != n && v.Kind() == data.Bytes {
			return parquet.Value{}, fmt.Errorf("%d bytes where %d belong", len(b), n)
		}
		return parquet.FixedLenByteArrayValue(b), wantKind(v, data.Bytes)
	}
	return &scalar{column: t, decode: decodeBytes, encode: encode}
}

func decodeBytes(v *parquet.Value) data.Value {
	return data.BytesValue(append(make([]byte, 0, len(v.ByteArray())), v.ByteArray()...))
}

func wantKind(v data.Value, want data.Kind) error {
	if v.Kind() != want {
		return fmt.Errorf("a value of kind %s where %s belongs", v.Kind(), want)
	}
	return nil
}
