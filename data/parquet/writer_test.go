package parquet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock.dev/data"
)

func TestRowsThatDoNotFit(t *testing.T) {
	elem := data.Type{Kind: data.Int64, Logical: "uint8"}
	schema := data.MustSchema(
		data.Field{Name: "id", Type: data.Int64Type},
		data.Field{Name: "list", Type: data.ListOf(elem, false), Nullable: true},
		data.Field{Name: "at", Type: data.Type{Kind: data.Timestamp, Unit: data.Milli}, Nullable: true},
		data.Field{Name: "fixed", Type: data.Type{Kind: data.Bytes, Logical: "fixed(2)"}, Nullable: true},
	)
	null := data.Value{}
	i := data.Int64Value
	good := []data.Value{i(1), data.ListValue([]data.Value{i(255)}), data.TimestampValue(5, data.Second), data.BytesValue([]byte("ab"))}
	bad := map[string][]data.Value{
		"column id: null, but the column is not nullable":                           {null, null, null, null},
		"column id: a value of kind string where int64 belongs":                     {data.StringValue("x"), null, null, null},
		"column list.list.element: 256 is not between 0 and 255":                    {i(1), data.ListValue([]data.Value{i(1), i(256)}), null, null},
		"column list.list.element: null, but":                                       {i(1), data.ListValue([]data.Value{null}), null, null},
		"column list: a value of kind int64 where list<uint8>":                      {i(1), i(1), null, null},
		"column at: the time 1970-01-01 00:00:00.000001 +0000 UTC is finer than ms": {i(1), null, data.TimestampValue(1, data.Micro), null},
		"column fixed: 3 bytes where 2 belong":                                      {i(1), null, null, data.BytesValue([]byte("abc"))},
		"1 values for 4 columns":                                                    {i(1)},
	}
	path := filepath.Join(t.TempDir(), "out.parquet")
	w, err := NewWriter(path, schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, row := range bad {
		if err := w.Write(good); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(row); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want …%s…", err, want)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, rows := readAll(t, path)
	stored := []data.Value{good[0], good[1], data.TimestampValue(5000, data.Milli), good[3]}
	want := make([][]data.Value, len(bad))
	for i := range want {
		want[i] = stored
	}
	checkRows(t, schema, rows, want)
}

func TestSchemasThatCannotBeWritten(t *testing.T) {
	for want, schema := range map[string]*data.Schema{
		"at least one column":                data.MustSchema(),
		"column s: a struct without fields":  data.MustSchema(data.Field{Name: "s", Type: data.Type{Kind: data.Struct}}),
		"column n: a null cannot be stored":  data.MustSchema(data.Field{Name: "n"}),
		"column l.list.element: a null cann": data.MustSchema(data.Field{Name: "l", Type: data.ListOf(data.Type{}, true)}),
	} {
		if err := CanWrite(schema); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want …%s…", err, want)
		}
	}
}

func TestTensorsAreLists(t *testing.T) {
	tensor := data.Type{Kind: data.Tensor, Elem: &data.Float32Type, Shape: []int{2, 2}}
	path := filepath.Join(t.TempDir(), "out.parquet")
	writeAll(t, path, data.MustSchema(data.Field{Name: "x", Type: tensor, Nullable: true}), Options{}, [][]data.Value{
		{data.TensorValue(&data.Array{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}})},
		{data.Value{}},
		{data.TensorValue(&data.Array{Shape: []int{0}, Data: []float32{}})},
	})
	schema, rows := readAll(t, path)
	if got := schema.String(); got != "x: list<float32>" {
		t.Error(got)
	}
	f := data.Float32Value
	checkRows(t, schema, rows, [][]data.Value{{data.ListValue([]data.Value{f(1), f(2), f(3), f(4)})}, {data.Value{}}, {data.ListValue(nil)}})
}

