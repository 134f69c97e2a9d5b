package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
	maxIndex   = 64 << 20
)

// Model is the weights of one model: one file, or the shards of an index.
type Model struct {
	files   []string
	closers []io.Closer
	tensors map[string]*Tensor
}

// OpenFS opens the weights in a folder: model.safetensors, else the shards named by
// model.safetensors.index.json, else the only *.safetensors file there is.
func OpenFS(fsys fs.FS) (*Model, error) {
	names, err := weightFiles(fsys)
	if err != nil {
		return nil, err
	}
	m := &Model{tensors: map[string]*Tensor{}}
	for _, name := range names {
		if err := m.add(fsys, name); err != nil {
			m.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// Files lists the weight files that were opened, in order.
func (m *Model) Files() []string { return m.files }

// Names lists the tensors in alphabetical order.
func (m *Model) Names() []string { return sortedNames(m.tensors) }

// Tensor returns the named tensor; false when no file has it.
func (m *Model) Tensor(name string) (*Tensor, bool) {
	t, ok := m.tensors[name]
	return t, ok
}

// Close closes the files; tensors cannot be read afterwards.
func (m *Model) Close() error {
	var errs []error
	for _, c := range m.closers {
		errs = append(errs, c.Close())
	}
	m.closers = nil
	return errors.Join(errs...)
}

func (m *Model) add(fsys fs.FS, name string) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	m.closers = append(m.closers, file)
	info, err := file.Stat()
	if err != nil {
		return err
	}
	reader, ok := file.(io.ReaderAt)
	if !ok {
		return errors.New("file system gives no random access")
	}
	parsed, err := New(reader, info.Size())
	if err != nil {
		return err
	}
	for _, tensor := range parsed.Names() {
		if _, twice := m.tensors[tensor]; twice {
			return fmt.Errorf("tensor %q is in another shard too", tensor)
		}
		m.tensors[tensor] = parsed.tensors[tensor]
	}
	m.files = append(m.files, name)
	return nil
}

func weightFiles(fsys fs.FS) ([]string, error) {
	if _, err := fs.Stat(fsys, singleName); err == nil {
		return []string{singleName}, nil
	}
	if info, err := fs.Stat(fsys, indexName); err == nil {
		if info.Size() > maxIndex {
			return nil, fmt.Errorf("%s: %d bytes is over the limit of %d", indexName, info.Size(), maxIndex)
		}
		return shardNames(fsys)
	}
	names, err := fs.Glob(fsys, "*.safetensors")
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("no %s and no %s (%d other *.safetensors files)", singleName, indexName, len(names))
	}
	return names, nil
}

// shardNames reads the index. A shard must lie in the folder itself: an index is
// not a way to other files.
func shardNames(fsys fs.FS) ([]string, error) {
	data, err := fs.ReadFile(fsys, indexName)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", indexName, err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("%s: no weight_map", indexName)
	}
	var names []string
	for tensor, name := range index.WeightMap {
		if !fs.ValidPath(name) {
			return nil, fmt.Errorf("%s: tensor %q: shard %q is not a path inside the folder", indexName, tensor, name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
