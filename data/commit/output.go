package commit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const tempName = ".penstock-tmp"

// partsName stands for a folder's shards where a single file would be named.
// It has no extension, so no single file is called that.
const partsName = "parts"

// Output is where a sink writes: a single file or a folder of shards.
type Output struct {
	dir  string // of the file, or the folder itself
	name string // of the file; empty for a folder

	// at is called between steps; tests kill the process there.
	at func(step string)
}

// New tells from the path what is to be written: shards in a folder if it ends
// in a slash, has no extension or is an existing folder, else a single file.
func New(path string) Output {
	info, err := os.Stat(path)
	isFolder := err == nil && info.IsDir()
	if isFolder || path == "" || os.IsPathSeparator(path[len(path)-1]) || filepath.Ext(path) == "" {
		return Output{dir: filepath.Clean(path)}
	}
	return Output{dir: filepath.Dir(path), name: filepath.Base(path)}
}

// IsFolder reports whether the output is shards in a folder.
func (o Output) IsFolder() bool { return o.name == "" }

// Path is the file or folder.
func (o Output) Path() string { return filepath.Join(o.dir, o.name) }

// Temp makes the folder for a shard's temporary file and returns the file's
// path; the file itself is the caller's to create, [Sync] and, if the shard is
// given up, remove. run is the run's id; attempt is unique within the run and
// output; ext is the extension with its dot (".parquet", ".jsonl.gz").
func (o Output) Temp(run, attempt, ext string) (string, error) {
	if run == "" || attempt == "" {
		return "", errors.New("commit: empty run or attempt")
	}
	stage := o.stage(run)
	err := os.MkdirAll(stage, 0o755)
	// A commit that ends now may have removed the empty parent.
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 10; try++ {
		err = os.MkdirAll(stage, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("%s: cannot make a place for temporary files: %w", o.Path(), err)
	}
	return filepath.Join(stage, escape(attempt)+OwnerMark()+ext), nil
}

// stage is the folder of the run's temporary files for this output.
func (o Output) stage(run string) string {
	name := o.name
	if o.IsFolder() {
		name = partsName
	}
	return filepath.Join(o.tempRoot(), escape(run), name)
}

func (o Output) tempRoot() string { return filepath.Join(o.dir, tempName) }

// extension is what Temp was given: all from the first dot of the name.
func extension(temp string) string {
	_, ext, found := strings.Cut(filepath.Base(temp), ".")
	if !found {
		return ""
	}
	return "." + ext
}

// escape makes a file name without dots or separators, different for different s.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '-' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Sync makes a closed file or a folder durable.
func Sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (o Output) step(name string) {
	if o.at != nil {
		o.at(name)
	}
}
