package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
)

// MaxLine is the default bound on the bytes of a line.
const MaxLine = 64 << 20

// ErrTooLong says that a line exceeds the bound. The line has been skipped.
var ErrTooLong = errors.New("line too long")

// Lines reads a text line by line.
type Lines struct {
	src    *bufio.Reader
	max    int
	number int64
	line   []byte
	undone [][]byte // lines to be read again
}

// NewLines reads lines of at most max bytes; 0 stands for MaxLine. A byte order
// mark at the beginning is dropped.
func NewLines(r io.Reader, max int) *Lines {
	if max <= 0 {
		max = MaxLine
	}
	l := &Lines{src: bufio.NewReaderSize(r, bufferBytes), max: max}
	if head, _ := l.src.Peek(3); bytes.Equal(head, []byte("\uFEFF")) {
		l.src.Discard(3)
	}
	return l
}

// Number is the number of the line read last, counted from 1.
func (l *Lines) Number() int64 { return l.number }

// Next reads a line without its end ("\n" or "\r\n"). The bytes are valid until
// the next call. The error is io.EOF after the last line, ErrTooLong for a line
// that was skipped, or one of the source.
func (l *Lines) Next() ([]byte, error) {
	line, err := l.raw()
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), err
}

// NextRaw is Next with the line's end.
func (l *Lines) NextRaw() ([]byte, error) { return l.raw() }

// Undo makes the lines, with their ends, the next to be read; the first of them
// has the given number.
func (l *Lines) Undo(lines [][]byte, first int64) {
	l.undone = slices.Concat(lines, l.undone)
	l.number = first - 1
}

func (l *Lines) raw() ([]byte, error) {
	if len(l.undone) > 0 {
		line := l.undone[0]
		l.undone = l.undone[1:]
		l.number++
		return line, nil
	}
	l.line = l.line[:0]
	tooLong := false
	for {
		part, err := l.src.ReadSlice('\n')
		if tooLong = tooLong || len(l.line)+len(part) > l.max; !tooLong {
			l.line = append(l.line, part...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, err
		case err == io.EOF && len(l.line) == 0 && !tooLong:
			return nil, io.EOF
		}
		l.number++
		if tooLong {
			return nil, ErrTooLong
		}
		return l.line, nil
	}
}
