// Package memo keeps what has been paid for: values by the hash of what they answer,
// in files that only grow. It survives the end of the process at any byte.
//
// A memo is a folder of segments. Every process writes segments of its own, so
// several may use one folder at once; those that were there when it opened the memo
// are read. A line of a segment is a checksum (CRC-32C of the rest, eight hexadecimal
// digits), the key and the value as JSON. A last line without an end is what a killed
// process left; any other line whose checksum does not hold is damage, which costs
// that line and is told.
package memo

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key is the SHA-256 of what a value answers.
type Key [sha256.Size]byte

// KeyOf hashes the JSON encoding of a value that holds all the answer depends on.
func KeyOf(question any) (Key, error) {
	b, err := json.Marshal(question)
	return sha256.Sum256(b), err
}

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Memo is a store of values. Its methods may be called from several goroutines.
type Memo struct {
	dir string

	mutex   sync.Mutex
	index   map[Key]place
	files   []*os.File // segments that were there
	own     *os.File   // made with the first value
	end     int64      // of own
	synced  time.Time
	damaged int
	example string // where the first damage lies
}

// place is where a value's line lies. The line is checked again when it is read.
type place struct {
	file   *os.File
	offset int64
	length int
}

const (
	suffix       = ".memo"
	syncInterval = time.Second
	maxLine      = 64 << 20 // bytes; a longer line is damage
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open reads the segments of a folder, which need not exist. An empty dir makes a
// memo that keeps nothing beyond its Close.
func Open(dir string) (_ *Memo, err error) {
	m := &Memo{dir: dir, index: map[Key]place{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if dir == "" {
		if m.dir, err = os.MkdirTemp("", "penstock-memo-*"); err != nil {
			return nil, err
		}
		// Nobody else finds it: the folder goes at once, the segment with its last user.
		defer os.RemoveAll(m.dir)
		return m, m.create()
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		if err := m.load(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// load indexes a segment.
func (m *Memo) load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	m.files = append(m.files, f)
	r := bufio.NewReaderSize(f, 1<<16)
	var offset int64
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		switch {
		case err == io.EOF:
			return nil // what is left without an end was never acknowledged
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		}
		if key, _, ok := parse(line); ok {
			m.index[key] = place{f, offset, len(line)}
		} else if m.damaged++; m.example == "" {
			m.example = fmt.Sprintf("%s, line %d", path, number)
		}
		offset += int64(len(line))
	}
}

// parse checks a line and takes it apart.
func parse(line []byte) (key Key, value []byte, ok bool) {
	const sum, at = 8, 8 + 1 + 2*sha256.Size
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) > maxLine || len(line) <= at || line[sum] != ' ' || line[at] != ' ' {
		return key, nil, false
	}
	if fmt.Sprintf("%08x", crc32.Checksum(line[sum+1:], castagnoli)) != string(line[:sum]) {
		return key, nil, false
	}
	_, err := hex.Decode(key[:], line[sum+1:at])
	return key, line[at+1:], err == nil
}

// Get fills value with what is kept under a key and reports whether there is any. A
// line that was damaged since it was opened counts as none.
func (m *Memo) Get(key Key, value any) bool {
	m.mutex.Lock()
	p, there := m.index[key]
	m.mutex.Unlock()
	if !there {
		return false
	}
	line := make([]byte, p.length)
	if _, err := p.file.ReadAt(line, p.offset); err == nil {
		if found, b, ok := parse(line); ok && found == key && json.Unmarshal(b, value) == nil {
			return true
		}
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.index, key)
	if m.damaged++; m.example == "" {
		m.example = p.file.Name()
	}
	return false
}

// Has reports whether there is a value under a key.
func (m *Memo) Has(key Key) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	_, there := m.index[key]
	return there
}

// Put keeps a value. When it returns, the value survives the end of the process; the
// machine's, once a second has gone by.
func (m *Memo) Put(key Key, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	rest := fmt.Appendf(nil, "%s %s", key, b)
	line := fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(rest, castagnoli), rest)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.own == nil {
		if err := m.create(); err != nil {
			return err
		}
	}
	if _, err := m.own.WriteAt(line, m.end); err != nil {
		return fmt.Errorf("%s: %w", m.own.Name(), err)
	}
	m.index[key] = place{m.own, m.end, len(line)}
	m.end += int64(len(line))
	if time.Since(m.synced) > syncInterval {
		m.synced = time.Now()
		return m.own.Sync()
	}
	return nil
}

// create makes the segment of this process.
func (m *Memo) create() error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	name := time.Now().UTC().Format("20060102-150405.000") + "-" + strings.ToLower(rand.Text()[:8]) + suffix
	var err error
	m.own, err = os.OpenFile(filepath.Join(m.dir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	m.synced = time.Now()
	return err
}

// Len is the number of values.
func (m *Memo) Len() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.index)
}

// Damage is the number of lines that were lost to damage, and where the first of
// them lies.
func (m *Memo) Damage() (lines int, example string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.damaged, m.example
}

// Close makes the values durable.
func (m *Memo) Close() error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var errs []error
	if m.own != nil {
		errs = append(errs, m.own.Sync(), m.own.Close())
	}
	for _, f := range slices.Clone(m.files) {
		errs = append(errs, f.Close())
	}
	m.own, m.files, m.index = nil, nil, map[Key]place{}
	return errors.Join(errs...)
}
