package main

import (
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"penstock.dev/runners/spectest"
	"penstock.dev/specs"
)

// testFlags are the flags of penstock test.
type testFlags struct {
	match  string
	update bool
	record int
}

func testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests that stand beside graphs",
		Long: `Test runs the tests of graphs: the field tests of their files, or of graph_test.cue
beside graph.cue. A test gives rows at ports and mocks for models and servers, and
says what comes out; nothing is written or published, and no server is asked. The
exit status is 1 if a test fails.

With --update what came out takes the place of what failed tests expect; with
--record N a test is made of a run over N rows, with the answers of models and
servers as mocks, and a row that was rejected. Both show the change as a diff and
then write the file.`,
		Example: `  penstock test graphs/examples/stream-detect
  penstock test graph.cue --run 'short texts' --update
  penstock test graph.cue --record 3 -t input=sample.parquet`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			match, err := regexp.Compile(f.match)
			switch {
			case err != nil:
				return fmt.Errorf("--run %s: %w", f.match, err)
			case f.record < 0:
				return fmt.Errorf("--record %d: want a number of rows", f.record)
			}
			values, err := tags(cmd)
			if err != nil {
				return err
			}
			o := spectest.Options{Tags: values, Match: match, Log: logger(cmd)}
			if f.record > 0 {
				return f.recordAll(cmd, args, o)
			}
			return f.run(cmd, args, o)
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().StringVar(&f.match, "run", "", "only tests whose names match this regular expression")
	cmd.Flags().BoolVar(&f.update, "update", false, "expect what comes out")
	cmd.Flags().IntVar(&f.record, "record", 0, "make a test of a run over this many rows of each source")
	cmd.MarkFlagsMutuallyExclusive("update", "record")
	return cmd
}

func (f *testFlags) run(cmd *cobra.Command, paths []string, o spectest.Options) error {
	passed, wrong := 0, 0
	for _, path := range paths {
		results, ds := spectest.Run(cmd.Context(), path, o)
		printDiagnostics(cmd.ErrOrStderr(), ds)
		if ds.Failed() {
			return &exitError{code: exitInvalid}
		}
		for _, r := range results {
			tellTest(cmd.OutOrStdout(), path, r)
			if len(r.Failures) == 0 {
				passed++
			} else {
				wrong++
			}
		}
		if f.update {
			files, err := spectest.Update(path, o, results)
			if err == nil {
				err = writeEdits(cmd.OutOrStdout(), files)
			}
			if err != nil {
				return failed(err)
			}
		}
	}
	if err := cmd.Context().Err(); err != nil {
		return failed(err)
	}
	if passed+wrong == 0 {
		return failed(fmt.Errorf("no tests to run (write them as tests: specs.#Tests & {…})"))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d passed, %d failed\n", passed, wrong)
	if wrong > 0 && !f.update {
		return &exitError{code: exitFailed}
	}
	return nil
}

// recordAll adds a test of a run to each graph.
func (f *testFlags) recordAll(cmd *cobra.Command, paths []string, o spectest.Options) error {
	for _, path := range paths {
		file, err := spectest.Record(cmd.Context(), path, f.record, o)
		if err == nil {
			err = writeEdits(cmd.OutOrStdout(), []specs.FileEdit{file})
		}
		if err != nil {
			return invalid(cmd, err)
		}
	}
	return nil
}

// writeEdits shows what changes in files and writes them.
func writeEdits(w io.Writer, files []specs.FileEdit) error {
	for _, f := range files {
		if _, err := w.Write(diff.Diff(f.Path, f.Old, f.Path, f.New)); err != nil {
			return err
		}
		if err := f.Write(); err != nil {
			return err
		}
	}
	return nil
}

// tellTest prints how a test went.
func tellTest(w io.Writer, path string, r spectest.Result) {
	if len(r.Failures) == 0 {
		fmt.Fprintf(w, "ok    %s: %s  (%v)\n", path, r.Test.Name, r.Duration.Round(time.Millisecond))
		return
	}
	fmt.Fprintf(w, "FAIL  %s: %s\n", path, r.Test.Name)
	for _, failure := range r.Failures {
		fmt.Fprintf(w, "%s: %s\n", failure.Pos, failure.Message)
		for _, line := range failure.Lines {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}
