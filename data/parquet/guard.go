package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Limits on what a file may make the reader allocate. They lie far above what
// writers produce: pages are of about 1 MB and 20,000 values.
const (
	maxPageBytes  = 512 << 20 // of a page, unpacked
	maxPageValues = 1 << 24   // of a page
	maxOpenBytes  = 2 << 30   // of the largest page of every column of a row group together
	maxHeader     = 64 << 20  // of a page's header, which may hold its smallest and largest value
)

// checkTail checks the frame of a file before the library sees it, because the
// library allocates what the footer's length field says.
func checkTail(r io.ReaderAt, size int64) error {
	if size < 12 {
		return fmt.Errorf("not a Parquet file: %d bytes", size)
	}
	var head [4]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return err
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if string(head[:]) == "PARE" || string(tail[4:]) == "PARE" {
		return errors.New("the file is encrypted")
	}
	if string(head[:]) != "PAR1" || string(tail[4:]) != "PAR1" {
		return errors.New("not a Parquet file, or truncated: the mark PAR1 is missing at its head or end")
	}
	if footer := int64(binary.LittleEndian.Uint32(tail[:4])); footer > size-12 {
		return fmt.Errorf("damaged: a footer of %d bytes in a file of %d", footer, size)
	}
	return nil
}

// checkMetadata compares the footer with itself and with the size of the file.
func checkMetadata(m *format.FileMetaData, leaves []*node, size int64) error {
	if len(leaves) == 0 {
		return errors.New("it has no columns")
	}
	rows := int64(0)
	for i := range m.RowGroups {
		g := &m.RowGroups[i]
		if g.NumRows < 0 || g.NumRows > math.MaxInt64-rows {
			return fmt.Errorf("damaged: row group %d claims %d rows", i, g.NumRows)
		}
		rows += g.NumRows
		if len(g.Columns) != len(leaves) {
			return fmt.Errorf("damaged: row group %d has %d columns, the schema %d", i, len(g.Columns), len(leaves))
		}
		for j := range g.Columns {
			if err := checkChunk(&g.Columns[j], g.NumRows, leaves[j], size); err != nil {
				return fmt.Errorf("row group %d: column %s: %w", i, leaves[j].path, err)
			}
			// The library unpacks every chunk with the codec of the first.
			if first, own := m.RowGroups[0].Columns[j].MetaData.Codec, g.Columns[j].MetaData.Codec; own != first {
				return fmt.Errorf("row group %d: column %s: compressed with %v, earlier row groups with %v: rewrite the file with one codec", i, leaves[j].path, own, first)
			}
		}
	}
	if m.NumRows != rows {
		return fmt.Errorf("damaged: the file claims %d rows, its row groups %d", m.NumRows, rows)
	}
	return nil
}

func checkChunk(c *format.ColumnChunk, rows int64, leaf *node, size int64) error {
	m := &c.MetaData
	switch m.Codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
	case format.Lz4Raw:
		return errors.New("the codec LZ4_RAW is refused, for its pages can be read back wrong without notice: rewrite the file with zstd or snappy")
	default:
		return fmt.Errorf("the codec %v is not supported: rewrite the file with zstd or snappy", m.Codec)
	}
	if c.FilePath != "" {
		return errors.New("its data are in another file")
	}
	start, length := chunkRange(m)
	switch {
	case start < 4 || length < 0 || start > size-8 || length > size-8-start || m.DataPageOffset < start:
		return fmt.Errorf("damaged: %d bytes at %d in a file of %d", length, start, size)
	case m.TotalUncompressedSize < 0:
		return fmt.Errorf("damaged: %d bytes unpacked", m.TotalUncompressedSize)
	case m.NumValues < rows || leaf.maxRep == 0 && m.NumValues != rows:
		return fmt.Errorf("damaged: %d values in %d rows", m.NumValues, rows)
	case m.Type != leaf.physical:
		return fmt.Errorf("damaged: holds %v, the schema says %v", m.Type, leaf.physical)
	}
	return nil
}

// chunkRange is where the pages of a chunk lie.
func chunkRange(m *format.ColumnMetaData) (start, length int64) {
	start = m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		start = m.DictionaryPageOffset
	}
	return start, m.TotalCompressedSize
}

// checkPages walks over the page headers of a chunk and returns the size of the
// largest page, unpacked. The library allocates what a header says.
func checkPages(r io.ReaderAt, m *format.ColumnMetaData) (largest int64, err error) {
	start, length := chunkRange(m)
	values := int64(0)
	for at := int64(0); at < length; {
		header, n, err := pageHeader(r, start+at, length-at)
		if err != nil {
			return 0, err
		}
		at += n + int64(header.CompressedPageSize)
		if header.CompressedPageSize < 0 || header.UncompressedPageSize < 0 || at > length {
			return 0, fmt.Errorf("damaged: a page of %d bytes, %d unpacked", header.CompressedPageSize, header.UncompressedPageSize)
		}
		if header.UncompressedPageSize > maxPageBytes {
			return 0, fmt.Errorf("a page of %d bytes; %d are read at most", header.UncompressedPageSize, maxPageBytes)
		}
		count, err := pageValues(header)
		if err != nil {
			return 0, err
		}
		if header.Type != format.DictionaryPage {
			values += count
		}
		largest = max(largest, int64(header.UncompressedPageSize), count)
	}
	if values != m.NumValues {
		return 0, fmt.Errorf("damaged: %d values in its pages, the footer says %d", values, m.NumValues)
	}
	return largest, nil
}

// pageHeader reads the header at an offset and returns its length. It decodes
// from bytes already read, so that a length in it cannot exceed them.
func pageHeader(r io.ReaderAt, offset, remaining int64) (*format.PageHeader, int64, error) {
	var protocol thrift.CompactProtocol
	for n := int64(1 << 10); ; n *= 16 {
		prefix := make([]byte, min(n, remaining))
		if _, err := r.ReadAt(prefix, offset); err != nil && err != io.EOF {
			return nil, 0, err
		}
		header := new(format.PageHeader)
		b := protocol.NewReaderFromBytes(prefix)
		err := thrift.NewDecoder(b).Decode(header)
		if err == nil {
			return header, int64(b.BytesRead()), nil
		}
		if n >= remaining || n >= maxHeader {
			return nil, 0, fmt.Errorf("damaged: page header: %w", err)
		}
	}
}

// pageValues is the number of values in a page, nulls included.
func pageValues(h *format.PageHeader) (int64, error) {
	var n int32
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		n = h.DataPageHeader.V.NumValues
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v2 := &h.DataPageHeaderV2.V
		n = v2.NumValues
		levels := int64(v2.RepetitionLevelsByteLength) + int64(v2.DefinitionLevelsByteLength)
		if v2.RepetitionLevelsByteLength < 0 || v2.DefinitionLevelsByteLength < 0 || levels > int64(h.CompressedPageSize) || v2.NumNulls < 0 || v2.NumNulls > n {
			return 0, errors.New("damaged: page header")
		}
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		// A value of a dictionary takes a bit at least.
		if n = h.DictionaryPageHeader.V.NumValues; int64(n) > 8*int64(h.UncompressedPageSize) {
			return 0, fmt.Errorf("damaged: a dictionary of %d values in %d bytes", n, h.UncompressedPageSize)
		}
	default:
		return 0, fmt.Errorf("damaged: a page of type %v", h.Type)
	}
	if n < 0 || n > maxPageValues {
		return 0, fmt.Errorf("a page of %d values; %d are read at most", n, maxPageValues)
	}
	return int64(n), nil
}

// catch turns a panic of the library, which bytes of the file can cause, into
// an error.
func catch(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
