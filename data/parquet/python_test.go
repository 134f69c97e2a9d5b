package parquet

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Other readers see no difference between a file of theirs and its copy.
func TestOthersSeeTheSame(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	if err := exec.Command(python, "-c", "import pyarrow, duckdb").Run(); err != nil {
		t.Skip("python3 lacks pyarrow or duckdb")
	}
	args := []string{"testdata/compare.py"}
	for _, path := range typeFiles {
		schema, rows := readAll(t, path)
		copied := filepath.Join(t.TempDir(), filepath.Base(path))
		writeAll(t, copied, schema, Options{}, rows)
		merged := filepath.Join(t.TempDir(), "merged-"+filepath.Base(path))
		head, tail := copied+".head", copied+".tail"
		writeAll(t, head, schema, Options{RowsPerGroup: 1}, rows[:1])
		writeAll(t, tail, schema, Options{}, rows[1:])
		if err := Merge(t.Context(), merged, Options{RowsPerGroup: 2}, head, tail); err != nil {
			t.Fatal(err)
		}
		args = append(args, path, copied, path, merged)
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
