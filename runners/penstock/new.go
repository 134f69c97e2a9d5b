package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/graphs/scaffold"
	"penstock.dev/runners"
	"penstock.dev/specs"
)

// triedRows is how many rows a new graph is tried on.
const triedRows = 10

func newGraphCommand() *cobra.Command {
	var o scaffold.Options
	var set []string
	var file string
	cmd := &cobra.Command{
		Use:   "new [KIND...]",
		Short: "Write a graph for a file of rows",
		Long: `New writes a graph that reads a file or folder, passes its rows through nodes of the
kinds that are named, and writes them. What the nodes need is guessed from the
columns and the first rows; --set says it instead. The graph is checked and tried on
ten rows before it is written, and overwrites none.`,
		Example: `  penstock new Filter Lastde --from texts.parquet
  penstock new Chunk WriteJSONL --from docs.jsonl --set size=200 -o chunks.cue
  penstock new RIGID --from images/ --set RIGID.model=models/dinov2-vits14`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Data == "" {
				return errors.New("--from: which file or folder holds the rows?")
			}
			o.Kinds, o.Set = args, map[string]string{}
			for _, pair := range set {
				field, value, ok := strings.Cut(pair, "=")
				if !ok || field == "" {
					return fmt.Errorf("--set %s: want field=value", pair)
				}
				o.Set[field] = value
			}
			return failed(newGraph(cmd, o, file))
		},
	}
	backendFlags(cmd)
	cmd.Flags().StringVar(&o.Data, "from", "", "file or folder of rows")
	cmd.Flags().StringArrayVar(&set, "set", nil, "a field of a node: field=value or KIND.field=value (may be repeated)")
	cmd.Flags().StringVarP(&file, "output", "o", "graph.cue", "file to write; - is standard output")
	return cmd
}

func newGraph(cmd *cobra.Command, o scaffold.Options, file string) error {
	text, err := scaffold.Graph(cmd.Context(), o)
	if err != nil {
		return err
	}
	tried, err := try(cmd.Context(), text, runners.Options{Limit: triedRows, Log: logger(cmd)})
	if err != nil {
		return fmt.Errorf("the graph that came out does not run: %w", err)
	}
	if file == "-" {
		_, err := cmd.OutOrStdout().Write(text)
		return err
	}
	switch err := writeNew(file, text); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s is there already: choose another file with -o", file)
	case err != nil:
		return err
	}
	return tellNew(cmd.OutOrStdout(), file, tried)
}

// try runs a graph on a few rows and returns what its nodes counted.
func try(ctx context.Context, text []byte, o runners.Options) ([]graphs.NodeCounts, error) {
	g, ds := specs.Parse("graph.cue", text, specs.Options{})
	if ds.Failed() {
		return nil, ds
	}
	plan, ds := graphs.NewPlan(g)
	if ds.Failed() {
		return nil, ds
	}
	c, err := runners.Collect(ctx, plan, o)
	if err != nil {
		return nil, err
	}
	for _, n := range c.Counts {
		if float64(n.Rejected) > plan.Graph.Run.MaxRejects*float64(n.In) {
			first := n.Rejects[0]
			return nil, fmt.Errorf("%s rejects %d of the first %d rows, such as %s: %s: %s", n.Node, n.Rejected, n.In, first.Examples[0].Row, first.Class, first.Examples[0].Message)
		}
	}
	return c.Counts, nil
}

func tellNew(w io.Writer, file string, counts []graphs.NodeCounts) error {
	fmt.Fprintf(w, "wrote %s; tried on the first rows:\n", file)
	for _, n := range counts {
		line := fmt.Sprintf("  %s: %s in", n.Node, counted(int(n.In), "row"))
		if n.Filtered > 0 {
			line += fmt.Sprintf(", %d filtered", n.Filtered)
		}
		fmt.Fprintln(w, line)
	}
	_, err := fmt.Fprintf(w, "next: penstock run %s\n", file)
	return err
}
