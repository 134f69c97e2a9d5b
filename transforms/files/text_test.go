package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/data/stream"
	"penstock.dev/transforms"
)

// write makes a file in dir, compressed by its name, and returns its path.
func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := stream.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) string {
	t.Helper()
	r, err := stream.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func newKind(t testing.TB, kind, config string, args ...any) (transforms.Node, error) {
	t.Helper()
	k, ok := transforms.Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	return k.New(fmt.Appendf(nil, config, args...))
}

// readAll reads a source: its columns, its rows as "id: json", its rejects as
// "id: class: message".
func readAll(t testing.TB, kind, config string, args ...any) (columns string, rows, rejects []string) {
	t.Helper()
	n, err := newKind(t, kind, config, args...)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := n.Columns(nil)
	if err != nil {
		t.Fatal(err)
	}
	schema := ports.Get(transforms.Out)
	src := n.(transforms.Source)
	splits, err := src.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := int64(-1)
	place := func(order int64) {
		if order <= last {
			t.Errorf("order %d behind %d", order, last)
		}
		last = order
	}
	for _, s := range splits {
		err := src.Read(t.Context(), s, func(r *data.Record) error {
			place(r.Order)
			if !r.Schema.Equal(schema) {
				t.Errorf("row %s has columns %s, want %s", r.ID, r.Schema, schema)
			}
			rows = append(rows, r.ID.String()+": "+strings.TrimSpace(string(jsonl.AppendRow(nil, r.Schema, r.Values))))
			return nil
		}, func(r *transforms.Rejected) {
			place(r.Record.Order)
			if len(r.Record.Values) != schema.Len() {
				t.Errorf("reject %s has %d values", r.Record.ID, len(r.Record.Values))
			}
			rejects = append(rejects, fmt.Sprintf("%s: %s: %s", r.Record.ID, r.Class, r.Err))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return schema.String(), rows, rejects
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestReadJSONL(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.ndjson.gz", "a.json.zst"} {
		dir := t.TempDir()
		write(t, dir, name, `{"id":"x","n":1}`+"\n\n"+`{"n":2,"tags":["a"]}`+"\n"+`{"n":"no"}`+"\n"+`{"n":3`+"\n"+`{"extra":1,"n":4}`+"\n{\"id\":\"\xff\"}\n"+`{"n":5}`)
		// The fourth line makes n a column of JSON unless it is declared.
		columns, rows, rejects := readAll(t, "ReadJSONL", `{"path": %q, "columns": {"n": "int64"}}`, dir)
		if columns != "id: string, n: int64, tags: list<string>, extra: int64" {
			t.Errorf("columns %s", columns)
		}
		base := filepath.Base(dir) + "/" + name
		equal(t, "rows", rows, []string{
			base + `#0: {"id":"x","n":1,"tags":null,"extra":null}`,
			base + `#2: {"id":null,"n":2,"tags":["a"],"extra":null}`,
			base + `#5: {"id":null,"n":4,"tags":null,"extra":1}`,
			base + `#7: {"id":null,"n":5,"tags":null,"extra":null}`,
		})
		equal(t, "rejects", rejects, []string{
			base + `#3: schema: ` + base + `:4: column "n" is int64, the value is "no"`,
			base + `#4: parse: ` + base + `:5: neither comma nor end in an object at byte 7`,
			base + `#6: utf8: ` + base + `:7: invalid UTF-8`,
		})
	}
}

func TestReadJSONLBeyondTheSample(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "1.jsonl", "")
	write(t, dir, "2.jsonl", strings.Repeat(`{"n":1}`+"\n", sampleRows)+`{"n":1.5}`+"\n"+`{"m":1}`+"\n")
	write(t, dir, "3.jsonl", `{"n":7}`)
	columns, rows, rejects := readAll(t, "ReadJSONL", `{"path": %q}`, dir)
	if columns != "n: int64" || len(rows) != sampleRows+1 {
		t.Errorf("%d rows of %s", len(rows), columns)
	}
	base := filepath.Base(dir) + "/2.jsonl"
	equal(t, "rejects", rejects, []string{
		fmt.Sprintf(`%s#%d: schema: %s:%d: column "n" is int64, the value is 1.5`, base, sampleRows, base, sampleRows+1),
		fmt.Sprintf(`%s#%d: schema: %s:%d: key "m" is not among the columns (did you mean "n"?)`, base, sampleRows+1, base, sampleRows+2),
	})
}

func TestReadByKey(t *testing.T) {
	dir := t.TempDir()
	_, rows, rejects := readAll(t, "ReadJSONL", `{"path": %q, "key": "id"}`, write(t, dir, "a.jsonl", `{"id":"x"}`+"\n"+`{"id":null}`+"\n"+`{"id":"y"}`))
	equal(t, "rows", rows, []string{`x: {"id":"x"}`, `y: {"id":"y"}`})
	equal(t, "rejects", rejects, []string{`a.jsonl#1: null: the key column "id" is null`})
}

func TestReadCSV(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.csv.gz", "id,score,note\n1,0.5,\"two\nlines\"\n2,,\"\"\n3,0.5\n4,high,x\n5,\"0.25\",\n6,1,x\"y\n7,2,z\n")
	columns, rows, rejects := readAll(t, "ReadCSV", `{"path": %q, "columns": {"score": "float64"}}`, path)
	if columns != "id: int64, score: float64, note: string" {
		t.Errorf("columns %s", columns)
	}
	equal(t, "rows", rows, []string{
		`a.csv.gz#0: {"id":1,"score":0.5,"note":"two\nlines"}`,
		`a.csv.gz#1: {"id":2,"score":null,"note":""}`,
		`a.csv.gz#4: {"id":5,"score":0.25,"note":null}`,
		`a.csv.gz#6: {"id":7,"score":2.0,"note":"z"}`,
	})
	equal(t, "rejects", rejects, []string{
		`a.csv.gz#2: schema: a.csv.gz:5: 2 fields, want 3`,
		`a.csv.gz#3: schema: a.csv.gz:6: column "score" is float64, the field is "high"`,
		`a.csv.gz#5: parse: a.csv.gz:8: field 3 has a quote inside: quote the field and double the quote`,
	})
}

func TestReadCSVWithoutHeader(t *testing.T) {
	path := write(t, t.TempDir(), "a.tsv", "1\tx\n2\ty\n")
	columns, rows, _ := readAll(t, "ReadCSV", `{"path": %q, "delimiter": "\t", "header": false}`, path)
	if columns != "column1: int64, column2: string" || len(rows) != 2 {
		t.Errorf("%d rows of %s", len(rows), columns)
	}
	columns, rows, _ = readAll(t, "ReadCSV", `{"path": %q, "delimiter": "\t", "header": false, "columns": {"z": "string", "a": "string"}}`, path)
	if columns != "z: string, a: string" || len(rows) != 2 {
		t.Errorf("%d rows of %s", len(rows), columns)
	}
}

func TestReadText(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b/two.md", "\uFEFF# Two\n")
	write(t, dir, "a.txt", "one")
	write(t, dir, "bad.txt", "\xff")
	write(t, dir, "other.bin", "no")
	base := filepath.Base(dir)
	_, rows, rejects := readAll(t, "ReadText", `{"path": %q}`, dir)
	equal(t, "rows", rows, []string{
		base + `/a.txt#0: {"path":"` + base + `/a.txt","text":"one"}`,
		base + `/b/two.md#0: {"path":"` + base + `/b/two.md","text":"# Two\n"}`,
	})
	equal(t, "rejects", rejects, []string{base + `/bad.txt#0: utf8: ` + base + `/bad.txt: the text is not UTF-8`})
}

func TestReadImages(t *testing.T) {
	img := image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.Black, color.White})
	dir := t.TempDir()
	var want []string
	for _, c := range []struct {
		name, format string
		encode       func(*bytes.Buffer) error
	}{
		{"x.bmp", "bmp", func(b *bytes.Buffer) error { return bmp.Encode(b, img) }},
		{"x.gif", "gif", func(b *bytes.Buffer) error { return gif.Encode(b, img, nil) }},
		{"x.jpg", "jpeg", func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) }},
		{"x.png", "png", func(b *bytes.Buffer) error { return png.Encode(b, img) }},
		{"x.tif", "tiff", func(b *bytes.Buffer) error { return tiff.Encode(b, img, nil) }},
	} {
		var b bytes.Buffer
		if err := c.encode(&b); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "cats/"+c.name, b.String())
		want = append(want, "cats "+c.format+" 3 2 "+fmt.Sprint(b.Len()))
	}
	write(t, dir, "cats/z.png", "\x89PNG\r\n\x1a\nbroken")
	write(t, dir, "cats/y.webp", "no image")

	n, err := newKind(t, "ReadImages", `{"path": %q}`, dir)
	if err != nil {
		t.Fatal(err)
	}
	splits, err := n.(transforms.Source).Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, rejects []string
	for _, s := range splits {
		err := n.(transforms.Source).Read(t.Context(), s, func(r *data.Record) error {
			got = append(got, fmt.Sprintln(r.Get("label").Text(), r.Get("format").Text(), r.Get("width").Int64(), r.Get("height").Int64(), len(r.Get("image").Bytes())))
			return nil
		}, func(r *transforms.Rejected) { rejects = append(rejects, r.Class+": "+r.Err) })
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range got {
		got[i] = strings.TrimSpace(got[i])
	}
	equal(t, "rows", got, want)
	base := filepath.Base(dir)
	equal(t, "rejects", rejects, []string{
		"image: " + base + "/cats/y.webp: not a png, jpeg, gif, webp, bmp or tiff image",
		"image: " + base + "/cats/z.png: unexpected EOF",
	})
}

