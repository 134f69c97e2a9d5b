package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/specs"
)

// tagFlag adds -t name=value.
func tagFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayP("tag", "t", nil, "set a parameter: name=value (may be repeated)")
}

func tags(cmd *cobra.Command) (map[string]string, error) {
	pairs, err := cmd.Flags().GetStringArray("tag")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("-t %s: want name=value", pair)
		}
		values[name] = value
	}
	return values, nil
}

// plan loads and checks a graph and prints what is wrong with it. The error is
// the exit status for an invalid graph.
func plan(cmd *cobra.Command, path string) (*graphs.Plan, error) {
	values, err := tags(cmd)
	if err != nil {
		return nil, err
	}
	p, ds := graphs.Load(path, specs.Options{Tags: values})
	printDiagnostics(cmd.ErrOrStderr(), ds)
	if ds.Failed() {
		return nil, &exitError{code: exitInvalid}
	}
	return p, nil
}

func printDiagnostics(w io.Writer, ds specs.Diagnostics) {
	for _, d := range ds {
		fmt.Fprintf(w, "%s [%s]\n", d, d.Code)
	}
}

func checkCommand() *cobra.Command {
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check graphs without running them",
		Long: `Check reads graphs and reports every mistake at once, one line each:
file:line:col: path: message (hint) [code]. Inputs are opened for their columns;
no row is read and no model is loaded. Tests beside a graph are checked with it.
"penstock explain CODE" says more.`,
		Example: `  penstock check graphs/examples/detect-text
  penstock check --json pipeline.cue
  penstock check --watch pipeline.cue`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := tags(cmd)
			if err != nil {
				return err
			}
			if watch {
				return watchGraphs(cmd.Context(), cmd.OutOrStdout(), args, values)
			}
			ds := checkGraphs(args, values)
			if asJSON {
				if err := writeJSON(cmd.OutOrStdout(), ds); err != nil {
					return failed(err)
				}
			} else {
				printDiagnostics(cmd.ErrOrStderr(), ds)
			}
			if ds.Failed() {
				return &exitError{code: exitInvalid}
			}
			return nil
		},
	}
	tagFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the diagnostics as JSON on standard output")
	cmd.Flags().BoolVar(&watch, "watch", false, "check again whenever a file changes, until interrupted")
	return cmd
}

func lintCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Look for what a graph may do but seldom means",
		Long: `Lint checks graphs and points at more than mistakes: nodes and ports whose rows
nothing takes, rejects that end out of sight, detectors whose scores nothing judges.
What is meant as it is can be silenced in the graph, with the reason:
silence: split: W603: "the test set alone is judged". The exit status is 1 if
anything is pointed at.`,
		Example: `  penstock lint graphs/examples/stream-detect`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := tags(cmd)
			if err != nil {
				return err
			}
			all := specs.Diagnostics{}
			for _, path := range args {
				p, ds := graphs.Load(path, specs.Options{Tags: values, Tests: true})
				if p != nil {
					ds = append(ds, graphs.Lint(p)...).Sorted()
				}
				all = append(all, ds...)
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), all)
			} else {
				printDiagnostics(cmd.ErrOrStderr(), all)
			}
			switch {
			case err != nil:
				return failed(err)
			case all.Failed():
				return &exitError{code: exitInvalid}
			case len(all) > 0:
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	tagFlag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the diagnostics as JSON on standard output")
	return cmd
}

func checkGraphs(paths []string, values map[string]string) specs.Diagnostics {
	all := specs.Diagnostics{}
	for _, path := range paths {
		_, ds := graphs.Load(path, specs.Options{Tags: values, Tests: true})
		all = append(all, ds...)
	}
	return all
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// watchInterval is how often files are looked at for a change.
const watchInterval = 300 * time.Millisecond

// watchGraphs checks the graphs now and after every change until ctx ends.
func watchGraphs(ctx context.Context, w io.Writer, paths []string, values map[string]string) error {
	seen := ""
	for {
		if now := fileStamps(paths); now != seen {
			seen = now
			ds := checkGraphs(paths, values)
			printDiagnostics(w, ds)
			verdict := "ok"
			if ds.Failed() {
				verdict = "invalid"
			}
			fmt.Fprintf(w, "%s  %s  %s\n", time.Now().Format(time.TimeOnly), strings.Join(paths, " "), verdict)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
	}
}

// fileStamps changes when a graph's file, or another beside it, does.
func fileStamps(paths []string) string {
	var b strings.Builder
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			path = filepath.Dir(path)
		}
		filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			switch filepath.Ext(name) {
			case ".cue", ".json", ".yaml", ".yml":
				if info, err := d.Info(); err == nil {
					fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
				}
			}
			return nil
		})
	}
	return b.String()
}
