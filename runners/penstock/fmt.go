package main

import (
	"errors"
	"fmt"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"penstock.dev/specs"
)

func fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt FILE...",
		Short: "Lay out graphs in the language's one way",
		Long: `Fmt lays out the CUE files of graphs, their test files too, as "cue fmt" does, and
prints the names of those it changed. With --check it changes none, shows what it
would change, and exits with 1 if that is anything.`,
		Example: `  penstock fmt graphs/examples/detect-text
  penstock fmt --check graph.cue`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changed := 0
			for _, path := range args {
				edits, err := specs.Format(path, specs.Options{})
				if err != nil {
					return invalid(cmd, err)
				}
				changed += len(edits)
				if err := lay(cmd, edits, check); err != nil {
					return failed(err)
				}
			}
			if check && changed > 0 {
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; show what is laid out otherwise")
	return cmd
}

// lay writes files in their new layout, or shows it.
func lay(cmd *cobra.Command, edits []specs.FileEdit, check bool) error {
	for _, e := range edits {
		if check {
			if _, err := cmd.OutOrStdout().Write(diff.Diff(e.Path, e.Old, e.Path, e.New)); err != nil {
				return err
			}
			continue
		}
		if err := e.Write(); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), e.Path)
	}
	return nil
}

// invalid prints diagnostics; other errors are those of a command that failed.
func invalid(cmd *cobra.Command, err error) error {
	var ds specs.Diagnostics
	if errors.As(err, &ds) {
		printDiagnostics(cmd.ErrOrStderr(), ds)
		return &exitError{code: exitInvalid}
	}
	return failed(err)
}

func evalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "eval FILE",
		Short: "Print a graph as data, with defaults filled in",
		Long: `Eval prints what a graph comes to as JSON: parameters set, templates and
comprehensions carried out, defaults filled in, fields in the order of the
reference. The same graph gives the same bytes, however it is written, and what is
printed is itself a graph.`,
		Example: `  penstock eval graph.cue -t batch=64 > evaluated.json
  diff <(penstock eval old.cue) <(penstock eval new.cue)`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := tags(cmd)
			if err != nil {
				return err
			}
			g, ds := specs.Load(args[0], specs.Options{Tags: values})
			printDiagnostics(cmd.ErrOrStderr(), ds)
			if ds.Failed() {
				return &exitError{code: exitInvalid}
			}
			text, err := g.JSON()
			if err == nil {
				_, err = cmd.OutOrStdout().Write(text)
			}
			return failed(err)
		},
	}
	tagFlag(cmd)
	return cmd
}
