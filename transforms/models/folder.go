package models

import (
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

// encoderPath is the folder an encoder's reference names.
func encoderPath(ref string) (string, error) {
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
