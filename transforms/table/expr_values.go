package table

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// celType is the type of a column's variable; false if expressions cannot read
// such columns. Scalars may be null.
func celType(t data.Type) (*cel.Type, bool) {
	if !isPlain(t) {
		return nil, false
	}
	switch t.Kind {
	case data.Bool:
		return cel.NullableType(cel.BoolType), true
	case data.Int64:
		return cel.NullableType(cel.IntType), true
	case data.Float32, data.Float64:
		return cel.NullableType(cel.DoubleType), true
	case data.String:
		return cel.NullableType(cel.StringType), true
	case data.Bytes:
		return cel.NullableType(cel.BytesType), true
	case data.Timestamp:
		return cel.NullableType(cel.TimestampType), true
	case data.List:
		elem, ok := celType(*t.Elem)
		return cel.ListType(elem), ok
	case data.Struct:
		return cel.MapType(cel.StringType, cel.DynType), true
	case data.Map:
		return cel.MapType(cel.DynType, cel.DynType), true
	}
	return nil, false
}

// isPlain reports whether values mean what their kind says: decimals are held
// unscaled, and large unsigned integers as negative ones.
func isPlain(t data.Type) bool {
	return !strings.HasPrefix(t.Logical, "decimal") && t.Logical != "uint64"
}

func readable(t data.Type) bool {
	_, ok := celType(t)
	return ok
}

// toCEL lends a value of type t to an expression.
func toCEL(v data.Value, t data.Type) ref.Val {
	switch v.Kind() {
	case data.Bool:
		return types.Bool(v.Bool())
	case data.Int64:
		return types.Int(v.Int64())
	case data.Float32, data.Float64:
		return types.Double(v.Float64())
	case data.String:
		return types.String(v.Text())
	case data.Bytes:
		return types.Bytes(v.Bytes())
	case data.Timestamp:
		return types.Timestamp{Time: v.Time()}
	case data.List:
		elems := make([]ref.Val, len(v.List()))
		for i, e := range v.List() {
			elems[i] = toCEL(e, *t.Elem)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, elems)
	case data.Struct:
		fields := make(map[ref.Val]ref.Val, len(t.Fields))
		for i, e := range v.Struct() {
			fields[types.String(t.Fields[i].Name)] = toCEL(e, t.Fields[i].Type)
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, fields)
	case data.Map:
		entries := make(map[ref.Val]ref.Val, len(v.Map()))
		for _, e := range v.Map() {
			switch e.Key.Kind() {
			case data.Bool, data.Int64, data.String:
				entries[toCEL(e.Key, *t.Key)] = toCEL(e.Value, *t.Elem)
			}
		}
		return types.NewRefValMap(types.DefaultTypeAdapter, entries)
	}
	return types.NullValue
}

// columnType is the type of a column that holds the results of an expression;
// false if no column can.
func columnType(t *cel.Type) (column data.Type, ok bool) {
	switch t.Kind() {
	case types.BoolKind:
		return data.BoolType, true
	case types.IntKind, types.UintKind:
		return data.Int64Type, true
	case types.DoubleKind:
		return data.Float64Type, true
	case types.StringKind:
		return data.StringType, true
	case types.BytesKind:
		return data.BytesType, true
	case types.TimestampKind:
		return data.TimestampType, true
	case types.ListKind:
		elem, ok := columnType(t.Parameters()[0])
		return data.ListOf(elem, true), ok
	case types.MapKind:
		key, keyOK := columnType(t.Parameters()[0])
		value, valueOK := columnType(t.Parameters()[1])
		return data.Type{Kind: data.Map, Key: &key, Elem: &value, Nullable: true}, keyOK && valueOK
	}
	return data.Type{}, false
}

// typeName is the type in the words of messages.
func typeName(t *cel.Type) string { return plainTypes(t.String()) }

// fromCEL takes over a result.
func fromCEL(v ref.Val) (data.Value, error) {
	switch v := v.(type) {
	case types.Null:
		return data.Value{}, nil
	case types.Bool:
		return data.BoolValue(bool(v)), nil
	case types.Int:
		return data.Int64Value(int64(v)), nil
	case types.Uint:
		if v > math.MaxInt64 {
			return data.Value{}, transforms.Reject("expression", "%d exceeds the largest int64", uint64(v))
		}
		return data.Int64Value(int64(v)), nil
	case types.Double:
		return data.Float64Value(float64(v)), nil
	case types.String:
		return data.StringValue(string(v)), nil
	case types.Bytes:
		return data.BytesValue([]byte(v)), nil
	case types.Timestamp:
		return data.TimeValue(v.Time), nil
	case traits.Lister:
		return listFromCEL(v)
	case traits.Mapper:
		return mapFromCEL(v)
	}
	return data.Value{}, transforms.Reject("expression", "a result of type %s has no column type", v.Type().TypeName())
}

func listFromCEL(l traits.Lister) (data.Value, error) {
	n := int(l.Size().(types.Int))
	elems := make([]data.Value, n)
	for i := range elems {
		e, err := fromCEL(l.Get(types.Int(i)))
		if err != nil {
			return data.Value{}, err
		}
		elems[i] = e
	}
	return data.ListValue(elems), nil
}

// mapFromCEL sorts the entries by key, for CEL keeps no order.
func mapFromCEL(m traits.Mapper) (data.Value, error) {
	var entries []data.Entry
	for it := m.Iterator(); it.HasNext() == types.True; {
		k := it.Next()
		key, err := fromCEL(k)
		if err != nil {
			return data.Value{}, err
		}
		value, err := fromCEL(m.Get(k))
		if err != nil {
			return data.Value{}, err
		}
		entries = append(entries, data.Entry{Key: key, Value: value})
	}
	slices.SortFunc(entries, func(a, b data.Entry) int {
		return cmp.Or(cmp.Compare(a.Key.Kind(), b.Key.Kind()), data.Compare(a.Key, b.Key))
	})
	return data.MapValue(entries), nil
}
