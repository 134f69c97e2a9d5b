package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/data"
	"penstock.dev/data/parquet"
)

func inspectCommand() *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show the schema, metadata and first rows of a Parquet file",
		Example: `  penstock inspect out/scores.parquet
  penstock inspect data/samples/essays.parquet -n 1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed(inspect(cmd.Context(), cmd.OutOrStdout(), args[0], rows))
		},
	}
	cmd.Flags().IntVarP(&rows, "rows", "n", 3, "rows to show")
	return cmd
}

func inspect(ctx context.Context, w io.Writer, path string, rows int) error {
	f, err := parquet.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var bytes int64
	for _, g := range f.RowGroups() {
		bytes += g.Bytes
	}
	fmt.Fprintf(w, "%s: %s, %s, %.1f MB uncompressed\n\n", path, counted(int(f.Rows()), "row"), counted(len(f.RowGroups()), "row group"), float64(bytes)/1e6)
	if err := printSchema(w, f.Schema()); err != nil {
		return err
	}
	printMetadata(w, f.Metadata())
	if rows == 0 {
		return nil
	}
	records, err := headOf(ctx, f, rows)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	return printRecords(w, records, terminalWidth(w))
}

func printSchema(w io.Writer, s *data.Schema) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, f := range s.Fields() {
		null := ""
		if f.Nullable {
			null = "nullable"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", f.Name, f.Type, null)
	}
	return t.Flush()
}

// shortValue is the longest metadata value that is shown whole.
const shortValue = 100

func printMetadata(w io.Writer, metadata map[string]string) {
	var keys []string
	for key := range metadata {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i == 0 {
			fmt.Fprintln(w)
		}
		value := strings.Join(strings.Fields(metadata[key]), " ")
		if len(value) > shortValue {
			value = fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(value[:shortValue], ""), len(metadata[key]))
		}
		fmt.Fprintf(w, "  %s = %s\n", key, value)
	}
}

// errEnough ends a reading when there are rows enough.
var errEnough = errors.New("enough")

func headOf(ctx context.Context, f *parquet.File, rows int) ([]*data.Record, error) {
	var records []*data.Record
	err := f.Read(ctx, 0, len(f.RowGroups()), nil, func(row int64, values []data.Value) error {
		if len(records) == rows {
			return errEnough
		}
		records = append(records, &data.Record{Schema: f.Schema(), ID: data.ID{Source: "row", Row: row}, Values: slices.Clone(values)})
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return records, err
}
