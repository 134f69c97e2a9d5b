package commit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary runs itself with these set: write to the output as run "new",
// and die at the given step, counted from 1.
const (
	childOutput = "PENSTOCK_COMMIT_OUTPUT"
	childStep   = "PENSTOCK_COMMIT_STEP"
)

var (
	oldContents = []string{"old 0", "old 1", "old 2"}
	newContents = []string{"new zero", "new one"}
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childOutput); path != "" {
		if err := dieAt(path, os.Getenv(childStep)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func dieAt(path, step string) error {
	left, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	o := New(path)
	o.at = func(name string) {
		if left--; left == 0 {
			fmt.Println(name)
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	shards, err := stageShards(o, "new", ".csv", newContents)
	if err != nil {
		return err
	}
	return o.Commit(context.Background(), "new", shards, concatenate)
}

// killAtEveryStep runs the child once for each step until one survives, and
// calls check with the name of the step at which it died.
func killAtEveryStep(t *testing.T, prepare func() Output, check func(o Output, step string)) {
	t.Helper()
	for n := 1; ; n++ {
		o := prepare()
		path := o.Path()
		if o.IsFolder() {
			path += "/"
		}
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childOutput+"="+path, childStep+"="+strconv.Itoa(n))
		child.Stderr = os.Stderr
		out, err := child.Output()
		if err == nil {
			if n < 7 {
				t.Fatalf("only %d steps", n-1)
			}
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatal(err)
		}
		check(o, strings.TrimSpace(string(out)))
	}
}

func TestKilledWritingAFile(t *testing.T) {
	prepare := func() Output {
		o := New(filepath.Join(t.TempDir(), "out.csv"))
		if err := o.Commit(t.Context(), "old", writeShards(t, o, "old", ".csv", oldContents...), concatenate); err != nil {
			t.Fatal(err)
		}
		return o
	}
	killAtEveryStep(t, prepare, func(o Output, step string) {
		b, err := os.ReadFile(o.Path())
		if got := string(b); err != nil || got != "old 0old 1old 2" && got != "new zeronew one" {
			t.Errorf("killed at %q: output is %q, %v", step, got, err)
		}
		rerun(t, o, step)
		if got := tree(t, o.dir); len(got) != 1 || got["out.csv"] != "new zeronew one" {
			t.Errorf("killed at %q, run again: %q", step, got)
		}
	})
}

func TestKilledWritingAFolder(t *testing.T) {
	prepare := func() Output {
		o := New(t.TempDir())
		if err := o.Commit(t.Context(), "old", writeShards(t, o, "old", ".csv", oldContents...), nil); err != nil {
			t.Fatal(err)
		}
		return o
	}
	killAtEveryStep(t, prepare, func(o Output, step string) {
		for name, content := range tree(t, o.dir) {
			if strings.HasPrefix(name, "part-") && !strings.Contains(strings.Join(append(oldContents, newContents...), "|"), content) {
				t.Errorf("killed at %q: %s is half a file: %q", step, name, content)
			}
		}
		if run, pending := Pending(o.dir); pending {
			if run != "new" {
				t.Errorf("killed at %q: run %q is pending", step, run)
			}
		} else {
			checkComplete(t, o, step)
		}
		rerun(t, o, step)
		if m := checkComplete(t, o, step); m != nil && m.Run != "again" {
			t.Errorf("killed at %q: the output is of run %s", step, m.Run)
		}
		if got := tree(t, o.dir); len(got) != len(newContents)+1 {
			t.Errorf("killed at %q, run again: %q", step, got)
		}
	})
}

// rerun commits once more, as the next run does, and as a repetition of the
// killed commit does.
func rerun(t *testing.T, o Output, step string) {
	t.Helper()
	shards := writeShards(t, o, "again", ".csv", newContents...)
	if err := o.Commit(t.Context(), "again", shards, concatenate); err != nil {
		t.Errorf("killed at %q, run again: %v", step, err)
	}
}

// checkComplete checks the folder against its manifest.
func checkComplete(t *testing.T, o Output, step string) *Manifest {
	t.Helper()
	m, err := ReadManifest(o.dir)
	if err != nil {
		t.Errorf("killed at %q: %v", step, err)
		return nil
	}
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(o.dir, f.Name))
		sum := sha256.Sum256(b)
		if err != nil || hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("killed at %q: %s is not what the manifest of run %s says: %q, %v", step, f.Name, m.Run, b, err)
		}
	}
	want := map[string]int{"old": len(oldContents), "new": len(newContents), "again": len(newContents)}[m.Run]
	if len(m.Files) != want {
		t.Errorf("killed at %q: run %s has %d files, want %d", step, m.Run, len(m.Files), want)
	}
	return m
}

// A commit that was killed can also be repeated as it was.
func TestKilledCommitRepeats(t *testing.T) {
	prepare := func() Output { return New(filepath.Join(t.TempDir(), "out") + "/") }
	killAtEveryStep(t, prepare, func(o Output, step string) {
		if step == "shard written" {
			return // it had not begun
		}
		var shards []Shard
		stage := o.stage("new")
		left, _ := os.ReadDir(stage)
		for i, c := range newContents {
			path := filepath.Join(stage, "gone.csv")
			for _, e := range left {
				if strings.HasPrefix(e.Name(), "bundle%2E"+string(rune('a'+i))) {
					path = filepath.Join(stage, e.Name())
				}
			}
			shards = append(shards, Shard{Path: path, Rows: int64(i + 1), Bytes: int64(len(c))})
		}
		if err := o.Commit(t.Context(), "new", shards, nil); err != nil {
			t.Errorf("killed at %q, repeated: %v", step, err)
		}
		if m := checkComplete(t, o, step); m != nil && m.Run != "new" {
			t.Errorf("killed at %q: the output is of run %s", step, m.Run)
		}
	})
}

func TestSweepSparesTheLiving(t *testing.T) {
	o := New(t.TempDir())
	living, _ := o.Temp("living", "a", ".csv")
	write(t, living, "half")
	elsewhere := filepath.Join(o.stage("elsewhere"), "a~other%2Ehost~1.csv")
	forgotten := filepath.Join(o.stage("forgotten"), "a~other%2Ehost~1.csv")
	for _, path := range []string{elsewhere, forgotten} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, "half")
	}
	longAgo := time.Now().Add(-deadAfter - time.Hour)
	for path := forgotten; path != o.tempRoot(); path = filepath.Dir(path) {
		if err := os.Chtimes(path, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Commit(t.Context(), "r", writeShards(t, o, "r", ".csv", "a"), nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{living: true, elsewhere: true, forgotten: false} {
		if exists(path) != want {
			t.Errorf("%s: exists %v, want %v", path, !want, want)
		}
	}
}
