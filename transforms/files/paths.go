package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"penstock.dev/data/commit"
	"penstock.dev/transforms"
)

// input is a file that a source reads.
type input struct {
	Path string
	// Name is the file as ids of records show it: the last folder of the graph's
	// path and what lies below, with slashes. It is the same wherever the folder
	// lies and whatever machine reads it.
	Name string
	Size int64 // bytes
}

// expand lists the files a graph's path means, sorted by name: a file itself; in
// a folder and the folders below it, those with one of the extensions (all, if
// none is given); for a glob, those that match. Names that begin with "." or "_"
// are left out unless the path itself has them. Relative paths are relative to
// the working directory.
// Errors are *transforms.FieldError at the field path.
func expand(pattern string, extensions ...string) ([]input, error) {
	found, err := find(pattern, extensions)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, nothing(pattern, extensions)
	}
	slices.SortFunc(found, func(a, b input) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func find(pattern string, extensions []string) ([]input, error) {
	info, err := os.Stat(pattern)
	switch {
	case err == nil && info.IsDir():
		return walk(pattern, extensions)
	case err == nil:
		return []input{{pattern, filepath.Base(pattern), info.Size()}}, nil
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(pattern, "*?["):
		return nil, pathError(fmt.Sprintf("cannot open %s: %v", pattern, cause(err)), nearby(pattern))
	}
	return glob(pattern)
}

func walk(dir string, extensions []string) ([]input, error) {
	if run, pending := commit.Pending(dir); pending {
		return nil, pathError(fmt.Sprintf("%s is half written: run %s was stopped while it replaced the output", dir, run), "run the graph that writes it again")
	}
	var found []input
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p != dir && isHidden(d.Name()) {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() || !hasExtension(p, extensions) {
			return nil
		}
		in, ok, err := file(dir, p)
		if ok {
			found = append(found, in)
		}
		return err
	})
	if err != nil {
		return nil, pathError(err.Error(), "")
	}
	return found, nil
}

func glob(pattern string) ([]input, error) {
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, pathError(fmt.Sprintf("%s: %v", pattern, err), "brackets must be closed")
	}
	// Names are relative to the folder before the first part that is a pattern.
	dir := pattern
	for strings.ContainsAny(dir, "*?[") {
		dir = filepath.Dir(dir)
	}
	var found []input
	for _, p := range matches {
		in, ok, err := file(dir, p)
		if err != nil {
			return nil, pathError(err.Error(), "")
		}
		if ok && !hiddenMatch(pattern, p) {
			found = append(found, in)
		}
	}
	return found, nil
}

// file describes a file below dir; ok is false if it is not a regular one.
func file(dir, p string) (in input, ok bool, err error) {
	info, err := os.Stat(p) // follows links
	if err != nil || !info.Mode().IsRegular() {
		return input{}, false, err
	}
	rel, err := filepath.Rel(dir, p)
	if err != nil {
		return input{}, false, err
	}
	name := filepath.ToSlash(rel)
	if base := filepath.Base(dir); base != "." && base != ".." && base != string(filepath.Separator) {
		name = path.Join(base, name)
	}
	return input{p, name, info.Size()}, true, nil
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") }

// hiddenMatch reports whether a wildcard, not the graph itself, named a hidden
// file or folder.
func hiddenMatch(pattern, match string) bool {
	want, have := filepath.Clean(pattern), match
	for want != have {
		if isHidden(filepath.Base(have)) && !isHidden(filepath.Base(want)) {
			return true
		}
		want, have = filepath.Dir(want), filepath.Dir(have)
	}
	return false
}

func hasExtension(p string, extensions []string) bool {
	return len(extensions) == 0 || slices.ContainsFunc(extensions, func(ext string) bool {
		return strings.HasSuffix(strings.ToLower(p), ext)
	})
}

func nothing(pattern string, extensions []string) error {
	if info, err := os.Stat(pattern); err == nil && info.IsDir() {
		return pathError(fmt.Sprintf("no %s files in %s", strings.Join(extensions, " or "), pattern), nearby(filepath.Join(pattern, "x")))
	}
	return pathError(fmt.Sprintf("no file matches %s", pattern), nearby(pattern))
}

// nearby tells what there is in the folder of a path that leads nowhere.
func nearby(p string) string {
	const few = 5
	dir := filepath.Dir(p)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if !isHidden(e.Name()) {
			names = append(names, e.Name())
		}
	}
	switch {
	case len(names) == 0:
		return fmt.Sprintf("%s is empty", dir)
	case len(names) > few:
		names = append(names[:few], "…")
	}
	return fmt.Sprintf("%s has %s", dir, strings.Join(names, ", "))
}

// cause is the reason without the operation and path that os wraps around it.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func pathError(message, hint string) error {
	return &transforms.FieldError{Field: "path", Code: transforms.NoResource, Message: message, Hint: hint}
}
