package idx

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
)

var small = []byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}

func zipped(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func readAll(b []byte) (shape []int, items [][]byte, err error) {
	d, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	for {
		item, err := d.Next()
		if err == io.EOF {
			return d.Shape, items, nil
		}
		if err != nil {
			return nil, nil, err
		}
		items = append(items, item)
	}
}

func TestItemsComeInOrder(t *testing.T) {
	for _, b := range [][]byte{small, zipped(small)} {
		shape, items, err := readAll(b)
		if err != nil || !slices.Equal(shape, []int{1, 3}) || len(items) != 2 || !bytes.Equal(items[1], []byte{4, 5, 6}) {
			t.Errorf("shape %v, items %v, error %v", shape, items, err)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	edited := func(at int, to byte) []byte {
		b := slices.Clone(small)
		b[at] = to
		return b
	}
	for _, c := range []struct {
		file []byte
		want string
	}{
		{nil, "it ends within its header"},
		{small[:9], "it ends within its header"},
		{edited(0, 'P'), "no IDX file: it begins with 50 00 08 03"},
		{edited(2, 13), "elements of type 0x0d"},
		{edited(3, 0), "0 extents"},
		{edited(12, 0xff), "at most 67108864 bytes"},
		{edited(15, 0), "want at least 1"},
		{small[:20], "the file ends after 1 of 2 items"},
		{edited(4, 0xff), "the file ends after 2 of 4278190082 items"},
		{append(slices.Clone(small), 7), "the file goes on after its 2 items"},
		{zipped(small)[:30], "item"},
	} {
		if _, _, err := readAll(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(small)
	f.Add(zipped(small))
	f.Fuzz(func(t *testing.T, b []byte) {
		shape, items, err := readAll(b)
		if err != nil {
			return
		}
		size := 1
		for _, e := range shape {
			size *= e
		}
		for _, item := range items {
			if len(item) != size {
				t.Errorf("an item of %d bytes for %v", len(item), shape)
			}
		}
	})
}