func TestRowGroupsAndMetadata(t *testing.T) {
	schema := data.MustSchema(data.Field{Name: "text", Type: data.StringType})
	row := func(n int) []data.Value { return []data.Value{data.StringValue(strings.Repeat("x", n))} }
	path := filepath.Join(t.TempDir(), "out.parquet")
	var rows [][]data.Value
	for range 25 {
		rows = append(rows, row(100))
	}
	writeAll(t, path, schema, Options{RowsPerGroup: 10, Metadata: map[string]string{"penstock.version": "1"}, Features: true}, rows)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := fmt.Sprint(len(f.RowGroups()), f.RowGroups()[2].Rows); got != "3 5" {
		t.Errorf("row groups %v", f.RowGroups())
	}
	want := map[string]string{"penstock.version": "1", "huggingface": `{"info":{"features":{"text":{"_type":"Value","dtype":"string"}}}}`}
	if diff := cmp.Diff(want, f.Metadata()); diff != "" {
		t.Error(diff)
	}
	// Large values close a row group early.
	rows = nil
	for range 20 {
		rows = append(rows, row(8<<20))
	}
	writeAll(t, path, schema, Options{}, rows)
	big, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if n := len(big.RowGroups()); n != 3 {
		t.Errorf("%d row groups of 160 MB", n)
	}
	// Nor do page headers repeat them.
	if b := big.RowGroups()[0].Bytes; b > 65<<20 {
		t.Errorf("a row group of 64 MB takes %d", b)
	}
}

