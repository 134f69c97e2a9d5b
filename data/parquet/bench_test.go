package parquet

import (
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/data"
)

var benchColumns = map[string]struct {
	typ   data.Type
	value func(i int) data.Value
	bytes int64
}{
	"int64": {data.Int64Type, func(i int) data.Value { return data.Int64Value(int64(i)) }, 8},
	"text 2 KB": {data.StringType, func(i int) data.Value {
		return data.StringValue(strings.Repeat("what flows in flows out ", 85))
	}, 2040},
	"vector 1024": {data.ListOf(data.Float32Type, false), func(i int) data.Value {
		v := make([]data.Value, 1024)
		for j := range v {
			v[j] = data.Float32Value(float32(i * j))
		}
		return data.ListValue(v)
	}, 4096},
}

const benchRows = 5000

func benchFile(b *testing.B, column string) (string, *data.Schema, [][]data.Value) {
	c := benchColumns[column]
	schema := data.MustSchema(data.Field{Name: "x", Type: c.typ, Nullable: true})
	rows := make([][]data.Value, benchRows)
	for i := range rows {
		rows[i] = []data.Value{c.value(i)}
	}
	path := filepath.Join(b.TempDir(), "x.parquet")
	b.SetBytes(benchRows * c.bytes)
	return path, schema, rows
}

func benchWrite(b *testing.B, path string, schema *data.Schema, rows [][]data.Value) {
	w, err := NewWriter(path, schema, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	for name := range benchColumns {
		b.Run(name, func(b *testing.B) {
			path, schema, rows := benchFile(b, name)
			for b.Loop() {
				benchWrite(b, path, schema, rows)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for name := range benchColumns {
		b.Run(name, func(b *testing.B) {
			path, schema, rows := benchFile(b, name)
			benchWrite(b, path, schema, rows)
			f, err := Open(path)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			for b.Loop() {
				err := f.Read(b.Context(), 0, len(f.RowGroups()), nil, func(int64, []data.Value) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
