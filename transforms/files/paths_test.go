package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	root := filepath.Join(t.TempDir(), "set")
	for _, name := range []string{"b.txt", "a/2.txt", "a/1.TXT", "a/image.png", ".hidden/x.txt", "_tmp/x.txt", "a/.x.txt", "odd[1].txt"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("four"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ pattern, want string }{
		{".", "set/a/1.TXT set/a/2.txt set/b.txt set/odd[1].txt"},
		{"a", "a/1.TXT a/2.txt"},
		{"b.txt", "b.txt"},
		{"odd[1].txt", "odd[1].txt"}, // a file that is there is no glob
		{"a/image.png", "image.png"}, // named by the graph, whatever its extension
		{"*/*.txt", "set/a/2.txt"},
		{"_*/*.txt", "set/_tmp/x.txt"},
		{"a/[12].*", "a/1.TXT a/2.txt"},
	} {
		found, err := expand(filepath.Join(root, test.pattern), ".txt")
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		var names []string
		for _, in := range found {
			names = append(names, in.Name)
			if in.Size != 4 {
				t.Errorf("%s: %d bytes", in.Name, in.Size)
			}
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.pattern, got, test.want)
		}
	}
	for pattern, want := range map[string]string{
		"a/*.jpg": "no file matches",
		"a/[":     "brackets must be closed",
		"missing": "no such file or directory",
	} {
		if _, err := expand(filepath.Join(root, pattern), ".txt"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want …%s…", pattern, err, want)
		}
	}
	if _, err := expand(root, ".jpg"); err == nil || !strings.Contains(err.Error(), "no .jpg files in") {
		t.Errorf("a folder without such files: %v", err)
	}
}

// A relative path gives the same names as an absolute one.
func TestExpandRelative(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("in", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("in/a.txt", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"in", "in/", "./in", "in/*.txt", filepath.Join(dir, "in")} {
		found, err := expand(pattern)
		if err != nil || len(found) != 1 || found[0].Name != "in/a.txt" {
			t.Errorf("%s: %v, %v", pattern, found, err)
		}
	}
}

// A folder in which a commit was interrupted is a mixture of two outputs.
func TestExpandRefusesHalfWritten(t *testing.T) {
	dir := t.TempDir()
	plan := filepath.Join(dir, ".penstock-tmp", "run-1", "parts", "plan.json")
	if err := os.MkdirAll(filepath.Dir(plan), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plan, filepath.Join(dir, "part-00000-of-00002.csv")} {
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := expand(dir); err == nil || !strings.Contains(err.Error(), "half written: run run-1") {
		t.Error(err)
	}
}
