package commit

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNewTellsFileFromFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "old.parquet"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, isFolder := range map[string]bool{
		"out.parquet":     false,
		"a/b/out.jsonl":   false,
		"out.jsonl.gz":    false,
		"out":             true,
		"out/":            true,
		"out.parquet/":    true,
		"old.parquet":     true, // it exists as a folder
		"missing/old.csv": false,
	} {
		if got := New(dir + "/" + path).IsFolder(); got != isFolder {
			t.Errorf("New(%q).IsFolder() = %v", path, got)
		}
	}
}

// writeShards writes the contents to temporary files.
func writeShards(t *testing.T, o Output, run, ext string, contents ...string) []Shard {
	t.Helper()
	shards, err := stageShards(o, run, ext, contents)
	if err != nil {
		t.Fatal(err)
	}
	return shards
}

func stageShards(o Output, run, ext string, contents []string) ([]Shard, error) {
	var shards []Shard
	for i, c := range contents {
		path, err := o.Temp(run, "bundle."+string(rune('a'+i)), ext)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(c), 0o644); err != nil {
			return nil, err
		}
		o.step("shard written")
		shards = append(shards, Shard{Path: path, Rows: int64(i + 1), Bytes: int64(len(c))})
	}
	return shards, nil
}

func concatenate(_ context.Context, dst string, shards []string) error {
	var all []byte
	for _, s := range shards {
		b, err := os.ReadFile(s)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	return os.WriteFile(dst, all, 0o644)
}

// tree lists the files below dir with their contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSingleFile(t *testing.T) {
	dir := t.TempDir()
	o := New(filepath.Join(dir, "new", "out.jsonl.gz"))
	for run, contents := range map[string][]string{"one": {"a"}, "several": {"a", "b", "c"}} {
		shards := writeShards(t, o, run, ".jsonl.gz", contents...)
		for range 2 { // a repeated commit succeeds
			if err := o.Commit(t.Context(), run, shards, concatenate); err != nil {
				t.Fatal(err)
			}
		}
		got := tree(t, dir)
		if len(got) != 1 || got["new/out.jsonl.gz"] != strings.Join(contents, "") {
			t.Errorf("%s: %q", run, got)
		}
		if _, err := os.Stat(o.tempRoot()); err == nil {
			t.Errorf("%s: temporary folder is left", run)
		}
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	o := New(dir + "/")
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	commit := func(run string, contents ...string) {
		t.Helper()
		shards := writeShards(t, o, run, ".csv", contents...)
		for range 2 {
			if err := o.Commit(t.Context(), run, shards, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := func() []string {
		entries, _ := os.ReadDir(dir)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	commit("r1", "a", "b", "c")
	want := []string{"_manifest.json", "notes.txt", "part-00000-of-00003.csv", "part-00001-of-00003.csv", "part-00002-of-00003.csv"}
	if !slices.Equal(names(), want) {
		t.Fatalf("after three shards: %q", names())
	}
	m, err := ReadManifest(dir)
	if err != nil || m.Run != "r1" || m.Rows != 6 || len(m.Files) != 3 ||
		m.Files[1] != (File{"part-00001-of-00003.csv", 2, 1, "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"}) {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	commit("r2", "d")
	if want := []string{"_manifest.json", "notes.txt", "part-00000-of-00001.csv"}; !slices.Equal(names(), want) {
		t.Fatalf("after one shard: %q", names())
	}
	commit("r3")
	if want := []string{"_manifest.json", "notes.txt"}; !slices.Equal(names(), want) {
		t.Fatalf("after none: %q", names())
	}
}

func TestManifestDiffersInTheRunAlone(t *testing.T) {
	manifest := func(run string) []byte {
		o := New(t.TempDir())
		if err := o.Commit(t.Context(), run, writeShards(t, o, run, ".csv", "a", "b"), nil); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(o.dir, ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := manifest("run-1"), manifest("run-2")
	if !bytes.Equal(bytes.Replace(a, []byte("run-1"), []byte("run-2"), 1), b) {
		t.Errorf("%s\n%s", a, b)
	}
}

func TestCommitRefuses(t *testing.T) {
	file := func(t *testing.T) Output { return New(filepath.Join(t.TempDir(), "out.csv")) }
	folder := func(t *testing.T) Output { return New(t.TempDir()) }
	tests := []struct {
		name   string
		output func(*testing.T) Output
		spoil  func(t *testing.T, o Output, shards []Shard)
		want   string
	}{
		{"a file that is not its own", folder, func(t *testing.T, o Output, _ []Shard) {
			write(t, filepath.Join(o.dir, "part-00000-of-00002.csv"), "mine")
		}, "part-00000-of-00002.csv exists and is not of an earlier run"},
		{"a truncated shard", folder, func(t *testing.T, _ Output, s []Shard) { write(t, s[1].Path, "") }, "has 0 bytes, want 1"},
		{"a missing shard", folder, func(t *testing.T, _ Output, s []Shard) { os.Remove(s[1].Path) }, "no such file"},
		{"a damaged manifest", folder, func(t *testing.T, o Output, _ []Shard) {
			write(t, filepath.Join(o.dir, ManifestName), "{")
		}, "not written by a commit, or damaged"},
		{"a manifest that leads elsewhere", folder, func(t *testing.T, o Output, _ []Shard) {
			write(t, filepath.Join(o.dir, ManifestName), `{"files":[{"name":"../x"}]}`)
		}, `"../x" is not the name of a file`},
		{"a file with a truncated shard", file, func(t *testing.T, _ Output, s []Shard) { write(t, s[0].Path, "") }, "has 0 bytes, want 1"},
		{"a file with a missing shard", file, func(t *testing.T, _ Output, s []Shard) { os.Remove(s[0].Path) }, "1 of 2 shards are missing"},
		{"a file whose shards vanished", file, func(t *testing.T, _ Output, s []Shard) {
			os.Remove(s[0].Path)
			os.Remove(s[1].Path)
		}, "all 2 shards are missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := test.output(t)
			shards := writeShards(t, o, "r", ".csv", "a", "b")
			test.spoil(t, o, shards)
			before := tree(t, o.dir)
			err := o.Commit(t.Context(), "r", shards, concatenate)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want …%s…", err, test.want)
			}
			if after := tree(t, o.dir); len(after) != len(before) {
				t.Errorf("before %q, after %q", before, after)
			}
		})
	}
}

// A run that is given up leaves nothing, whether it wrote anything or not, and
// touches neither the output nor another run.
func TestDiscard(t *testing.T) {
	for _, name := range []string{"out.txt", "out/"} {
		dir := t.TempDir()
		o := New(dir + "/" + name)
		before := tree(t, dir)
		if err := o.Discard("never begun"); err != nil {
			t.Error(err)
		}
		other := writeShards(t, o, "other", ".txt", "of another run")
		writeShards(t, o, "failed", ".txt", "one", "two")
		for range 2 {
			if err := o.Discard("failed"); err != nil {
				t.Error(err)
			}
		}
		if exists(o.stage("failed")) {
			t.Errorf("%s: shards of the failed run are left", name)
		}
		if !exists(other[0].Path) {
			t.Errorf("%s: the shard of another run is gone", name)
		}
		if err := o.Discard("other"); err != nil {
			t.Error(err)
		}
		if exists(o.tempRoot()) || len(tree(t, dir)) != len(before) {
			t.Errorf("%s: left %v", name, tree(t, dir))
		}
	}
}

// A commit to a folder that was begun is not given up: its files are the output.
func TestDiscardKeepsBegunCommit(t *testing.T) {
	dir := t.TempDir()
	o := New(dir + "/out/")
	shards := writeShards(t, o, "run", ".txt", "one", "two")
	p, err := o.plan(t.Context(), "run", shards, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeJSON(filepath.Join(o.stage("run"), planName), filepath.Join(o.stage("run"), "tmp"), p); err != nil {
		t.Fatal(err)
	}
	if err := o.Discard("run"); err != nil {
		t.Fatal(err)
	}
	if _, pending := Pending(o.Path()); !pending || !exists(shards[0].Path) {
		t.Error("the begun commit is gone")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
