package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Shard is a complete, closed temporary file.
type Shard struct {
	Path  string // from [Output.Temp]
	Rows  int64
	Bytes int64
}

// Merge makes one file, dst, of several shards in order. dst may exist, left
// from an attempt that was killed, and is overwritten.
type Merge func(ctx context.Context, dst string, shards []string) error

// Commit puts the shards of a run, in their order, in place of the previous
// output. merge is needed for a single file of several shards, where it may be
// nil if the caller knows that there is only one. A single file needs at least
// one shard; a folder without shards becomes an empty one.
//
// A commit that is repeated with the same arguments after it succeeded, or after
// it was killed halfway, succeeds. Commits to one folder wait for each other.
func (o Output) Commit(ctx context.Context, run string, shards []Shard, merge Merge) (err error) {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return fmt.Errorf("commit %s: %w", o.Path(), err)
	}
	unlock, err := o.lock()
	if err != nil {
		return fmt.Errorf("commit %s: %w", o.Path(), err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	place := o.commitFolder
	if !o.IsFolder() {
		place = func(ctx context.Context, run string, shards []Shard) error {
			return o.commitFile(ctx, run, shards, merge)
		}
	}
	if err := place(ctx, run, shards); err != nil {
		return fmt.Errorf("commit %s: %w", o.Path(), err)
	}
	o.step("placed")
	if err := os.RemoveAll(o.stage(run)); err != nil {
		return fmt.Errorf("commit %s: %w", o.Path(), err)
	}
	o.step("unstaged")
	o.sweep(run)
	return nil
}

// Discard removes the temporary files of a run that will not be committed, and
// those of dead runs. A commit to a folder that was begun keeps its files: the
// next one completes it.
func (o Output) Discard(run string) (err error) {
	if info, err := os.Stat(o.dir); err != nil || !info.IsDir() {
		return nil // nothing was ever put there
	}
	unlock, err := o.lock()
	if err != nil {
		return fmt.Errorf("%s: %w", o.Path(), err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if !exists(filepath.Join(o.stage(run), planName)) {
		if err := os.RemoveAll(o.stage(run)); err != nil {
			return fmt.Errorf("%s: %w", o.Path(), err)
		}
	}
	o.sweep(run)
	return nil
}

// commitFile renames the shard, or the merge of several, to the output's name.
func (o Output) commitFile(ctx context.Context, run string, shards []Shard, merge Merge) error {
	if len(shards) == 0 {
		return errors.New("a single file needs at least one shard")
	}
	done, err := o.fileCommitted(shards)
	if done || err != nil {
		return err
	}
	from := shards[0].Path
	if len(shards) > 1 {
		if from, err = o.merge(ctx, run, shards, merge); err != nil {
			return err
		}
	}
	if err := Sync(from); err != nil {
		return err
	}
	o.step("synced")
	if err := os.Rename(from, o.Path()); err != nil {
		return err
	}
	o.step("renamed")
	return Sync(o.dir)
}

// fileCommitted reports whether this commit is a repetition of one that
// succeeded: the shards are gone and the output is there, of the same size if it
// was a single shard.
func (o Output) fileCommitted(shards []Shard) (bool, error) {
	missing := 0
	for _, s := range shards {
		err := checkSize(s.Path, s.Bytes)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			return false, err
		}
	}
	if missing == 0 {
		return false, nil
	}
	if missing < len(shards) {
		return false, fmt.Errorf("%d of %d shards are missing from %s", missing, len(shards), filepath.Dir(shards[0].Path))
	}
	if len(shards) == 1 {
		if err := checkSize(o.Path(), shards[0].Bytes); err != nil {
			return false, fmt.Errorf("the shard is missing and the output is not it: %w", err)
		}
		return true, nil
	}
	if exists(filepath.Dir(shards[0].Path)) || !exists(o.Path()) {
		return false, fmt.Errorf("all %d shards are missing", len(shards))
	}
	return true, nil
}

func (o Output) merge(ctx context.Context, run string, shards []Shard, merge Merge) (string, error) {
	if merge == nil {
		return "", fmt.Errorf("%d shards cannot be made one file: write to a folder (a path that ends in \"/\")", len(shards))
	}
	paths := make([]string, len(shards))
	for i, s := range shards {
		paths[i] = s.Path
	}
	merged, err := o.Temp(run, "merged", extension(paths[0]))
	if err != nil {
		return "", err
	}
	if err := merge(ctx, merged, paths); err != nil {
		return "", errors.Join(fmt.Errorf("merging %d shards: %w", len(shards), err), os.RemoveAll(merged))
	}
	o.step("merged")
	return merged, nil
}

// checkSize returns an error if the file is missing or has not that many bytes.
func checkSize(path string, want int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() != want {
		return fmt.Errorf("%s has %d bytes, want %d", path, info.Size(), want)
	}
	return nil
}
