package nats

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// attempts counts how often messages were tried alone, in a file that outlives a
// process which one of them kills. The server's own count will not do: it grows
// for every message that was in flight when a process died.
type attempts struct {
	path  string
	tries map[uint64]int // by sequence; empty but for what is being tried, or killed a process
}

func openAttempts(path string) (*attempts, error) {
	a := &attempts{path: path, tries: map[uint64]int{}}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &a.tries)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w (remove it: it only counts attempts)", path, err)
	}
	return a, nil
}

// begin notes another try of a message.
func (a *attempts) begin(sequence uint64) error {
	a.tries[sequence]++
	return a.save()
}

// end forgets a message that was dealt with.
func (a *attempts) end(sequence uint64) error {
	if _, known := a.tries[sequence]; !known {
		return nil
	}
	delete(a.tries, sequence)
	return a.save()
}

// save replaces the file as a whole: a process may die at any moment. It need not
// reach the disk, for what it guards against leaves the machine running.
func (a *attempts) save() error {
	b, err := json.Marshal(a.tries)
	if err != nil {
		return err
	}
	temporary := a.path + ".new"
	if err := os.WriteFile(temporary, b, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, a.path)
}
