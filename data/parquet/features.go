package parquet

import (
	"encoding/json"
	"fmt"
	"slices"

	"penstock.dev/data"
)

// featuresKey is the metadata key under which Hugging Face datasets keep the
// types of the columns.
const featuresKey = "huggingface"

// originsKey is the metadata key that holds the origins of the columns which have
// one, as a JSON object by name.
const originsKey = "penstock.origins"

// origins are the origins of the columns as metadata; ok is false if none has one.
func origins(s *data.Schema) (text string, ok bool) {
	m := map[string]string{}
	for _, f := range s.Fields() {
		if f.Origin != "" {
			m[f.Name] = f.Origin
		}
	}
	b, err := json.Marshal(m)
	return string(b), err == nil && len(m) > 0
}

// withOrigins gives fields the origins that metadata holds, if it does.
func withOrigins(fields []data.Field, metadata map[string]string) []data.Field {
	var m map[string]string
	if json.Unmarshal([]byte(metadata[originsKey]), &m) != nil {
		return fields
	}
	fields = slices.Clone(fields)
	for i := range fields {
		fields[i].Origin = m[fields[i].Name]
	}
	return fields
}

// features describes the columns in the notation of Hugging Face datasets; ok is
// false if a column's type cannot be said in it.
func features(s *data.Schema) (text string, ok bool) {
	f, ok := structFeatures(s.Fields())
	if !ok {
		return "", false
	}
	b, err := json.Marshal(map[string]any{"info": map[string]any{"features": f}})
	return string(b), err == nil
}

func structFeatures(fields []data.Field) (map[string]any, bool) {
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		feature, ok := feature(f.Type)
		if !ok {
			return nil, false
		}
		m[f.Name] = feature
	}
	return m, true
}

func feature(t data.Type) (any, bool) {
	switch t.Kind {
	case data.Struct:
		return structFeatures(t.Fields)
	case data.List, data.Tensor:
		elem, ok := feature(*t.Elem)
		if t.Elem.Kind == data.Struct {
			return []any{elem}, ok // a Sequence of structs would mean a struct of lists
		}
		return map[string]any{"_type": "Sequence", "feature": elem}, ok
	case data.Map:
		return nil, false
	}
	dtype, ok := featureType(t)
	return map[string]any{"_type": "Value", "dtype": dtype}, ok
}

// featureType is Arrow's name of a scalar type.
func featureType(t data.Type) (string, bool) {
	switch t.Kind {
	case data.Timestamp:
		unit := t.Unit.String()
		if t.Unit == data.Second {
			unit = "ms"
		}
		if t.Local {
			return "timestamp[" + unit + "]", true
		}
		return "timestamp[" + unit + ", tz=UTC]", true
	case data.String:
		return "string", true
	}
	if d, _, ok := parseDecimal(t.Logical); ok {
		return fmt.Sprintf("decimal128(%d, %d)", d.Precision, d.Scale), d.Precision <= 38
	}
	switch t.Logical {
	case "":
		return map[data.Kind]string{data.Bool: "bool", data.Int64: "int64", data.Float32: "float32", data.Float64: "float64", data.Bytes: "binary"}[t.Kind], true
	case "int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "null", "float16":
		return t.Logical, true
	case "date":
		return "date32", true
	case "time(ms)", "time(ms,local)":
		return "time32[ms]", true
	case "time(us)", "time(us,local)":
		return "time64[us]", true
	case "time(ns)", "time(ns,local)":
		return "time64[ns]", true
	case "bson", "geometry":
		return "binary", true
	}
	return "", false
}
