package commit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openSeries(t *testing.T, dir string) *Series {
	t.Helper()
	s, err := OpenSeries(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// addTo writes a file of the rows.
func addTo(t *testing.T, s *Series, rows ...string) string {
	t.Helper()
	temp := s.Temp(".txt")
	write(t, temp, strings.Join(rows, "\n"))
	path, err := s.Add(temp, rows)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// seriesFiles is the content of the visible files, in the order of their names.
func seriesFiles(t *testing.T, dir string) (contents []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(b))
	}
	return contents
}

// Files appear in the order they were added; rows are known to whoever opens the
// series next, and to nobody else meanwhile.
func TestSeries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s := openSeries(t, dir)
	addTo(t, s, "a", "b")
	addTo(t, s, "c")
	if _, err := OpenSeries(dir); err == nil || !strings.Contains(err.Error(), "another process writes to it") {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSeries(t, dir)
	defer s.Close()
	addTo(t, s, "d")
	for id, want := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": false, "": false} {
		if s.Knows(id) != want {
			t.Errorf("it knows %q: %v", id, !want)
		}
	}
	if got := fmt.Sprint(seriesFiles(t, dir)); got != "[a\nb c d]" {
		t.Errorf("files %q", got)
	}
}

// Wherever a process dies, its file is there and known, or neither.
func TestSeriesOfAProcessThatDied(t *testing.T) {
	for _, step := range []string{"synced", "ids written", "ids synced", "renamed", "durable"} {
		dir := t.TempDir()
		s := openSeries(t, dir)
		addTo(t, s, "before")
		s.at = func(at string) {
			if at == step {
				panic("dead")
			}
		}
		func() {
			defer func() { recover() }()
			addTo(t, s, "a", "b")
		}()
		s.Close() // as the kernel does
		again := openSeries(t, dir)
		there := len(seriesFiles(t, dir)) == 2
		if there != again.Knows("a") || there != again.Knows("b") || !again.Knows("before") || there != (step == "renamed" || step == "durable") {
			t.Errorf("died when %s: the file is there: %v; its rows are known: %v", step, there, again.Knows("a"))
		}
		if !there {
			addTo(t, again, "a", "b")
		}
		if got := fmt.Sprint(seriesFiles(t, dir)); got != "[before a\nb]" {
			t.Errorf("died when %s: files %q", step, got)
		}
		if _, err := os.Stat(again.Temp(".txt")); err == nil {
			t.Errorf("died when %s: the unfinished file is left", step)
		}
		again.Close()
	}
}

// Only the ids of the last rows are kept, in memory and on disk.
func TestSeriesForgets(t *testing.T) {
	dir := t.TempDir()
	s := openSeries(t, dir)
	var rows []string
	for i := range knownRows / 2 {
		rows = append(rows, fmt.Sprint("x", i))
	}
	addTo(t, s, "first")
	addTo(t, s, rows...)
	for i := range rows {
		rows[i] = fmt.Sprint("y", i)
	}
	addTo(t, s, rows...)
	if s.Knows("first") || !s.Knows("x0") || !s.Knows("y0") || len(s.known) != knownRows {
		t.Errorf("it knows %d rows, the first: %v", len(s.known), s.Knows("first"))
	}
	s.Close()
	again := openSeries(t, dir)
	defer again.Close()
	if again.Knows("first") || !again.Knows("x0") || !again.Knows("y0") {
		t.Error("opened again it knows others")
	}
	if entries, err := os.ReadDir(again.idsDir()); err != nil || len(entries) != 2 {
		t.Errorf("%d files of ids, %v", len(entries), err)
	}
	write(t, again.idsPath(again.files[1].name), "odd")
	again.Close()
	if _, err := OpenSeries(dir); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("damaged ids: %v", err)
	}
}
