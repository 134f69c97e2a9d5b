package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"penstock.dev/runners/equal"
)

func equalCommand() *cobra.Command {
	var o equal.Options
	cmd := &cobra.Command{
		Use:   "equal FILE",
		Short: "Certify that a stream graph gives what a batch of it gives",
		Long: `Equal publishes the rows of a file as events to a server of its own, lets the
stream graph take them, runs the same nodes as a batch over the same rows, and
compares what each PublishNATS was given and what became of the rows at each
node. Nothing that the graph names is connected to or written. The exit status
is 0 if all is equal, numbers within the tolerance, and 1 otherwise.`,
		Example: `  penstock equal graphs/examples/stream-detect --input data/samples/news-and-stories.parquet
  penstock equal graph.cue --input rows.jsonl --limit 100 --tolerance 0`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.Input == "":
				return errors.New("--input: which file holds rows with the columns of the events?")
			case o.Run.Limit < 0:
				return fmt.Errorf("--limit %d: want a number of rows, or 0 for all", o.Run.Limit)
			case !(o.Tolerance >= 0):
				return fmt.Errorf("--tolerance %g: want a number, 0 or above", o.Tolerance)
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			work, err := os.MkdirTemp("", "penstock-equal-*")
			if err != nil {
				return failed(err)
			}
			defer os.RemoveAll(work)
			o.Run.Work, o.Run.Version, o.Run.Command, o.Run.Log = work, version(), os.Args, logger(cmd)
			c, err := equal.Run(cmd.Context(), p, o)
			if err != nil {
				return failed(err)
			}
			return failed(certify(cmd.OutOrStdout(), c, o.Tolerance))
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().StringVar(&o.Input, "input", "", "file of rows: .parquet, .jsonl or .csv; several by a pattern")
	cmd.Flags().Int64Var(&o.Run.Limit, "limit", 0, "publish at most this many rows")
	cmd.Flags().Float64Var(&o.Tolerance, "tolerance", 1e-6, "largest difference of two numbers, relative to those above 1")
	return cmd
}

// certify prints how the two compare; the error says that they differ.
func certify(w io.Writer, c *equal.Comparison, tolerance float64) error {
	fmt.Fprintf(w, "%s, %d of them rejected by the source\n", counted(int(c.Events), "event"), c.Rejected)
	differing := 0
	for _, s := range c.Sinks {
		where := ""
		if s.Largest > 0 {
			where = fmt.Sprintf(" (column %s of row %s)", s.Column, s.Row)
		}
		fmt.Fprintf(w, "%s: %s, largest difference %.3g%s\n", s.Node, counted(s.Rows, "row"), s.Largest, where)
		for _, example := range s.Examples {
			fmt.Fprintln(w, "  "+example)
		}
		differing += s.Differing
	}
	for _, n := range c.Nodes {
		fmt.Fprintln(w, n)
	}
	if !c.Equal() {
		return fmt.Errorf("stream and batch differ: %s, and %s", counted(differing, "row"), counted(len(c.Nodes), "count of a node"))
	}
	fmt.Fprintf(w, "equal within %g\n", tolerance)
	return nil
}
