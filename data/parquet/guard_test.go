package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"penstock.dev/data"
)

// readBytes opens and reads a file of the given content to its end.
func readBytes(t testing.TB, content []byte) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.parquet")
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return readFile(t, path)
}

func readFile(t testing.TB, path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Read(t.Context(), 0, len(f.RowGroups()), nil, func(int64, []data.Value) error { return nil })
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type rowOfTen struct {
	ID   int64
	Text string
}

func libraryFile(t testing.TB, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	rows := make([]rowOfTen, 10)
	for i := range rows {
		rows[i] = rowOfTen{int64(i), strings.Repeat("text ", i)}
	}
	if err := parquet.Write(&b, rows, options...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRefuses(t *testing.T) {
	good := libraryFile(t)
	if err := readBytes(t, good); err != nil {
		t.Fatal(err)
	}
	longFooter := bytes.Clone(good)
	binary.LittleEndian.PutUint32(longFooter[len(good)-8:], 1<<31)
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":        {nil, "not a Parquet file: 0 bytes"},
		"text":         {[]byte("id,text\n1,hello\n"), "not a Parquet file"},
		"truncated":    {good[:len(good)-9], "truncated"},
		"footer":       {longFooter, "a footer of 2147483648 bytes"},
		"LZ4_RAW":      {libraryFile(t, parquet.Compression(&parquet.Lz4Raw)), "row group 0: column ID: the codec LZ4_RAW is refused"},
		"page of zero": {zeroed(good, 4, 40), "row group 0: column ID: damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			err := readBytes(t, test.content)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want …%s…", err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), "file.parquet") {
				t.Errorf("error %v does not name the file", err)
			}
		})
	}
}

func zeroed(b []byte, from, to int) []byte {
	b = bytes.Clone(b)
	clear(b[from:to])
	return b
}

// A flipped bit in the pages of a file that the package wrote is an error or
// changes nothing: pages have checksums.
func TestFlippedBits(t *testing.T) {
	original := copyOf(t, typeFiles[0])
	schema, want := readAll(t, original)
	good := content(t, original)
	pages := len(good) - 8 - int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	path := filepath.Join(t.TempDir(), "file.parquet")
	noticed := 0
	for at := 4; at < pages; at += 29 {
		bad := bytes.Clone(good)
		bad[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if readFile(t, path) != nil {
			noticed++
			continue
		}
		_, got := readAll(t, path)
		checkRows(t, schema, got, want)
	}
	if noticed < 20 {
		t.Errorf("only %d flipped bits were noticed", noticed)
	}
}

func copyOf(t *testing.T, path string) string {
	t.Helper()
	schema, rows := readAll(t, path)
	copied := filepath.Join(t.TempDir(), "copy.parquet")
	writeAll(t, copied, schema, Options{}, rows)
	return copied
}

// Whatever happens to the bytes of a file, reading it ends soon, in bounded
// memory, with rows or an error.
func TestMutatedFiles(t *testing.T) {
	n := 300
	if os.Getenv("PENSTOCK_LONG") != "" {
		n = 10_000
	}
	files := [][]byte{libraryFile(t), libraryFile(t, parquet.DataPageVersion(1), parquet.Compression(&parquet.Gzip))}
	for _, path := range typeFiles {
		files = append(files, content(t, path))
	}
	path := filepath.Join(t.TempDir(), "mutated.parquet")
	failed, slowest, most := 0, time.Duration(0), uint64(0)
	for i := range n {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		mutated := mutate(bytes.Clone(files[i%len(files)]), rng)
		if err := os.WriteFile(path, mutated, 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := within(t, 20*time.Second, i, func() error { return readFile(t, path) })
		runtime.ReadMemStats(&after)
		slowest = max(slowest, time.Since(start))
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most {
			most = allocated
			if most > 1<<30 {
				t.Errorf("mutation %d made the reader allocate %d MB", i, most>>20)
			}
		}
		if err != nil {
			failed++
		}
	}
	t.Logf("%d files, %d errors, slowest %v, at most %d MB allocated", n, failed, slowest, most>>20)
	if failed < n/4 {
		t.Errorf("only %d of %d mutated files failed: does the test mutate?", failed, n)
	}
}

func within(t *testing.T, limit time.Duration, i int, read func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- read() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatalf("mutation %d: still reading after %v", i, limit)
		return nil
	}
}

// mutate flips bits, overwrites bytes or cuts b, most often in the footer and in
// page headers, where the lengths are.
func mutate(b []byte, rng *rand.Rand) []byte {
	place := func() int {
		if rng.IntN(2) == 0 {
			footer := int(binary.LittleEndian.Uint32(b[len(b)-8:]))
			return len(b) - 1 - rng.IntN(min(len(b), footer+8))
		}
		return rng.IntN(len(b))
	}
	switch rng.IntN(10) {
	case 0:
		return b[:rng.IntN(len(b))]
	case 1, 2:
		for range 1 + rng.IntN(16) {
			b[place()] = byte(rng.Uint32())
		}
	case 3:
		from := place()
		for i := from; i < min(len(b), from+8); i++ {
			b[i] = 0xff
		}
	default:
		for range 1 + rng.IntN(4) {
			b[place()] ^= 1 << rng.IntN(8)
		}
	}
	return b
}

func FuzzOpen(f *testing.F) {
	for _, path := range typeFiles {
		f.Add(content(f, path))
	}
	f.Add(libraryFile(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := readBytes(t, b); err != nil && !strings.Contains(fmt.Sprint(err), "file.parquet") {
			t.Errorf("error does not name the file: %v", err)
		}
	})
}
