package models

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"penstock.dev/transforms/models/safetensors"
)

// encoderFolder is an opened folder of an encoder: config.json, *.safetensors and
// what else belongs to it.
type encoderFolder struct {
	files   fs.FS
	config  []byte
	weights map[string]tensor
	hash    string
	close   func() error
}

// encoderPath is the folder an encoder's reference names: a path, or minilm, which
// "make models" fetches.
func encoderPath(ref string) (string, error) {
	if ref == "minilm" {
		cache, err := cacheFolder()
		if err != nil {
			return "", err
		}
		folder := filepath.Join(cache, "models", ref)
		if _, err := os.Stat(folder); err != nil {
			return "", fmt.Errorf("not in the cache (%s); `make models` fetches it", folder)
		}
		return folder, nil
	}
	path, err := filepath.Abs(ref)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil || ref == "" {
		return "", fmt.Errorf("no such folder (want config.json and *.safetensors in it)")
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return "", fmt.Errorf("not a folder (want config.json and *.safetensors in it)")
	}
	return path, nil
}

// openEncoder opens a folder; further names files that belong to the model if they
// are there. Names of weights lose the prefixes that some files have.
func openEncoder(path string, prefixes []string, further ...string) (*encoderFolder, error) {
	files := os.DirFS(path)
	config, err := readJSON(files, configName)
	if err != nil {
		return nil, err
	}
	opened, err := safetensors.OpenFS(files)
	if err != nil {
		return nil, err
	}
	names := append(slices.Clone(opened.Files()), configName)
	for _, name := range further {
		if _, err := fs.Stat(files, name); err == nil {
			names = append(names, name)
		}
	}
	hash, err := hashFiles(files, names)
	if err != nil {
		opened.Close()
		return nil, err
	}
	f := &encoderFolder{files: files, config: config, weights: map[string]tensor{}, hash: hash, close: opened.Close}
	for _, name := range opened.Names() {
		t, _ := opened.Tensor(name)
		f.weights[withoutPrefix(name, prefixes)] = t
	}
	return f, nil
}

// checkFolder opens the folder of a reference and checks it, once a process.
func checkFolder(ref, shape string, open func(path string) (*encoderFolder, error), check func(*encoderFolder) error) (hash string, err error) {
	path, err := encoderPath(ref)
	if err == nil {
		if known, ok := checked.Load(shape + path); ok {
			return known.(string), nil
		}
		var f *encoderFolder
		if f, err = open(path); err == nil {
			hash = f.hash
			err = errors.Join(check(f), f.close())
		}
	}
	if err != nil {
		return "", fmt.Errorf("model %s: %w", ref, err)
	}
	checked.Store(shape+path, hash)
	return hash, nil
}
