package commit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	idsName   = ".penstock-ids"
	idsExt    = ".ids"
	idBytes   = 16
	knownRows = 1 << 17 // of which the ids are kept, and those of the file that the last belongs to
)

var errLocked = errors.New("another process writes to it (give each a path of its own)")

// Series is a folder that gets another file from time to time, each complete when it
// appears. It knows the ids of the rows of its last files, so that a row that comes
// again, because a process died before it could say that the row was stored, is not
// stored twice. One process at a time may have it. It is used by one goroutine.
//
// The ids of a file lie in .penstock-ids, where they are durable before the file
// is renamed to its name, which is the commit.
type Series struct {
	dir    string
	unlock func() error
	known  map[[idBytes]byte]bool
	files  []seriesFile // whose ids are known, oldest first

	// at is called between steps; tests end there.
	at func(step string)
}

type seriesFile struct {
	name string // with its extension
	ids  [][idBytes]byte
}

// OpenSeries makes the folder, or goes on with it: what a process that died had not
// completed is removed.
func OpenSeries(dir string) (_ *Series, err error) {
	s := &Series{dir: filepath.Clean(dir), known: map[[idBytes]byte]bool{}, at: func(string) {}}
	if err := os.MkdirAll(s.idsDir(), 0o755); err != nil {
		return nil, err
	}
	if s.unlock, err = tryLock(s.idsDir()); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := s.recover(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, errors.Join(err, s.unlock()))
	}
	return s, nil
}

func (s *Series) idsDir() string { return filepath.Join(s.dir, idsName) }

func (s *Series) idsPath(name string) string { return filepath.Join(s.idsDir(), name+idsExt) }

// recover removes what is not complete and reads the ids of the last files.
func (s *Series) recover() error {
	entries, err := os.ReadDir(s.idsDir())
	if err != nil {
		return err
	}
	rows := 0
	for _, e := range slices.Backward(entries) { // names rise with time
		path := filepath.Join(s.idsDir(), e.Name())
		name, isIDs := strings.CutSuffix(e.Name(), idsExt)
		if !isIDs || rows >= knownRows || !exists(filepath.Join(s.dir, name)) {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f := seriesFile{name: name}
		for chunk := range slices.Chunk(b, idBytes) {
			if len(chunk) < idBytes {
				return fmt.Errorf("%s is damaged (without it, rows whose storing was not acknowledged would be stored again)", path)
			}
			f.ids = append(f.ids, [idBytes]byte(chunk))
			s.known[[idBytes]byte(chunk)] = true
		}
		rows += len(f.ids)
		s.files = append(s.files, f)
	}
	slices.Reverse(s.files)
	return nil
}

// Knows reports whether a row is in one of the last files.
func (s *Series) Knows(id string) bool { return s.known[idOf(id)] }

func idOf(id string) [idBytes]byte {
	sum := sha256.Sum256([]byte(id))
	return [idBytes]byte(sum[:idBytes])
}

// Temp is a path for a file that is not complete; a process that dies leaves it to
// the next to be removed.
func (s *Series) Temp(ext string) string {
	return filepath.Join(s.idsDir(), "growing"+ext)
}

// Add puts a closed file from Temp in place, with the ids of its rows, and returns
// its path. When it returns without an error both are durable.
func (s *Series) Add(temp string, ids []string) (path string, err error) {
	f := seriesFile{name: s.nextName(filepath.Ext(temp))}
	var b []byte
	for _, id := range ids {
		hash := idOf(id)
		f.ids = append(f.ids, hash)
		b = append(b, hash[:]...)
	}
	path = filepath.Join(s.dir, f.name)
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"synced", func() error { return Sync(temp) }},
		{"ids written", func() error { return os.WriteFile(s.idsPath(f.name), b, 0o644) }},
		{"ids synced", func() error { return errors.Join(Sync(s.idsPath(f.name)), Sync(s.idsDir())) }},
		{"renamed", func() error { return os.Rename(temp, path) }},
		{"durable", func() error { return Sync(s.dir) }},
	} {
		if err := step.do(); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		s.at(step.name)
	}
	s.files = append(s.files, f)
	for _, id := range f.ids {
		s.known[id] = true
	}
	return path, s.forget()
}

// nextName names a file after the time, and behind all there are.
func (s *Series) nextName(ext string) string {
	now := time.Now().UTC()
	for {
		name := "part-" + now.Format("20060102T150405.000000Z") + ext
		if (len(s.files) == 0 || name > s.files[len(s.files)-1].name) && !exists(filepath.Join(s.dir, name)) {
			return name
		}
		now = now.Add(time.Microsecond)
	}
}

// forget drops the ids of the oldest files, as long as enough are known.
func (s *Series) forget() error {
	rows := 0
	for _, f := range s.files {
		rows += len(f.ids)
	}
	for len(s.files) > 1 && rows-len(s.files[0].ids) >= knownRows {
		oldest := s.files[0]
		s.files = s.files[1:]
		rows -= len(oldest.ids)
		for _, id := range oldest.ids {
			delete(s.known, id)
		}
		if err := os.Remove(s.idsPath(oldest.name)); err != nil {
			return err
		}
	}
	return nil
}

// Close lets another process have the series.
func (s *Series) Close() error { return s.unlock() }
