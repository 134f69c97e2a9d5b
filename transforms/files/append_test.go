package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
	"penstock.dev/transforms"
)

var numberSchema = data.MustSchema(data.Field{Name: "n", Type: data.Int64Type})

// appender opens an AppendParquet on a folder.
func appender(t *testing.T, n *AppendParquet) transforms.StreamWriter {
	t.Helper()
	w, err := n.OpenStream(t.Context(), transforms.Run{ID: "r", Schema: numberSchema, Provenance: map[string]string{"penstock.version": "test"}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// numbersIn are the numbers of each file of a folder, in the order of the names.
func numbersIn(t *testing.T, dir string) (files [][]int64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "part-*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := parquet.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var numbers []int64
		err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(_ int64, values []data.Value) error {
			numbers = append(numbers, values[0].Int64())
			return nil
		})
		if err != nil || f.Metadata()["penstock.version"] != "test" {
			t.Fatal(err, f.Metadata())
		}
		f.Close()
		files = append(files, numbers)
	}
	return files
}

func appendNumber(t *testing.T, w transforms.StreamWriter, n int64, stored *int) {
	t.Helper()
	r := &data.Record{Schema: numberSchema, ID: data.ID{Source: "s", Row: n}, Values: []data.Value{data.Int64Value(n)}}
	if err := w.Write(t.Context(), fmt.Sprint("id-", n), r, func() { *stored++ }); err != nil {
		t.Fatal(err)
	}
}

// A file is complete when it has its rows, its bytes or its age, and its rows are
// stored then and not before.
func TestAppendParquetRolls(t *testing.T) {
	const never = 1 << 30
	for name, tt := range map[string]struct {
		node *AppendParquet
		want string
	}{
		"rows":  {&AppendParquet{Rows: 3, Bytes: never, Age: transforms.Duration{Duration: time.Hour}}, "[[0 1 2] [3 4 5] [6]]"},
		"bytes": {&AppendParquet{Rows: never, Bytes: 1, Age: transforms.Duration{Duration: time.Hour}}, "[[0] [1] [2] [3] [4] [5] [6]]"},
		"age":   {&AppendParquet{Rows: never, Bytes: never}, "[[0] [1] [2] [3] [4] [5] [6]]"},
		"end":   {&AppendParquet{Rows: never, Bytes: never, Age: transforms.Duration{Duration: time.Hour}}, "[[0 1 2 3 4 5 6]]"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.node.Path = filepath.Join(t.TempDir(), "out")
			w := appender(t, tt.node)
			stored := 0
			for n := range int64(7) {
				appendNumber(t, w, n, &stored)
				if err := w.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				inPlace := 0
				for _, file := range numbersIn(t, tt.node.Path) {
					inPlace += len(file)
				}
				if stored != inPlace {
					t.Errorf("after %d rows %d are called stored, %d are", n+1, stored, inPlace)
				}
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(numbersIn(t, tt.node.Path)); got != tt.want || stored != 7 {
				t.Errorf("files %s, want %s; %d stored", got, tt.want, stored)
			}
		})
	}
}

// Rows that come again are stored once: those in place at once, those that wait
// with their file. What a run that failed had not stored is gone, and comes again.
func TestAppendParquetKnowsRows(t *testing.T) {
	node := &AppendParquet{Path: t.TempDir(), Rows: 3, Bytes: 1 << 30, Age: transforms.Duration{Duration: time.Hour}}
	w := appender(t, node)
	stored := 0
	for _, n := range []int64{0, 1, 2, 1, 3, 3} {
		appendNumber(t, w, n, &stored)
	}
	if stored != 4 {
		t.Errorf("%d stored, want 4", stored)
	}
	if _, err := node.OpenStream(t.Context(), transforms.Run{Schema: numberSchema}); err == nil || !strings.Contains(err.Error(), "another process writes to it") {
		t.Errorf("a second writer: %v", err)
	}
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := w.Close(ended); err == nil {
		t.Error("a close that gives up 3 is an error")
	}
	w = appender(t, node)
	for _, n := range []int64{2, 3, 4} {
		appendNumber(t, w, n, &stored)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(numbersIn(t, node.Path)); got != "[[0 1 2] [3 4]]" || stored != 7 {
		t.Errorf("files %s; %d stored", got, stored)
	}
	entries, err := os.ReadDir(filepath.Join(node.Path, ".penstock-ids"))
	if err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return filepath.Ext(e.Name()) != ".ids" }) {
		t.Errorf("left %v, %v", entries, err)
	}
}
