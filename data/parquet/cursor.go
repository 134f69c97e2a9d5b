package parquet

import (
	"errors"
	"io"

	"github.com/parquet-go/parquet-go"
)

// cursorValues is how many values a cursor unpacks at a time.
const cursorValues = 512

// cursor runs over the values of a column in a row group, nulls included, a page
// at a time. It stops at the first error and keeps it.
type cursor struct {
	leaf  *node
	pages parquet.Pages
	page  parquet.Page        // whose memory buf refers to
	rest  parquet.ValueReader // of page; nil when it is used up
	buf   []parquet.Value
	next  int // position in buf
	ended bool
	err   error
}

func newCursor(leaf *node, pages parquet.Pages) *cursor {
	return &cursor{leaf: leaf, pages: pages, buf: make([]parquet.Value, 0, cursorValues)}
}

// peek is the next value, nil at the end or after an error.
func (c *cursor) peek() *parquet.Value {
	if c.next < len(c.buf) || c.fill() {
		return &c.buf[c.next]
	}
	return nil
}

// take is peek and goes on to the value after.
func (c *cursor) take() *parquet.Value {
	v := c.peek()
	if v != nil {
		c.next++
	}
	return v
}

// continues reports whether the next value belongs to the same element of the
// given repetition level, or the same row for level 1, as the one before.
func (c *cursor) continues(rep int) bool {
	v := c.peek()
	return v != nil && v.RepetitionLevel() >= rep
}

func (c *cursor) fill() bool {
	if c.ended {
		return false
	}
	c.buf, c.next = c.buf[:0], 0
	for len(c.buf) == 0 {
		if c.rest == nil && !c.nextPage() {
			c.ended = true
			return false
		}
		n, err := c.rest.ReadValues(c.buf[:cap(c.buf)])
		c.buf = c.buf[:n]
		switch {
		case errors.Is(err, io.EOF):
			c.rest = nil
		case err != nil:
			c.stop(err)
			return false
		case n == 0:
			c.stop(errors.New("damaged: a page without progress"))
			return false
		}
	}
	return true
}

func (c *cursor) nextPage() bool {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	page, err := c.pages.ReadPage()
	if err != nil {
		if !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			c.stop(err)
		}
		return false
	}
	c.page, c.rest = page, page.Values()
	return true
}

func (c *cursor) stop(err error) {
	c.ended, c.err, c.buf = true, err, c.buf[:0]
}

// atRowEnd returns an error if the column failed or its levels do not let a new
// row begin here.
func (c *cursor) atRowEnd() error {
	if c.continues(1) {
		return errors.New("damaged: repetition levels disagree with the schema")
	}
	return c.err
}

// atEnd returns an error if there are values left.
func (c *cursor) atEnd() error {
	if c.peek() != nil {
		return errors.New("damaged: more values than rows")
	}
	return c.err
}

func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	c.pages.Close()
}
