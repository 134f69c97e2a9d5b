package commit

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// openLog opens a log and returns its frames.
func openLog(t *testing.T, dir string) (*Log, []string) {
	t.Helper()
	var frames []string
	l, err := OpenLog(dir, func(frame []byte) error {
		frames = append(frames, string(frame))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, frames
}

func appendTo(t *testing.T, l *Log, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := l.Append([]byte(f)); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever of the last frame a process that died has written, the frames before it are
// there, and the log goes on behind them.
func TestLogOfADeadProcess(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir)
	appendTo(t, l, "one", strings.Repeat("two", 100))
	whole := l.Size()
	appendTo(t, l, "three")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, logName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := [][]byte{append(bytes.Clone(content[:whole]), make([]byte, 100)...)} // a file system may leave zeros
	for cut := whole; cut < int64(len(content)); cut++ {
		torn = append(torn, content[:cut])
	}
	last := bytes.Clone(content)
	last[len(last)-1] ^= 1
	for _, b := range append(torn, last) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		l, frames := openLog(t, dir)
		if len(frames) != 2 || frames[0] != "one" || l.Size() != whole {
			t.Fatalf("%d bytes: %d frames, %d bytes long", len(b), len(frames), l.Size())
		}
		appendTo(t, l, "four")
		l.Close()
		if l, frames = openLog(t, dir); len(frames) != 3 || frames[2] != "four" {
			t.Fatalf("%d bytes: the next frame is lost: %q", len(b), frames)
		}
		l.Close()
	}
}

// Damage that no death explains is told, not read over.
func TestLogThatIsDamaged(t *testing.T) {
	dir := t.TempDir()
	l, _ := openLog(t, dir)
	appendTo(t, l, "one", "two")
	l.Close()
	path := filepath.Join(dir, logName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[headBytes] ^= 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = OpenLog(dir, func([]byte) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "at byte 0: the log is damaged") {
		t.Errorf("error %v", err)
	}
}

// At every step of a rewrite the log is the old one or the new one.
func TestLogRewrite(t *testing.T) {
	for _, step := range []string{"rewritten", "renamed", "never"} {
		dir := t.TempDir()
		l, _ := openLog(t, dir)
		appendTo(t, l, "one", "two", "three")
		died := fmt.Errorf("died when %s", step)
		func() {
			defer func() {
				if p := recover(); p != nil && p != died {
					panic(p)
				}
			}()
			l.at = func(s string) {
				if s == step {
					panic(died)
				}
			}
			if err := l.Rewrite([]byte("all")); err != nil {
				t.Fatal(err)
			}
			appendTo(t, l, "four")
		}()
		l.Close()
		want := map[string][]string{"rewritten": {"one", "two", "three"}, "renamed": {"all"}, "never": {"all", "four"}}[step]
		if _, frames := openLog(t, dir); !slices.Equal(frames, want) {
			t.Errorf("%s: frames %q, want %q", step, frames, want)
		}
	}
}

func TestLogHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	openLog(t, dir)
	if _, err := OpenLog(dir, nil); err == nil || !strings.Contains(err.Error(), "another process writes to it") {
		t.Errorf("a second one: %v", err)
	}
}
