package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"penstock.dev/data/stream"
)

// Field is a field of a row. Quoted tells an empty string from a missing one.
type Field struct {
	Text   string
	Quoted bool
}

// Error says why rows cannot be read. Class is "parse" for text that is not
// CSV, "utf8" for text that is not UTF-8, "schema" for rows of other columns.
type Error struct{ Class, Message string }

func (e *Error) Error() string { return e.Message }

// Reader takes rows off a text.
type Reader struct {
	lines     *stream.Lines
	delimiter []byte
	max       int
	started   int64
	record    [][]byte // the raw lines of the row in hand
}

// NewReader reads rows of at most max bytes; 0 stands for stream.MaxLine.
func NewReader(r io.Reader, delimiter rune, max int) *Reader {
	if max <= 0 {
		max = stream.MaxLine
	}
	return &Reader{lines: stream.NewLines(r, max), delimiter: []byte(string(delimiter)), max: max}
}

// Line is the number of the line on which the row read last began, from 1.
func (r *Reader) Line() int64 { return r.started }

// Next reads a row; empty lines are passed over. An *Error costs one line: the
// next call goes on behind it. Other errors are the source's; io.EOF is the end.
func (r *Reader) Next() ([]Field, error) {
	for {
		line, err := r.lines.NextRaw()
		r.started = r.lines.Number()
		switch {
		case errors.Is(err, stream.ErrTooLong):
			return nil, &Error{"parse", fmt.Sprintf("the line exceeds %d bytes", r.max)}
		case err != nil:
			return nil, err
		case len(trimEnd(line)) == 0:
			continue
		}
		return r.row(line)
	}
}

// row parses a row that begins with the line and, where a quoted field runs over
// its end, goes on with the next ones. A quote that never ends costs its own
// line alone: those behind it are read again.
func (r *Reader) row(line []byte) ([]Field, error) {
	p := parser{delimiter: r.delimiter}
	r.record = append(r.record[:0], bytes.Clone(line))
	size := len(line)
	for {
		done, err := p.line(r.record[len(r.record)-1])
		if err == nil && done {
			if err = p.validate(); err == nil {
				return p.fields, nil
			}
			return nil, err
		}
		if err == nil {
			err = r.more(&size)
		}
		if err != nil {
			if wrong := (*Error)(nil); !errors.As(err, &wrong) {
				return nil, err
			}
			r.lines.Undo(r.record[1:], r.started+1)
			return nil, err
		}
	}
}

// more reads another line of the row.
func (r *Reader) more(size *int) error {
	line, err := r.lines.NextRaw()
	*size += len(line)
	switch {
	case err == io.EOF:
		return &Error{"parse", "a quote has no end"}
	case errors.Is(err, stream.ErrTooLong) || err == nil && *size > r.max:
		if err == nil {
			r.record = append(r.record, bytes.Clone(line))
		}
		return &Error{"parse", fmt.Sprintf("a quote has no end within %d bytes", r.max)}
	case err != nil:
		return err
	}
	r.record = append(r.record, bytes.Clone(line))
	return nil
}

// parser takes a row apart line by line.
type parser struct {
	delimiter []byte
	fields    []Field
	open      bool // inside a quoted field
	text      []byte
}

// line parses a line with its end; done is false if a quoted field is open.
func (p *parser) line(line []byte) (done bool, err error) {
	for {
		if p.open {
			end := bytes.IndexByte(line, '"')
			if end < 0 {
				p.text = append(p.text, line...)
				return false, nil
			}
			p.text = append(p.text, line[:end]...)
			line = line[end+1:]
			if len(line) > 0 && line[0] == '"' {
				p.text = append(p.text, '"')
				line = line[1:]
				continue
			}
			p.add(string(p.text), true)
			p.open = false
		} else if len(line) > 0 && line[0] == '"' {
			p.open, p.text = true, p.text[:0]
			line = line[1:]
			continue
		} else {
			end := p.unquotedEnd(line)
			if bytes.IndexByte(line[:end], '"') >= 0 {
				return false, &Error{"parse", fmt.Sprintf("field %d has a quote inside: quote the field and double the quote", len(p.fields)+1)}
			}
			p.add(string(line[:end]), false)
			line = line[end:]
		}
		switch {
		case len(trimEnd(line)) == 0:
			return true, nil
		case !bytes.HasPrefix(line, p.delimiter):
			return false, &Error{"parse", fmt.Sprintf("text behind the quotes of field %d", len(p.fields))}
		}
		line = line[len(p.delimiter):]
	}
}

// unquotedEnd is the length of the unquoted field at the head of the line.
func (p *parser) unquotedEnd(line []byte) int {
	if end := bytes.Index(line, p.delimiter); end >= 0 {
		return end
	}
	return len(trimEnd(line))
}

func (p *parser) add(text string, quoted bool) {
	p.fields = append(p.fields, Field{text, quoted})
}

func (p *parser) validate() error {
	for i, f := range p.fields {
		if !utf8.ValidString(f.Text) {
			return &Error{"utf8", fmt.Sprintf("field %d is not UTF-8", i+1)}
		}
	}
	return nil
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}
