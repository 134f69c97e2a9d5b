package parquet

import (
	"os"
	"path/filepath"
	"testing"

	"penstock.dev/data"
)

// typeFiles were written by other libraries: testdata/make_types.py.
var typeFiles = []string{"testdata/pyarrow.parquet", "testdata/pyarrow_old.parquet", "testdata/duckdb.parquet"}

// readAll reads all rows of a file.
func readAll(t *testing.T, path string) (*data.Schema, [][]data.Value) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows [][]data.Value
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(row int64, values []data.Value) error {
		if row != int64(len(rows)) {
			t.Fatalf("row %d comes after %d rows", row, len(rows))
		}
		rows = append(rows, values)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(rows)) != f.Rows() {
		t.Fatalf("%d rows, want %d", len(rows), f.Rows())
	}
	return f.Schema(), rows
}

func writeAll(t *testing.T, path string, schema *data.Schema, o Options, rows [][]data.Value) {
	t.Helper()
	w, err := NewWriter(path, schema, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	n, bytes, err := w.Close()
	if err != nil || n != int64(len(rows)) {
		t.Fatalf("%d rows, %v", n, err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != bytes {
		t.Fatalf("%d bytes, file %v, %v", bytes, info, err)
	}
}

func checkRows(t *testing.T, schema *data.Schema, got, want [][]data.Value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		for j := range want[i] {
			if !got[i][j].Equal(want[i][j]) {
				f := schema.Field(j)
				t.Errorf("row %d, %s: %s, want %s", i, f.Name, data.Format(got[i][j], f.Type, 80), data.Format(want[i][j], f.Type, 80))
			}
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, path := range typeFiles {
		for _, compression := range Compressions {
			t.Run(filepath.Base(path)+"/"+compression, func(t *testing.T) {
				schema, want := readAll(t, path)
				copied := filepath.Join(t.TempDir(), "copy.parquet")
				writeAll(t, copied, schema, Options{Compression: compression, RowsPerGroup: 3}, want)
				again, got := readAll(t, copied)
				if !again.Equal(schema) {
					t.Errorf("schema\n%s\nwant\n%s", again, schema)
				}
				checkRows(t, schema, got, want)
			})
		}
	}
}

func TestTypes(t *testing.T) {
	want := map[string]string{
		"int8": "int8", "int32": "int32", "int64": "int64", "uint64": "uint64",
		"float16": "float16", "decimal9": "decimal(9,2)/flba4", "decimal38": "decimal(38,10)/flba16",
		"date": "date", "time_ms": "time(ms,local)", "time_us": "time(us,local)", "time_ns": "time(ns,local)",
		"timestamp_ms": "timestamp(ms)", "timestamp_us": "timestamp", "timestamp_ns": "timestamp(ns)",
		"string": "string", "binary": "bytes", "fixed": "fixed(5)", "null": "null",
		"list": "list<int32>", "vector": "list<float32>", "list_list": "list<list<string>>",
		"struct": "struct<x: float64, y: int32>", "list_struct": "list<struct<x: float64, y: int32>>",
		"map": "map<string, int64>", "map_struct": "map<int32, struct<x: float64, tags: list<string>>>",
	}
	schema, _ := readAll(t, "testdata/pyarrow.parquet")
	for name, typ := range want {
		f, ok := schema.Lookup(name)
		if !ok || f.Type.String() != typ || !f.Nullable {
			t.Errorf("%s: %s (nullable %v), want %s", name, f.Type, f.Nullable, typ)
		}
	}
	if f, _ := schema.Lookup("required"); f.Nullable {
		t.Error("required: nullable")
	}
	duck, _ := readAll(t, "testdata/duckdb.parquet")
	for name, typ := range map[string]string{
		"decimal4": "decimal(4,1)/int32", "decimal18": "decimal(18,2)/int64", "decimal38": "decimal(38,2)/flba16",
		"interval": "interval", "uuid": "uuid", "json": "json", "blob": "bytes", "time": "time(us,local)",
	} {
		if f, _ := duck.Lookup(name); f.Type.String() != typ {
			t.Errorf("duckdb %s: %s, want %s", name, f.Type, typ)
		}
	}
}

// The values that testdata/make_types.py wrote.
func TestValues(t *testing.T) {
	schema, rows := readAll(t, "testdata/pyarrow.parquet")
	null := data.Value{}
	i := data.Int64Value
	s := data.StringValue
	list := func(v ...data.Value) data.Value { return data.ListValue(v) }
	point := func(x, y data.Value) data.Value { return data.StructValue([]data.Value{x, y}) }
	entry := func(k, v data.Value) data.Entry { return data.Entry{Key: k, Value: v} }
	want := map[string][]data.Value{
		"uint32":       {i(0), i(1<<32 - 1), i(1), null},
		"uint64":       {i(0), i(-1), i(1), null},
		"int64":        {i(-1 << 63), i(1<<63 - 1), i(0), null},
		"decimal9":     {data.BytesValue([]byte{0xf8, 0xa4, 0x32, 0xeb}), data.BytesValue([]byte{0, 0, 0, 1}), data.BytesValue([]byte{0, 0, 0, 0}), null},
		"date":         {i(19782), i(-719162), i(2932896), null},
		"time_ms":      {i(3723004), i(0), i(86399999), null},
		"timestamp_ns": {data.TimestampValue(-1, data.Nano), data.TimestampValue(0, data.Nano), data.TimestampValue(1<<63-1, data.Nano), null},
		"string":       {s(""), s("naïve 🌊"), s(string(bytesOf('a', 300))), null},
		"dictionary":   {s("a"), s("b"), s("a"), null},
		"null":         {null, null, null, null},
		"list":         {list(i(1), null, i(3)), list(), list(null), null},
		"vector":       {list(data.Float32Value(1.5), data.Float32Value(-2.5)), list(), list(data.Float32Value(0.1)), null},
		"list_list":    {list(list(s("a"), null), null, list()), list(), list(list()), null},
		"list_struct":  {list(point(data.Float64Value(1), i(2)), null), list(), list(null), null},
		"map": {data.MapValue([]data.Entry{entry(s("a"), i(1)), entry(s("b"), null)}), data.MapValue([]data.Entry{}),
			data.MapValue([]data.Entry{entry(s(""), i(3))}), null},
		"map_struct": {data.MapValue([]data.Entry{entry(i(1), point(data.Float64Value(1), list(s("t"), null))), entry(i(2), null)}),
			data.MapValue([]data.Entry{}), data.MapValue([]data.Entry{entry(i(3), point(data.Float64Value(0), null))}), null},
		"required": {i(1), i(2), i(3), i(4)},
	}
	for name, column := range want {
		at := schema.Index(name)
		for row, v := range column {
			if !rows[row][at].Equal(v) {
				t.Errorf("row %d, %s: %s, want %s", row, name, data.Format(rows[row][at], schema.Field(at).Type, 80), data.Format(v, schema.Field(at).Type, 80))
			}
		}
	}
}

func bytesOf(b byte, n int) []byte {
	s := make([]byte, n)
	for i := range s {
		s[i] = b
	}
	return s
}

// Dates that nanoseconds cannot hold survive in INT96.
func TestInt96(t *testing.T) {
	schema, rows := readAll(t, "testdata/pyarrow_old.parquet")
	at := schema.Index("int96")
	if f := schema.Field(at); f.Type.Logical != "int96" {
		t.Fatalf("int96 is %+v", f.Type)
	}
	for row, want := range []string{"1911-12-14T00:00:00Z", "0001-01-01T00:00:00Z", "2024-02-29T12:34:56.789012Z", "null"} {
		if got := data.Format(rows[row][at], schema.Field(at).Type, 80); got != want {
			t.Errorf("row %d: %s, want %s", row, got, want)
		}
	}
}

func TestProjection(t *testing.T) {
	schema, all := readAll(t, typeFiles[0])
	f, err := Open(typeFiles[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	columns := []string{"map_struct", "string", "list"}
	err = f.Read(t.Context(), 1, 2, columns, func(row int64, values []data.Value) error {
		if row != 3 {
			t.Errorf("row %d in the second row group", row)
		}
		for i, name := range columns {
			if !values[i].Equal(all[row][schema.Index(name)]) {
				t.Errorf("row %d: %s differs", row, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := f.Read(t.Context(), 0, 1, []string{"strin"}, nil); err == nil {
		t.Error("a column that is not there was read")
	}
}
