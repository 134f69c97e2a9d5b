package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"penstock.dev/data"
	"penstock.dev/graphs"
	"penstock.dev/runners"
)

func previewCommand() *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use:   "preview FILE NODE",
		Short: "Show the first rows that leave a node",
		Long: `Preview runs the part of a graph that a node depends on and prints the first rows
of each of its output ports. It writes nothing and stops as soon as it has the
rows of the node's first port.`,
		Example: `  penstock preview graphs/examples/detect-text score -n 3`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rows < 1 {
				return fmt.Errorf("-n %d: want 1 row or more", rows)
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			n, ok := p.Node(args[1])
			if !ok {
				return unknownNode(p, args[1])
			}
			samples, err := runners.Preview(cmd.Context(), p, args[1], rows, runners.Options{Log: logger(cmd)})
			if err != nil {
				return failed(err)
			}
			w := cmd.OutOrStdout()
			for _, port := range append(n.Kind.Outputs, "in") {
				for ref, records := range samples {
					if ref.Port != port && port != "in" || ref.Node == args[1] && port == "in" || len(records) == 0 {
						continue
					}
					fmt.Fprintf(w, "%s: %s\n", ref, counted(len(records), "row"))
					if err := printRecords(w, records, terminalWidth(w)); err != nil {
						return failed(err)
					}
				}
			}
			return nil
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().IntVarP(&rows, "rows", "n", 5, "rows to show")
	return cmd
}

func unknownNode(p *graphs.Plan, name string) error {
	var names []string
	for _, n := range p.Nodes {
		names = append(names, n.Name)
	}
	return fmt.Errorf("%s: no node named %q (the graph has %s)", p.Graph.File, name, strings.Join(names, ", "))
}

// counted is a number with the noun that it counts.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printRecords prints records one below the other, a line for each column.
func printRecords(w io.Writer, records []*data.Record, width int) error {
	for _, r := range records {
		if _, err := fmt.Fprintf(w, "  %s\n", r.ID); err != nil {
			return err
		}
		longest := 0
		for _, name := range r.Schema.Names() {
			longest = max(longest, len(name))
		}
		for i, f := range r.Schema.Fields() {
			text := data.Format(r.Values[i], f.Type, max(20, width-longest-8))
			if _, err := fmt.Fprintf(w, "    %-*s  %s\n", longest, f.Name, text); err != nil {
				return err
			}
		}
	}
	return nil
}
