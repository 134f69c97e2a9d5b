package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/graphs/draw"
)

// drawings are the forms that a graph can be drawn in.
var drawings = map[string]func(io.Writer, draw.Graph) error{
	"dot":     draw.DOT,
	"mermaid": draw.Mermaid,
	"svg":     draw.SVG,
	"html":    drawHTML,
}

func drawHTML(w io.Writer, g draw.Graph) error {
	if _, err := fmt.Fprintln(w, "<!doctype html><meta charset=utf-8><title>penstock graph</title>"); err != nil {
		return err
	}
	return draw.SVG(w, g)
}

func graphCommand() *cobra.Command {
	var form, file string
	cmd := &cobra.Command{
		Use:   "graph FILE",
		Short: "Draw a graph with the columns on its edges",
		Example: `  penstock graph -o svg pipeline.cue > pipeline.svg
  penstock graph -o mermaid pipeline.cue`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := drawings[form]
			if !ok {
				return fmt.Errorf("-o %s: want dot, mermaid, svg or html", form)
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			if file == "" {
				return failed(write(cmd.OutOrStdout(), graphs.Drawing(p, nil)))
			}
			f, err := os.Create(file)
			if err != nil {
				return failed(err)
			}
			defer f.Close()
			if err := write(f, graphs.Drawing(p, nil)); err != nil {
				return failed(err)
			}
			return failed(f.Close())
		},
	}
	tagFlag(cmd)
	cmd.Flags().StringVarP(&form, "output", "o", "mermaid", "form: dot, mermaid, svg or html")
	cmd.Flags().StringVarP(&file, "file", "f", "", "write to a file instead of standard output")
	return cmd
}
