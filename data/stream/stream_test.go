package stream

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	text := strings.Repeat("line of text\n", 10_000)
	for _, name := range []string{"a.txt", "a.txt.gz", "A.TXT.ZST"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if packed := int(info.Size()) < len(text)/2; packed == (name == "a.txt") {
			t.Errorf("%s has %d bytes of %d", name, info.Size(), len(text))
		}
		if got := readAll(t, path); got != text {
			t.Errorf("%s: %d bytes read back, want %d", name, len(got), len(text))
		}
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPackedFilesMayBeJoined(t *testing.T) {
	for _, ext := range []string{".gz", ".zst"} {
		dir := t.TempDir()
		var joined []byte
		for _, text := range []string{"a\n", "b\n"} {
			path := filepath.Join(dir, "part"+ext)
			w, err := Create(path)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, text)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			joined = append(joined, b...)
		}
		path := filepath.Join(dir, "joined"+ext)
		if err := os.WriteFile(path, joined, 0o644); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, path); got != "a\nb\n" {
			t.Errorf("%s: %q", ext, got)
		}
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	for _, name := range []string{"x.gz", "x.zst"} {
		for _, content := range []string{"", "this is not packed"} {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := Open(path)
			if err == nil {
				_, err = io.ReadAll(r)
				r.Close()
			}
			if content == "" && name == "x.zst" && err == nil {
				continue // no frames are an empty text in zstd
			}
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with %q: error %v", name, content, err)
			}
		}
	}
}

func TestLines(t *testing.T) {
	l := NewLines(strings.NewReader("\uFEFFone\r\n\n"+strings.Repeat("x", 300_000)+"\nthree\nfour"), 1000)
	for i, want := range []string{"one", "", "too long", "three", "four"} {
		line, err := l.Next()
		got := string(line)
		if errors.Is(err, ErrTooLong) {
			got = "too long"
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want || l.Number() != int64(i+1) {
			t.Errorf("line %d is %q, want line %d %q", l.Number(), got, i+1, want)
		}
	}
	if _, err := l.Next(); err != io.EOF {
		t.Errorf("error %v, want the end", err)
	}
}

// A few kilobytes that unpack to a line of 64 MB must not take 64 MB.
func TestBombsTakeNoMemory(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	zeros := make([]byte, 1<<20)
	for range 64 {
		w.Write(zeros)
	}
	w.Write([]byte("\nafter\n"))
	w.Close()
	path := filepath.Join(t.TempDir(), "bomb.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	l := NewLines(r, 1<<20)
	if _, err := l.Next(); !errors.Is(err, ErrTooLong) {
		t.Fatalf("error %v, want ErrTooLong", err)
	}
	if line, err := l.Next(); err != nil || string(line) != "after" {
		t.Errorf("%q, %v behind the bomb", line, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d MB for a line of at most 1 MB", used>>20)
	}
}
