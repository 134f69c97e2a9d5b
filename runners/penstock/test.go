package main

import (
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"penstock.dev/runners/spectest"
)

// testFlags are the flags of penstock test.
type testFlags struct {
	match string
}

func testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests that stand beside graphs",
		Long: `Test runs the tests of graphs: the field tests of their files, or of graph_test.cue
beside graph.cue. A test gives rows at ports and mocks for models and servers, and
says what comes out; nothing is written or published, and no server is asked. The
exit status is 1 if a test fails.`,
		Example: `  penstock test graphs/examples/stream-detect
  penstock test graph.cue --run 'short texts'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args)
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().StringVar(&f.match, "run", "", "only tests whose names match this regular expression")
	return cmd
}

func (f *testFlags) run(cmd *cobra.Command, paths []string) error {
	match, err := regexp.Compile(f.match)
	if err != nil {
		return fmt.Errorf("--run %s: %w", f.match, err)
	}
	values, err := tags(cmd)
	if err != nil {
		return err
	}
	passed, wrong := 0, 0
	for _, path := range paths {
		results, ds := spectest.Run(cmd.Context(), path, spectest.Options{Tags: values, Match: match, Log: logger(cmd)})
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
	}
	if err := cmd.Context().Err(); err != nil {
		return failed(err)
	}
	if passed+wrong == 0 {
		return failed(fmt.Errorf("no tests to run (write them as tests: specs.#Tests & {…})"))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d passed, %d failed\n", passed, wrong)
	if wrong > 0 {
		return &exitError{code: exitFailed}
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
