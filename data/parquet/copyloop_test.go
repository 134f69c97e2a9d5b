package parquet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// BenchmarkCopyLoop is the peer of a pass-through graph: parquet-go's own rows
// from one file to another, with the settings of our writer. .ci/bench gives the
// file.
func BenchmarkCopyLoop(b *testing.B) {
	path := os.Getenv("PENSTOCK_BENCH_FILE")
	if path == "" {
		b.Skip("PENSTOCK_BENCH_FILE names no file (make bench does)")
	}
	for b.Loop() {
		if err := copyLoop(path, filepath.Join(b.TempDir(), "out.parquet")); err != nil {
			b.Fatal(err)
		}
	}
}

func copyLoop(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(in, info.Size())
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	// The file's own schema names encodings that a writer cannot take over.
	schema := parquet.NewSchema("row", parquet.Group{
		"id":   parquet.Optional(parquet.Leaf(parquet.Int64Type)),
		"text": parquet.Optional(parquet.String()),
	})
	reader := parquet.NewGenericReader[any](file, schema)
	defer reader.Close()
	writer := parquet.NewGenericWriter[any](out, schema, parquet.Compression(&parquet.Zstd),
		parquet.MaxRowsPerRowGroup(10000), parquet.PageBufferSize(1<<20), parquet.DataPageStatistics(false))
	if _, err := parquet.CopyRows(writer, reader); err != nil {
		return err
	}
	return writer.Close()
}
