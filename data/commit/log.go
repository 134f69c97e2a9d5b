package commit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

const (
	logName   = "log"
	headBytes = 8 // of a frame: its length and checksum
	maxFrame  = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Log is a file of frames that only grows, for state that is rebuilt by reading it: what
// Append returned from survives the end of the process at any byte. A log that has
// grown long is written anew with Rewrite. One process at a time may have it. It is
// used by one goroutine.
//
// A frame is its length and its CRC-32C, 4 bytes each, little-endian, and its content.
type Log struct {
	path   string
	file   *os.File
	size   int64
	unlock func() error
	at     func(step string) // is called between steps; tests end there
}

// OpenLog makes the folder, or goes on with the log in it: replay gets the frames, in
// order, in a slice that is its own. A last frame that is not whole is what a process
// that died left, and is cut off; any other damage is an error.
func OpenLog(dir string, replay func(frame []byte) error) (_ *Log, err error) {
	l := &Log{path: filepath.Join(dir, logName), at: func(string) {}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if l.unlock, err = tryLock(dir); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := l.recover(replay); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", l.path, err), l.Close())
	}
	return l, nil
}

func (l *Log) recover(replay func([]byte) error) (err error) {
	if l.file, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(l.file, 1<<16)
	for {
		frame, err := readFrame(r, info.Size()-l.size)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = replay(frame)
		}
		if err != nil {
			return fmt.Errorf("at byte %d: %w", l.size, err)
		}
		l.size += headBytes + int64(len(frame))
	}
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	_, err = l.file.Seek(l.size, io.SeekStart)
	return errors.Join(err, l.file.Sync(), Sync(filepath.Dir(l.path)))
}

// readFrame reads the next of left bytes; io.EOF says that no whole frame is there.
func readFrame(r io.Reader, left int64) ([]byte, error) {
	var head [headBytes]byte
	if left < headBytes {
		return nil, io.EOF
	}
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(head[:]))
	if left -= headBytes; n == 0 || n > left {
		return nil, io.EOF
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	switch {
	case crc32.Checksum(frame, castagnoli) == binary.LittleEndian.Uint32(head[4:]):
		return frame, nil
	case n == left:
		return nil, io.EOF
	}
	return nil, errors.New("the log is damaged (restore the folder, or remove it and begin anew)")
}

func appendFrame(b, frame []byte) ([]byte, error) {
	if len(frame) == 0 || len(frame) > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes: 1 to %d are possible", len(frame), maxFrame)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(frame, castagnoli))
	return append(b, frame...), nil
}

// Append adds a frame of 1 to 2^30 bytes, which is durable when it returns. After an
// error the log must be opened anew.
func (l *Log) Append(frame []byte) error {
	b, err := appendFrame(nil, frame)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(b); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	l.at("written")
	l.size += int64(len(b))
	return l.file.Sync()
}

// Size is the length of the log in bytes.
func (l *Log) Size() int64 { return l.size }

// Rewrite puts a log of these frames in place of what there is, all at once.
func (l *Log) Rewrite(frames ...[]byte) (err error) {
	var b []byte
	for _, frame := range frames {
		if b, err = appendFrame(b, frame); err != nil {
			return err
		}
	}
	temp := l.path + ".new"
	file, err := os.Create(temp)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err = errors.Join(err, file.Sync()); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", temp, err), file.Close())
	}
	l.at("rewritten")
	if err := os.Rename(temp, l.path); err != nil {
		return errors.Join(err, file.Close())
	}
	l.at("renamed")
	old := l.file
	l.file, l.size = file, int64(len(b))
	return errors.Join(old.Close(), Sync(filepath.Dir(l.path)))
}

// Close lets another process have the log.
func (l *Log) Close() error {
	var err error
	if l.file != nil {
		err = l.file.Close()
	}
	return errors.Join(err, l.unlock())
}