var sinkSchema = data.MustSchema(
	data.Field{Name: "text", Type: data.StringType, Nullable: true},
	data.Field{Name: "x", Type: data.Float64Type, Nullable: true},
	data.Field{Name: "at", Type: data.TimestampType, Nullable: true},
)

func sinkRow(i int64, values ...data.Value) *data.Record {
	return &data.Record{Schema: sinkSchema, ID: data.ID{Source: "s", Row: i}, Order: i, Values: values}
}

// writeAll writes rows in shards of two, out of order, and commits them.
func writeAll(t testing.TB, kind, config string, path string, rows []*data.Record) {
	t.Helper()
	n, err := newKind(t, kind, config, path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Columns(transforms.Ports{{Name: transforms.In, Schema: sinkSchema}}); err != nil {
		t.Fatal(err)
	}
	sink := n.(transforms.Sink)
	run := transforms.Run{ID: "run1", Schema: sinkSchema}
	var shards []transforms.Shard
	for part := range slices.Chunk(rows, 2) {
		w, err := sink.Create(t.Context(), run, fmt.Sprint("attempt", len(shards)))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range part {
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		shard, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		if shard.Rows != int64(len(part)) || shard.First != part[0].Order {
			t.Errorf("shard %+v of rows from %d", shard, part[0].Order)
		}
		shards = append([]transforms.Shard{shard}, shards...)
	}
	slices.SortFunc(shards, func(a, b transforms.Shard) int { return int(a.First - b.First) })
	if err := sink.Commit(t.Context(), run, shards); err != nil {
		t.Fatal(err)
	}
	if err := sink.Commit(t.Context(), run, shards); err != nil {
		t.Errorf("a repeated commit: %v", err)
	}
}

func sinkRows() []*data.Record {
	return []*data.Record{
		sinkRow(0, data.StringValue("a\n\"b\","), data.Float64Value(0.1), data.TimeValue(time.Date(2024, 2, 29, 0, 0, 0, 5000, time.UTC))),
		sinkRow(1, data.StringValue(""), data.Float64Value(3), data.Value{}),
		sinkRow(2, data.Value{}, data.Float64Value(1e22), data.Value{}),
		sinkRow(3, data.StringValue("é"), data.Value{}, data.TimeValue(time.Unix(0, 0))),
		sinkRow(4, data.StringValue("x"), data.Float64Value(math.MaxFloat64), data.Value{}),
	}
}

func TestTextIsWrittenAndReadBack(t *testing.T) {
	for _, c := range []struct{ write, read, name, first string }{
		{"WriteJSONL", "ReadJSONL", "out.jsonl", `{"text":"a\n\"b\",","x":0.1,"at":"2024-02-29T00:00:00.000005Z"}`},
		{"WriteJSONL", "ReadJSONL", "out.jsonl.gz", ""},
		{"WriteJSONL", "ReadJSONL", "out.json.zst", ""},
		{"WriteJSONL", "ReadJSONL", "out/", ""},
		{"WriteCSV", "ReadCSV", "out.csv", "text,x,at\n\"a\n\"\"b\"\",\",0.1,2024-02-29T00:00:00.000005Z\n\"\",3.0,\n"},
		{"WriteCSV", "ReadCSV", "out.csv.zst", ""},
		{"WriteCSV", "ReadCSV", "out/", ""},
	} {
		t.Run(c.write+" "+c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x") + "/" + c.name
			writeAll(t, c.write, `{"path": %q}`, path, sinkRows())
			if c.first != "" && !strings.HasPrefix(read(t, path), c.first) {
				t.Errorf("begins %.200q", read(t, path))
			}
			n, err := newKind(t, c.read, `{"path": %q, "columns": {"at": "timestamp"}}`, path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := n.Columns(nil); err != nil {
				t.Fatal(err)
			}
			splits, err := n.(transforms.Source).Splits(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []*data.Record
			for _, s := range splits {
				err := n.(transforms.Source).Read(t.Context(), s, func(r *data.Record) error {
					got = append(got, r)
					return nil
				}, func(r *transforms.Rejected) { t.Errorf("reject %s", r.Err) })
				if err != nil {
					t.Fatal(err)
				}
			}
			want := sinkRows()
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i, r := range want {
				for j, v := range r.Values {
					if !got[i].Values[j].Equal(v) {
						t.Errorf("row %d, column %d differs", i, j)
					}
				}
			}
		})
	}
}

func TestOutputWithoutRows(t *testing.T) {
	dir := t.TempDir()
	writeAll(t, "WriteJSONL", `{"path": %q}`, filepath.Join(dir, "a.jsonl"), nil)
	writeAll(t, "WriteCSV", `{"path": %q, "delimiter": ";"}`, filepath.Join(dir, "a.csv"), nil)
	if got := read(t, filepath.Join(dir, "a.jsonl")); got != "" {
		t.Errorf("%q", got)
	}
	if got := read(t, filepath.Join(dir, "a.csv")); got != "text;x;at\n" {
		t.Errorf("%q", got)
	}
}

func TestAbortLeavesThePreviousOutput(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a.jsonl", "previous\n")
	n, err := newKind(t, "WriteJSONL", `{"path": %q}`, path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := n.(transforms.Sink).Create(t.Context(), transforms.Run{ID: "r", Schema: sinkSchema}, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(sinkRows()[0]); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if got := read(t, path); got != "previous\n" {
		t.Errorf("%q", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".penstock-tmp", "*", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestTextMistakesAreFoundBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	array := write(t, dir, "array.json", "[\n{\"a\":1},\n{\"a\":2}\n]\n")
	empty := write(t, dir, "empty.jsonl", "\n\n")
	csvFile := write(t, dir, "a.csv", "x,y,x\n1,2,3\n")
	good := write(t, dir, "good.csv", "name,n\nx,1\n")
	write(t, dir, "two/1.csv", "a,b\n1,2\n")
	write(t, dir, "two/2.csv", "b,a\n1,2\n")
	packed := filepath.Join(dir, "p.jsonl.gz")
	if err := os.WriteFile(packed, []byte("not packed"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kind, config, want string }{
		{"ReadJSONL", `{"path": "` + array + `"}`, "array.json is a JSON array, not JSON Lines"},
		{"ReadJSONL", `{"path": "` + empty + `"}`, "has no lines (declare its columns)"},
		{"ReadJSONL", `{"path": "` + packed + `"}`, "p.jsonl.gz: gzip: invalid header"},
		{"ReadJSONL", `{"path": "` + good + `"}`, "none of the first 2 lines is a row"},
		{"ReadJSONL", `{"path": "` + dir + `/none.jsonl"}`, "path: "},
		{"ReadJSONL", `{"path": "` + array + `", "colums": {}}`, "colums"},
		{"ReadJSONL", `{"path": "` + array + `", "columns": {"a": "integer"}}`, `columns.a: unknown column type "integer"`},
		{"ReadCSV", `{"path": "` + csvFile + `"}`, `column "x" occurs twice`},
		{"ReadCSV", `{"path": "` + good + `", "columns": {"m": "int64"}}`, `columns.m: ` + good + ` has no column "m"`},
		{"ReadCSV", `{"path": "` + good + `", "key": "nam"}`, `key: no column "nam" in the input (did you mean "name"?)`},
		{"ReadCSV", `{"path": "` + good + `", "delimiter": "ab"}`, `delimiter: "ab" is not one character`},
		{"ReadCSV", `{"path": "` + dir + `/two"}`, "have different headers"},
		{"WriteJSONL", `{"path": "` + dir + `/x.parquet"}`, "is no name for this kind of file (want .jsonl"},
		{"WriteCSV", `{"path": ""}`, "path: no path"},
		{"ReadImages", `{"path": "` + dir + `/two"}`, "no .png or"},
	} {
		t.Run(c.kind+c.config, func(t *testing.T) {
			n, err := newKind(t, c.kind, "%s", c.config)
			if err == nil {
				_, err = n.Columns(nil)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}

func TestSinksNeedAnInput(t *testing.T) {
	for _, kind := range []string{"WriteParquet", "WriteJSONL", "WriteCSV"} {
		n := newNode[transforms.Sink](t, kind, map[string]any{"path": "out/"})
		if _, err := n.Columns(nil); err == nil || err.Error() != "in: takes rows, but nothing is connected" {
			t.Errorf("%s without an input: %v", kind, err)
		}
	}
}

func TestReadStopsWhenTheContextEnds(t *testing.T) {
	path := write(t, t.TempDir(), "a.jsonl", strings.Repeat("{\"a\":1}\n", 5000))
	n, err := newKind(t, "ReadJSONL", `{"path": %q}`, path)
	if err != nil {
		t.Fatal(err)
	}
	splits, err := n.(transforms.Source).Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = n.(transforms.Source).Read(ctx, splits[0], func(*data.Record) error { return nil }, func(*transforms.Rejected) {})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