func TestFeatures(t *testing.T) {
	schema, _ := readAll(t, "testdata/pyarrow.parquet")
	var fields []data.Field
	for _, f := range schema.Fields() {
		switch f.Name {
		case "decimal38", "time_us", "timestamp_utc", "vector", "list_struct", "float16", "date":
			fields = append(fields, f)
		}
	}
	text, ok := features(data.MustSchema(fields...))
	if !ok {
		t.Fatal("not representable")
	}
	var got, want any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	// As the documentation of Hugging Face datasets spells them.
	err := json.Unmarshal([]byte(`{"info": {"features": {
		"float16": {"dtype": "float16", "_type": "Value"},
		"decimal38": {"dtype": "decimal128(38, 10)", "_type": "Value"},
		"date": {"dtype": "date32", "_type": "Value"},
		"time_us": {"dtype": "time64[us]", "_type": "Value"},
		"timestamp_utc": {"dtype": "timestamp[us, tz=UTC]", "_type": "Value"},
		"vector": {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"},
		"list_struct": [{"x": {"dtype": "float64", "_type": "Value"}, "y": {"dtype": "int32", "_type": "Value"}}]
	}}}`), &want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := features(schema); ok {
		t.Error("a fixed-length column has no feature, yet all columns had one")
	}
}

// Full row groups are copied, and the pages of the merged file are the shards'.
func TestMergeCopiesRowGroups(t *testing.T) {
	dir := t.TempDir()
	schema, rows := readAll(t, typeFiles[0])
	var all [][]data.Value
	var parts []string
	pages := int64(0)
	for i := range 3 {
		part := filepath.Join(dir, fmt.Sprintf("part-%d", i))
		writeAll(t, part, schema, Options{RowsPerGroup: 4}, rows)
		parts, all = append(parts, part), append(all, rows...)
	}
	dst := filepath.Join(dir, "merged.parquet")
	if err := Merge(t.Context(), dst, Options{RowsPerGroup: 4}, parts...); err != nil {
		t.Fatal(err)
	}
	_, got := readAll(t, dst)
	checkRows(t, schema, got, all)
	merged, err := Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer merged.Close()
	w, err := NewWriter(filepath.Join(dir, "unused"), schema, Options{RowsPerGroup: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i, g := range merged.RowGroups() {
		if !w.canCopy(merged, i) || g.Rows != 4 {
			t.Errorf("row group %d has %d rows", i, g.Rows)
		}
		pages += g.Bytes
	}
	part, err := Open(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if pages != 3*part.RowGroups()[0].Bytes {
		t.Errorf("%d bytes of pages, a shard has %d", pages, part.RowGroups()[0].Bytes)
	}
}

func TestMerge(t *testing.T) {
	dir := t.TempDir()
	schema, rows := readAll(t, typeFiles[0])
	var parts []string
	for i := range rows {
		part := filepath.Join(dir, fmt.Sprintf("part-%d", i))
		writeAll(t, part, schema, Options{Metadata: map[string]string{"part": fmt.Sprint(i)}}, rows[i:i+1])
		parts = append(parts, part)
	}
	dst := filepath.Join(dir, "merged.parquet")
	if err := Merge(t.Context(), dst, Options{}, parts...); err != nil {
		t.Fatal(err)
	}
	merged, got := readAll(t, dst)
	if !merged.Equal(schema) {
		t.Errorf("schema %s", merged)
	}
	checkRows(t, schema, got, rows)
	other := filepath.Join(dir, "other")
	writeAll(t, other, data.MustSchema(data.Field{Name: "x", Type: data.Int64Type}), Options{}, nil)
	if err := Merge(t.Context(), dst, Options{}, parts[0], other); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("merged files of different columns: %v", err)
	}
}

// Tensors take a way of their own into the file; what is there is what lists of the same
// numbers give, whatever comes between them and however many processors there are.
func TestTensorsAreStoredAsListsAre(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	tensor := func(elem *data.Type) data.Type { return data.Type{Kind: data.Tensor, Elem: elem} }
	schema := data.MustSchema(
		data.Field{Name: "n", Type: data.Int64Type},
		data.Field{Name: "a", Type: tensor(&data.Float64Type), Nullable: true},
		data.Field{Name: "b", Type: tensor(&data.Float32Type)},
	)
	rng := rand.New(rand.NewPCG(1, 2))
	var tensors, lists [][]data.Value
	for i := range 400 {
		size := rng.IntN(3) * rng.IntN(3000)
		a, b := make([]float64, size), make([]float32, size/2)
		asA, asB := make([]data.Value, len(a)), make([]data.Value, len(b))
		for k := range a {
			a[k] = rng.NormFloat64()
			asA[k] = data.Float64Value(a[k])
		}
		for k := range b {
			b[k] = rng.Float32()
			asB[k] = data.Float32Value(b[k])
		}
		n := data.Int64Value(int64(i))
		list := []data.Value{n, data.ListValue(asA), data.ListValue(asB)}
		row := []data.Value{n, data.TensorValue(&data.Array{Shape: []int{size}, Data: a}), data.TensorValue(&data.Array{Shape: []int{size / 2}, Data: b})}
		switch rng.IntN(8) {
		case 0:
			list[1], row[1] = data.Value{}, data.Value{}
		case 1:
			row[1] = list[1]
		}
		tensors, lists = append(tensors, row), append(lists, list)
	}
	write := func(name string, processors int, rows [][]data.Value, bad ...data.Value) []byte {
		runtime.GOMAXPROCS(processors)
		path := filepath.Join(t.TempDir(), name)
		w, err := NewWriter(path, schema, Options{RowsPerGroup: 150})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 && len(bad) > 0 {
				if err := w.Write([]data.Value{row[0], row[1], bad[i%len(bad)]}); err == nil {
					t.Fatal("a row that does not fit was written")
				}
			}
		}
		if _, _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	want := write("lists", 1, lists)
	wrong := data.TensorValue(&data.Array{Shape: []int{1}, Data: []float64{1}})
	for _, processors := range []int{1, 4} {
		if !bytes.Equal(write("tensors", processors, tensors), want) {
			t.Errorf("%d processors: other bytes", processors)
		}
		if !bytes.Equal(write("faults", processors, tensors, data.Value{}, wrong), want) {
			t.Errorf("%d processors: rows that do not fit leave a trace", processors)
		}
	}
}
