package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"penstock.dev/runners/history"
	"penstock.dev/runners/report"
)

func runsCommand() *cobra.Command {
	var work string
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List the runs that a work folder keeps",
		Long: `Runs lists the runs below --work, the newest first. A run without an end goes on, or
was killed. A run is named by a part of its id that no other has, or by last.`,
		Example: `  penstock runs
  penstock runs show last
  penstock runs diff 3f9k last`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			runs, err := history.List(work)
			if err != nil {
				return failed(err)
			}
			return failed(listRuns(cmd.OutOrStdout(), runs))
		},
	}
	cmd.PersistentFlags().StringVar(&work, "work", ".penstock", "folder that keeps the runs")
	cmd.AddCommand(&cobra.Command{
		Use:     "show RUN",
		Short:   "Show how a run went",
		Example: `  penstock runs show last`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := history.Find(work, args[0])
			if err != nil {
				return failed(err)
			}
			return failed(showRun(cmd.OutOrStdout(), r))
		},
	}, &cobra.Command{
		Use:   "diff RUN RUN",
		Short: "Show what differs between two runs",
		Long: `Diff compares two runs: the graphs as they were evaluated, parameters, versions,
models, and the rows at every node. The exit status is 1 if anything differs.`,
		Example: `  penstock runs diff 3f9k last`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := history.Find(work, args[0])
			if err != nil {
				return failed(err)
			}
			b, err := history.Find(work, args[1])
			if err != nil {
				return failed(err)
			}
			same, err := diffRuns(cmd.OutOrStdout(), a, b)
			if err == nil && !same {
				return &exitError{code: exitFailed}
			}
			return failed(err)
		},
	})
	return cmd
}

func listRuns(w io.Writer, runs []history.Run) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "run\tgraph\tstate\trows\trejected\ttook")
	for _, r := range runs {
		if r.State == history.Unfinished {
			fmt.Fprintf(tw, "%s\t%s\t%s\t\t\t\n", r.ID, r.Graph, r.State)
			continue
		}
		t := r.Totals()
		took := time.Duration(r.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%v\n", r.ID, r.Graph, r.State, t.In, t.Rejected, took)
	}
	return tw.Flush()
}

func showRun(w io.Writer, r *history.Run) error {
	if r.State == history.Unfinished {
		_, err := fmt.Fprintf(w, "%s goes on, or was killed; its folder is %s\n", r.ID, r.Folder)
		return err
	}
	if err := report.Text(w, r.Run, terminalWidth(w)); err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\nnode\tkind\tin\tout\tfiltered\trejected\tbusy")
	for _, n := range r.Nodes {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\t%.2f s\n", n.Name, n.Kind, n.In, n.Out, n.Filtered, n.Rejected, n.Busy)
	}
	return tw.Flush()
}

// diffRuns prints what differs and reports whether nothing does.
func diffRuns(w io.Writer, a, b *history.Run) (same bool, err error) {
	before, err := a.Evaluated()
	if err != nil {
		return false, err
	}
	after, err := b.Evaluated()
	if err != nil {
		return false, err
	}
	text := diff.Diff(a.ID, before, b.ID, after)
	if _, err := w.Write(text); err != nil {
		return false, err
	}
	differences := history.Compare(a, b)
	for _, d := range differences {
		fmt.Fprintf(w, "%s\n- %s\n+ %s\n", d.What, d.A, d.B)
	}
	return len(text) == 0 && len(differences) == 0, nil
}
