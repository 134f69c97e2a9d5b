package memo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func key(t testing.TB, n int) Key {
	t.Helper()
	k, err := KeyOf(n)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func reopen(t testing.TB, dir string) *Memo {
	t.Helper()
	m, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// fill makes a memo of n values in one segment and returns the segment's path.
func fill(t testing.TB, dir string, n int) string {
	t.Helper()
	m := reopen(t, dir)
	for i := range n {
		if err := m.Put(key(t, i), fmt.Sprintf("value %d\n%s", i, strings.Repeat("x", i%97))); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	return segments[len(segments)-1]
}

// intact counts the values that are there, and fails if one is another's.
func intact(t testing.TB, m *Memo, n int) (found int) {
	t.Helper()
	for i := range n {
		var v string
		if m.Get(key(t, i), &v) {
			found++
			if !strings.HasPrefix(v, fmt.Sprintf("value %d\n", i)) {
				t.Fatalf("value %d is %q", i, v)
			}
		}
	}
	return found
}

func TestValuesOutliveTheProcess(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, 50)
	m := reopen(t, dir)
	if n := intact(t, m, 60); n != 50 || m.Len() != 50 {
		t.Errorf("%d of 50 values are there", n)
	}
	if err := m.Put(key(t, 50), "value 50\n"); err != nil {
		t.Fatal(err)
	}
	if n := intact(t, reopen(t, dir), 60); n != 51 {
		t.Errorf("%d of 51 values are in two segments", n)
	}
}

// A segment that ends at any byte has all values whose lines are whole, and nothing
// in it counts as damage.
func TestCutAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	path := fill(t, dir, 12)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range whole {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Count(string(whole[:cut]), "\n")
		if n := intact(t, m, 12); n != want {
			t.Fatalf("cut at byte %d: %d values, want %d", cut, n, want)
		}
		if n, where := m.Damage(); n != 0 {
			t.Fatalf("cut at byte %d counts as damage in %s", cut, where)
		}
		m.Close()
	}
}

// A changed byte costs no more than the two lines it may lie between, is told, and
// never gives a value that was not put.
func TestChangedBytesAreTold(t *testing.T) {
	dir := t.TempDir()
	path := fill(t, dir, 12)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for at := range len(whole) - 1 { // without the last line's end, the line is as if cut
		changed := append([]byte(nil), whole...)
		changed[at] ^= byte(1 + r.IntN(255))
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := intact(t, m, 12)
		damaged, where := m.Damage()
		if n < 10 || n > 11 || damaged == 0 || !strings.Contains(where, filepath.Base(path)) {
			t.Fatalf("byte %d changed: %d values, damage %d in %q", at, n, damaged, where)
		}
		m.Close()
	}
}

func TestMemoWithoutFolderLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := reopen(t, "")
	if err := m.Put(key(t, 1), "value 1\n"); err != nil {
		t.Fatal(err)
	}
	if intact(t, m, 2) != 1 {
		t.Error("the value is not there")
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Two memos of one folder at once keep what both put.
func TestTwoAtOnce(t *testing.T) {
	dir := t.TempDir()
	a, b := reopen(t, dir), reopen(t, dir)
	for i := range 40 {
		if err := []*Memo{a, b}[i%2].Put(key(t, i), fmt.Sprintf("value %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := intact(t, reopen(t, dir), 40); n != 40 {
		t.Errorf("%d of 40 values", n)
	}
}

// Whatever bytes a segment holds, opening it neither fails nor gives a value that
// does not carry its checksum.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	seed, err := os.ReadFile(fill(f, dir, 3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte("00000000 x\n\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
		m := reopen(t, dir)
		if lines := strings.Count(string(b), "\n"); m.Len() > lines {
			t.Errorf("%d values of %d lines", m.Len(), lines)
		}
		intact(t, m, 3)
	})
}
