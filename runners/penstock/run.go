package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/runners/progress"
	"penstock.dev/runners/report"
	"penstock.dev/transforms"
)

// runFlags are the flags of penstock run.
type runFlags struct {
	work, report string
	limit        int64
	dryRun       bool
	engine       engineFlags
}

func runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE",
		Short: "Run a graph",
		Long: `Run checks a graph, runs it and prints how it went. Outputs appear only when every
row is accounted for; a run that fails or is stopped leaves earlier outputs as
they were. The run's folder under --work keeps its figures and the report.`,
		Example: `  penstock run graphs/examples/detect-text
  penstock run pipeline.cue -t input=in/*.parquet --report report.html
  penstock run pipeline.cue --limit 100 --dry-run
  penstock run pipeline.cue --runner flink --endpoint jobs:8099 --work /shared/penstock`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.limit < 0 {
				return fmt.Errorf("--limit %d: want a number of rows, or 0 for all", f.limit)
			}
			if err := f.engine.check(); err != nil {
				return err
			}
			p, err := plan(cmd, args[0])
			if err != nil {
				return err
			}
			return f.run(cmd, p)
		},
	}
	tagFlag(cmd)
	backendFlags(cmd)
	cmd.Flags().StringVar(&f.work, "work", ".penstock", "folder that keeps what runs leave")
	cmd.Flags().StringVar(&f.report, "report", "", "also write the HTML report to this file")
	cmd.Flags().Int64Var(&f.limit, "limit", 0, "read at most this many rows from each source")
	f.engine.add(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and compute, but write no output")
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, p *graphs.Plan) error {
	parameters, err := tags(cmd)
	if err != nil {
		return err
	}
	result, err := runners.Run(cmd.Context(), p, runners.Options{
		Work: f.work, Limit: f.limit, DryRun: f.dryRun, Samples: 5,
		Parameters: parameters, Version: version(), Command: os.Args, Log: logger(cmd),
		Engine: f.engine.Engine,
		Watch:  func(e *graphs.Execution) func() { return showProgress(cmd, e) },
	})
	if err != nil {
		return failed(err)
	}
	if err := f.tell(cmd.OutOrStdout(), result); err != nil {
		return failed(err)
	}
	return failed(result.Err)
}

// showProgress shows how the run stands until it is stopped.
func showProgress(cmd *cobra.Command, e *graphs.Execution) (stop func()) {
	w := cmd.ErrOrStderr()
	terminal := isTerminal(w)
	interval := 10 * time.Second
	if terminal {
		interval = 200 * time.Millisecond
	}
	began := time.Now()
	shown := progress.New(w, interval, func() progress.Snapshot { return runners.Snapshot(e, began) }, progress.Options{
		Terminal: terminal, Width: func() int { return terminalWidth(w) }, Log: logger(cmd),
	})
	shown.Start()
	return shown.Stop
}

// tell writes the report and prints the closing lines.
func (f *runFlags) tell(w io.Writer, result *runners.Result) error {
	account, err := saveReport(result, f.report)
	if err != nil {
		return err
	}
	for _, n := range result.Plan.Nodes {
		if r, ok := n.Impl.(transforms.Rehearsed); ok && f.dryRun {
			fmt.Fprintf(w, "%s would ask\n\n%s\n", n.Name, r.Rehearsal())
		}
	}
	if len(account.Evaluations) > 0 {
		if err := report.EvaluationTable(w, account.Evaluations); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	return report.Text(w, account, terminalWidth(w))
}

// saveReport leaves the report and the figures in the run's folder, and the report
// at a path if one is given.
func saveReport(result *runners.Result, path string) (*report.Run, error) {
	account := result.Account()
	page := func(w io.Writer) error { return report.HTML(w, account) }
	account.Report = filepath.Join(result.Folder, "report.html")
	if path != "" {
		account.Report = path
	}
	if _, err := result.Save("report.html", page); err != nil {
		return nil, err
	}
	if path != "" {
		if err := writeFile(path, page); err != nil {
			return nil, err
		}
	}
	_, err := result.SaveJSON(runners.AccountFile, account)
	return account, err
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
