package commit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ManifestName is the name of a folder's manifest.
const ManifestName = "_manifest.json"

// Manifest lists what a commit put into a folder.
type Manifest struct {
	Run   string `json:"run"`
	Rows  int64  `json:"rows"`
	Files []File `json:"files"`
}

// File is a committed shard.
type File struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ReadManifest reads the manifest of a folder. The error is fs.ErrNotExist if
// it has none: nothing was committed to it, or a commit is under way.
func ReadManifest(dir string) (*Manifest, error) {
	m := new(Manifest)
	if err := readJSON(filepath.Join(dir, ManifestName), m); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if !isPlainName(f.Name) {
			return nil, fmt.Errorf("%s: %q is not the name of a file", filepath.Join(dir, ManifestName), f.Name)
		}
	}
	return m, nil
}

// lists reports whether the manifest has a file of that name; nil has none.
func (m *Manifest) lists(name string) bool {
	if m == nil {
		return false
	}
	for _, f := range m.Files {
		if f.Name == name {
			return true
		}
	}
	return false
}

func isPlainName(name string) bool {
	return filepath.IsLocal(name) && filepath.Base(name) == name && name != "."
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: not written by a commit, or damaged: %w", path, err)
	}
	return nil
}

// writeJSON makes the file appear whole and durable; temp is on the same file
// system.
func writeJSON(path, temp string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(temp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	if err := Sync(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

func sumFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		switch _, err := io.CopyN(h, f, 64<<20); {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(h.Sum(nil)), nil
		case err != nil:
			return "", err
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
