package parquet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"penstock.dev/data"
)

// A file passes through in memory that does not depend on its size. The size is
// 32 MB, or PENSTOCK_MEMORY_MB.
func TestPassesThroughInBoundedMemory(t *testing.T) {
	megabytes := 32
	if s := os.Getenv("PENSTOCK_MEMORY_MB"); s != "" {
		var err error
		if megabytes, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "in.parquet")
	rows := makeTexts(t, path, megabytes<<20)
	peak := uint64(0)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(filepath.Join(dir, "out.parquet"), f.Schema(), Options{Compression: "snappy"})
	if err != nil {
		t.Fatal(err)
	}
	err = f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(row int64, values []data.Value) error {
		if row%1000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
		return w.Write(values)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := w.Close(); err != nil || n != rows {
		t.Fatalf("%d rows of %d, %v", n, rows, err)
	}
	t.Logf("%d MB, %d rows: heap %d MB, process %s", megabytes, rows, peak>>20, residentPeak())
	if peak > 256<<20 {
		t.Errorf("the heap grew to %d MB", peak>>20)
	}
}

// makeTexts writes rows with texts of 2 KB that hardly compress, in large row
// groups.
func makeTexts(t *testing.T, path string, bytes int) (rows int64) {
	t.Helper()
	schema := data.MustSchema(
		data.Field{Name: "id", Type: data.Int64Type},
		data.Field{Name: "text", Type: data.StringType, Nullable: true},
		data.Field{Name: "vector", Type: data.ListOf(data.Float32Type, false)})
	w, err := NewWriter(path, schema, Options{Compression: "snappy", RowsPerGroup: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for written := 0; written < bytes; written += 2048 + 64 {
		text := make([]byte, 2048)
		for i := range text {
			text[i] = 'a' + byte(rng.IntN(26))
		}
		vector := make([]data.Value, 16)
		for i := range vector {
			vector[i] = data.Float32Value(rng.Float32())
		}
		if err := w.Write([]data.Value{data.Int64Value(rows), data.StringValue(string(text)), data.ListValue(vector)}); err != nil {
			t.Fatal(err)
		}
		rows++
	}
	if _, _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// residentPeak is the process's largest resident size, where the system tells.
func residentPeak() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	var kb int
	for line := range strings.Lines(string(b)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return fmt.Sprintf("%d MB", kb>>10)
		}
	}
	return "unknown"
}
