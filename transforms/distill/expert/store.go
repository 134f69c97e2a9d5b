package expert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"penstock.dev/data/commit"
	"penstock.dev/transforms/distill/labelled"
	"penstock.dev/transforms/models/nets"
	"penstock.dev/transforms/models/safetensors"
)

// Store keeps trajectories of one net, recipe and data set in a folder, a safetensors
// file an expert: points [epochs+1, parameters], velocity [parameters], losses [epochs].
// A file is replaced at once after every epoch, so an expert that was stopped goes on
// where it was, and asking for more epochs later adds to it.
type Store struct {
	Folder string // of all stores; each has a folder of its key in it
	Net    nets.Net
	Recipe Recipe
	Data   string // hash of the set
}

// Key names what the experts depend on.
func (s Store) Key() string {
	b, err := json.Marshal(struct {
		Data   string
		Net    nets.Net
		Recipe Recipe
	}{s.Data, s.Net, s.Recipe})
	if err != nil {
		panic(err) // of plain values
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Path is the file of an expert.
func (s Store) Path(number int) string {
	return filepath.Join(s.Folder, s.Key(), fmt.Sprintf("expert-%04d.safetensors", number))
}

// Train brings an expert to some epochs, from where the store has it.
func (s Store) Train(ctx context.Context, l *nets.Learner[float32], set *labelled.Set, number, epochs int) (*Trajectory, error) {
	path := s.Path(number)
	t, err := Read(path, s.Net.Parameters(), s.Key())
	if errors.Is(err, fs.ErrNotExist) {
		t, err = s.Recipe.Start(s.Net, number), nil
	}
	if err != nil {
		return nil, err
	}
	for len(t.Points) <= epochs {
		if err := s.Recipe.Epoch(ctx, l, set, number, t); err != nil {
			return nil, err
		}
		if err := t.write(path, s.Key()); err != nil {
			return nil, err
		}
	}
	t.Points, t.Losses = t.Points[:epochs+1], t.Losses[:epochs]
	return t, nil
}

// Names in the files.
const (
	tensorPoints   = "points"
	tensorVelocity = "velocity"
	tensorLosses   = "losses"
	metadataKey    = "key"
)

func (t *Trajectory) write(path, key string) error {
	parameters := len(t.velocity)
	flat, losses := make([]float32, 0, len(t.Points)*parameters), make([]float32, len(t.Losses))
	for _, p := range t.Points {
		flat = append(flat, p...)
	}
	for i, v := range t.Losses {
		losses[i] = float32(v)
	}
	return Replace(path, map[string]string{metadataKey: key},
		safetensors.Floats{Name: tensorPoints, Shape: []int{len(t.Points), parameters}, Values: flat},
		safetensors.Floats{Name: tensorVelocity, Shape: []int{parameters}, Values: t.velocity},
		safetensors.Floats{Name: tensorLosses, Shape: []int{len(losses)}, Values: losses})
}

// Replace puts a safetensors file in the place of another at once, durably: whoever
// reads or dies finds the old one or the new.
func Replace(path string, metadata map[string]string, tensors ...safetensors.Floats) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	err = errors.Join(safetensors.Write(f, metadata, tensors...), f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return commit.Sync(filepath.Dir(path))
}

// Read reads the trajectory of a network of so many parameters that was stored under a
// key.
func Read(path string, parameters int, key string) (*Trajectory, error) {
	tensors, metadata, err := Load(path)
	if err != nil {
		return nil, err
	}
	if metadata[metadataKey] != key {
		return nil, fmt.Errorf("%s: a trajectory of another data set, network or recipe (key %.12s, want %.12s): remove it", path, metadata[metadataKey], key)
	}
	points, velocity, losses := tensors[tensorPoints], tensors[tensorVelocity], tensors[tensorLosses]
	if len(velocity) != parameters || len(points) != parameters*(len(losses)+1) {
		return nil, fmt.Errorf("%s: no trajectory of %d parameters: remove it", path, parameters)
	}
	t := &Trajectory{velocity: velocity}
	for ; len(points) > 0; points = points[parameters:] {
		t.Points = append(t.Points, points[:parameters:parameters])
	}
	for _, v := range losses {
		t.Losses = append(t.Losses, float64(v))
	}
	return t, nil
}

// Load reads all tensors of a safetensors file, and its text.
func Load(path string) (tensors map[string][]float32, metadata map[string]string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	file, err := safetensors.New(f, info.Size())
	if err != nil {
		return nil, nil, fmt.Errorf("%s is damaged (%w): remove it", path, err)
	}
	tensors = map[string][]float32{}
	for _, name := range file.Names() {
		t, _ := file.Tensor(name)
		if tensors[name], err = t.Float32s(); err != nil {
			return nil, nil, fmt.Errorf("%s is damaged (%w): remove it", path, err)
		}
	}
	return tensors, file.Metadata(), nil
}
