package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"penstock.dev/data"
	"penstock.dev/data/commit"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms"
)

var (
	textColumns = data.MustSchema(data.Field{Name: "id", Type: data.StringType, Nullable: true}, data.Field{Name: "text", Type: data.StringType, Nullable: true})
	otherOrder  = data.MustSchema(textColumns.Field(1), textColumns.Field(0))
)

// writeTexts writes a Parquet file of rows {id, text} with ids id-first and on.
func writeTexts(t *testing.T, path string, schema *data.Schema, first, rows, rowsPerGroup int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := parquet.NewWriter(path, schema, parquet.Options{RowsPerGroup: int64(rowsPerGroup)})
	if err != nil {
		t.Fatal(err)
	}
	for i := first; i < first+rows; i++ {
		if err := w.Write([]data.Value{data.StringValue(fmt.Sprintf("id-%d", i)), data.StringValue("text")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// newNode makes a node of a registered kind from fields in JSON.
func newNode[N any](t *testing.T, kind string, config map[string]any) N {
	t.Helper()
	k, ok := transforms.Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	n, err := k.New(b)
	if err != nil {
		t.Fatal(err)
	}
	return n.(N)
}

// readSource reads all splits of a source.
func readSource(t *testing.T, s transforms.Source) (records []*data.Record, rejected []*transforms.Rejected) {
	t.Helper()
	splits, err := s.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, split := range splits {
		err := s.Read(t.Context(), split,
			func(r *data.Record) error { records = append(records, r); return nil },
			func(r *transforms.Rejected) { rejected = append(rejected, r) })
		if err != nil {
			t.Fatal(err)
		}
	}
	return records, rejected
}

func TestReadParquetFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	writeTexts(t, filepath.Join(dir, "b.parquet"), textColumns, 100, 5, 2)
	writeTexts(t, filepath.Join(dir, "a", "x.parquet"), textColumns, 0, 3, 10)
	writeTexts(t, filepath.Join(dir, "_hidden.parquet"), otherOrder, 0, 3, 10)
	n := newNode[*ReadParquet](t, "ReadParquet", map[string]any{"path": dir, "columns": map[string]string{"text": "string"}})
	ports, err := n.Columns(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := ports.Get("out").String(); got != "id: string, text: string" {
		t.Errorf("columns that are not declared are lost: %s", got)
	}
	records, rejected := readSource(t, n)
	if len(records) != 8 || len(rejected) != 0 {
		t.Fatalf("%d records, %d rejected", len(records), len(rejected))
	}
	for i, want := range map[int]string{0: "in/a/x.parquet#0 id-0", 2: "in/a/x.parquet#2 id-2", 3: "in/b.parquet#0 id-100", 7: "in/b.parquet#4 id-104"} {
		if got := records[i].ID.String() + " " + records[i].Get("id").Text(); got != want {
			t.Errorf("record %d is %s, want %s", i, got, want)
		}
	}
	if records[7].Order != 1<<36|4 {
		t.Errorf("order %d", records[7].Order)
	}
}

// Reading a split alone gives the rows the ids and order they have in the whole.
func TestReadParquetSplits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.parquet")
	schema := data.MustSchema(data.Field{Name: "text", Type: data.StringType})
	w, err := parquet.NewWriter(path, schema, parquet.Options{RowsPerGroup: 2, Compression: "none"})
	if err != nil {
		t.Fatal(err)
	}
	large := data.StringValue(strings.Repeat("x", 3<<20))
	for range 9 {
		if err := w.Write([]data.Value{large}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := newNode[*ReadParquet](t, "ReadParquet", map[string]any{"path": path})
	splits, err := n.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, s := range splits {
		got += fmt.Sprintf("%d-%d row %d (%d) ", s.Begin, s.End, s.FirstRow, s.Rows)
	}
	// Row groups of 6 MB: two make a split.
	if want := "0-2 row 0 (4) 2-4 row 4 (4) 4-5 row 8 (1) "; got != want {
		t.Errorf("splits %s, want %s", got, want)
	}
	err = n.Read(t.Context(), splits[1], func(r *data.Record) error {
		if r.Order != r.ID.Row || r.ID.Row < 4 || r.ID.Row > 7 {
			t.Errorf("row %s has order %d", r.ID, r.Order)
		}
		return nil
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestReadParquetKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.parquet")
	w, err := parquet.NewWriter(path, textColumns, parquet.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []data.Value{data.StringValue("one"), {}, data.StringValue("three")} {
		if err := w.Write([]data.Value{id, data.StringValue("\xff not UTF-8")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	records, rejected := readSource(t, newNode[*ReadParquet](t, "ReadParquet", map[string]any{"path": path, "key": "id"}))
	if len(records) != 2 || records[0].ID != data.KeyID("one") || records[1].ID != data.KeyID("three") || records[1].Order != 2 {
		t.Errorf("records %v", records)
	}
	if len(rejected) != 1 || rejected[0].Class != "null" || rejected[0].Record.ID.String() != "in.parquet#1" {
		t.Errorf("rejected %v", rejected)
	}
	if got := records[0].Get("text").Text(); got != "\xff not UTF-8" {
		t.Errorf("text %q did not pass through", got)
	}
}

func TestReadParquetMistakes(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one.parquet")
	writeTexts(t, one, textColumns, 0, 1, 1)
	writeTexts(t, filepath.Join(dir, "mixed", "a.parquet"), textColumns, 0, 1, 1)
	writeTexts(t, filepath.Join(dir, "mixed", "b.parquet"), otherOrder, 0, 1, 1)
	if err := os.WriteFile(filepath.Join(dir, "text.parquet"), []byte("id,text\n1,hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		config      map[string]any
		field, want string
	}{
		{map[string]any{"path": filepath.Join(dir, "onne.parquet")}, "path", "onne.parquet: no such file or directory (" + dir + " has mixed, one.parquet, text.parquet)"},
		{map[string]any{"path": filepath.Join(dir, "*.csv")}, "path", "no file matches"},
		{map[string]any{"path": filepath.Join(dir, "text.parquet")}, "path", "not a Parquet file"},
		{map[string]any{"path": filepath.Join(dir, "mixed")}, "path", "have different columns: they are in another order"},
		{map[string]any{"path": one, "columns": map[string]string{"txt": "string"}}, "columns.txt", `one.parquet has no column "txt" (did you mean "text"?)`},
		{map[string]any{"path": one, "columns": map[string]string{"text": "int64"}}, "columns.text", "declared int64, but in " + one + " it is string (declare it string)"},
		{map[string]any{"path": one, "key": "idd"}, "key", `no column "idd"`},
	} {
		_, err := newNode[*ReadParquet](t, "ReadParquet", test.config).Columns(nil)
		var field *transforms.FieldError
		if !errors.As(err, &field) || field.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %s: …%s…", test.config, err, test.field, test.want)
		}
	}
}

// writeSink writes bundles of records through a sink, and commits twice, as a
// runner may.
func writeSink(t *testing.T, s transforms.Sink, run transforms.Run, bundles ...[]*data.Record) {
	t.Helper()
	var shards []transforms.Shard
	for i, records := range bundles {
		w, err := s.Create(t.Context(), run, fmt.Sprintf("bundle-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		shard, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		shards = append(shards, shard)
	}
	for range 2 {
		if err := s.Commit(t.Context(), run, shards); err != nil {
			t.Fatal(err)
		}
	}
}

func textRecords(first, n int) []*data.Record {
	records := make([]*data.Record, n)
	for i := range records {
		row := int64(first + i)
		records[i] = &data.Record{Schema: textColumns, ID: data.ID{Source: "in", Row: row}, Order: row,
			Values: []data.Value{data.StringValue(fmt.Sprintf("id-%d", row)), {}}}
	}
	return records
}

func TestWriteParquet(t *testing.T) {
	run := transforms.Run{ID: "r", Schema: textColumns, Provenance: map[string]string{"penstock.graph": "g"}}
	for name, test := range map[string]struct {
		path    string
		bundles [][]*data.Record
		files   []string
		rows    int
	}{
		"one shard":       {"out.parquet", [][]*data.Record{textRecords(0, 3)}, []string{"out.parquet"}, 3},
		"merged":          {"out.parquet", [][]*data.Record{textRecords(0, 3), textRecords(3, 2)}, []string{"out.parquet"}, 5},
		"nothing":         {"out.parquet", nil, []string{"out.parquet"}, 0},
		"folder":          {"out/", [][]*data.Record{textRecords(0, 1), textRecords(1, 1)}, []string{"_manifest.json", "part-00000-of-00002.parquet", "part-00001-of-00002.parquet"}, 2},
		"folder, rolled":  {"out/", [][]*data.Record{textRecords(0, 9), textRecords(9, 1)}, []string{"_manifest.json", "part-00000-of-00004.parquet", "part-00001-of-00004.parquet", "part-00002-of-00004.parquet", "part-00003-of-00004.parquet"}, 10},
		"folder, nothing": {"out/", nil, []string{"_manifest.json", "part-00000-of-00001.parquet"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := dir + "/" + test.path
			sink := newNode[*WriteParquet](t, "WriteParquet", map[string]any{"path": path, "compression": "zstd", "rowsPerGroup": 2, "rowsPerFile": 4})
			writeSink(t, sink, run, test.bundles...)
			if strings.HasSuffix(path, "/") {
				dir = path
			}
			entries, _ := os.ReadDir(dir)
			var files []string
			for _, e := range entries {
				files = append(files, e.Name())
			}
			if strings.Join(files, " ") != strings.Join(test.files, " ") {
				t.Errorf("files %q, want %q", files, test.files)
			}
			source := newNode[*ReadParquet](t, "ReadParquet", map[string]any{"path": path})
			if _, err := source.Columns(nil); err != nil {
				t.Fatal(err)
			}
			records, _ := readSource(t, source)
			if len(records) != test.rows {
				t.Errorf("%d rows, want %d", len(records), test.rows)
			}
			for i, r := range records {
				if want := fmt.Sprintf("id-%d", i); r.Get("id").Text() != want {
					t.Errorf("row %d is %s", i, r.Get("id").Text())
				}
			}
			f, err := parquet.Open(filepath.Join(dir, files[len(files)-1]))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if f.Metadata()["penstock.graph"] != "g" {
				t.Errorf("provenance is lost: %v", f.Metadata())
			}
			if m, err := commit.ReadManifest(dir); err == nil && m.Rows != int64(test.rows) {
				t.Errorf("the manifest counts %d rows, want %d", m.Rows, test.rows)
			}
		})
	}
}

func TestWriteParquetAbort(t *testing.T) {
	dir := t.TempDir()
	sink := newNode[*WriteParquet](t, "WriteParquet", map[string]any{"path": dir + "/", "rowsPerFile": 1})
	w, err := sink.Create(context.Background(), transforms.Run{ID: "r", Schema: textColumns}, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range textRecords(0, 3) {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	w.Abort()
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			t.Errorf("%s is left, %v", path, err)
		}
		return nil
	})
}

func TestWriteParquetMistakes(t *testing.T) {
	k, _ := transforms.Lookup("WriteParquet")
	if _, err := k.New([]byte(`{"path": "x.parquet", "compression": "lz4"}`)); err == nil || !strings.Contains(err.Error(), `compression: unknown compression "lz4" (want zstd`) {
		t.Error(err)
	}
	sink := newNode[*WriteParquet](t, "WriteParquet", map[string]any{"path": "x.parquet"})
	empty := data.MustSchema(data.Field{Name: "s", Type: data.Type{Kind: data.Struct}})
	if _, err := sink.Columns(transforms.Ports{{Name: "in", Schema: empty}}); err == nil || !strings.Contains(err.Error(), "column s: a struct without fields") {
		t.Error(err)
	}
}
