package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/transforms/detect/calibration"
	"penstock.dev/transforms/detect/roc"
)

// calibrateFlags are the flags of penstock calibrate.
type calibrateFlags struct {
	scores                     []string
	label, human, machine      string
	by, length, direction, out string
	fpr                        []float64
}

func calibrateCommand() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:   "calibrate SCORES",
		Short: "Make a calibration of scores of known human text",
		Long: `Calibrate reads a file of scores (Parquet, JSON Lines or CSV) and writes a calibration
for the kind Decide: the verdicts it gives keep the false-positive rates on human rows
like these. Without --label all rows are human. It is the graph of one Calibrate node;
penstock nodes Calibrate says what the fields mean.`,
		Example: `  penstock calibrate human.parquet --score lastde_pp --length tokens -o calibration.json
  penstock calibrate scores.parquet --score log_likelihood --label label --by source --fpr 0.05,0.01 -o calibration.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.plan(args[0])
			if err != nil {
				return err
			}
			return f.run(cmd, p)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.scores, "score", nil, "column to calibrate; several are combined")
	flags.StringVar(&f.label, "label", "", "column that tells human rows from a machine's")
	flags.StringVar(&f.human, "human", "human", "label of human rows")
	flags.StringVar(&f.machine, "machine", "machine", "label of a machine's rows")
	flags.StringVar(&f.by, "by", "", "column that divides rows into domains")
	flags.StringVar(&f.length, "length", "", "column that holds the length of a text")
	flags.StringVar(&f.direction, "direction", "higher", "scores that are a machine's: higher, lower, both or auto")
	flags.Float64SliceVar(&f.fpr, "fpr", []float64{0.05}, "false-positive rates that must be kept")
	flags.StringVarP(&f.out, "out", "o", "calibration.json", "file to write")
	return cmd
}

// readers are the sources by the end of a file's name.
var readers = map[string]string{".parquet": "ReadParquet", ".jsonl": "ReadJSONL", ".csv": "ReadCSV"}

func (f *calibrateFlags) plan(scores string) (*graphs.Plan, error) {
	if len(f.scores) == 0 {
		return nil, fmt.Errorf("which column is the score? --score NAME")
	}
	extension := filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(scores, ".gz"), ".zst"))
	b := graphs.NewBuilder("calibrate")
	b.Set("run", map[string]any{"maxRejects": 0})
	read := b.Add("read", cmp.Or(readers[extension], "ReadParquet"), graphs.Fields{"path": scores})
	fields := graphs.Fields{"in": read.Out(), "path": f.out, "scores": f.scores, "fpr": f.fpr, "human": f.human, "machine": f.machine, "direction": f.direction}
	for field, value := range map[string]string{"label": f.label, "by": f.by, "length": f.length} {
		if value != "" {
			fields[field] = value
		}
	}
	b.Add("calibrate", "Calibrate", fields)
	p, diagnostics := b.Plan()
	if p == nil {
		d := diagnostics[0]
		return nil, fmt.Errorf("%s", strings.TrimPrefix(d.Path+": ", "graph.nodes.")+d.Message)
	}
	return p, nil
}

func (f *calibrateFlags) run(cmd *cobra.Command, p *graphs.Plan) error {
	work, err := os.MkdirTemp("", "penstock-calibrate-*")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(work)
	result, err := runners.Run(cmd.Context(), p, runners.Options{Work: work, Version: version(), Command: os.Args, Log: logger(cmd)})
	if err == nil {
		err = result.Err
	}
	if err != nil {
		return failed(err)
	}
	made, err := calibration.Read(f.out)
	if err != nil {
		return failed(err)
	}
	return failed(describeCalibration(cmd.OutOrStdout(), f.out, made))
}

// describeCalibration prints what a calibration promises, and what its own machine
// references would be called.
func describeCalibration(w io.Writer, path string, c *calibration.Calibration) error {
	fmt.Fprintf(w, "%s: calibration %s of %s\n", path, c.ShortID(), c.Describe())
	for _, s := range c.Scores {
		fmt.Fprintf(w, "  %s from %s\n", s.Column, cmp.Or(s.Origin, "an unknown origin"))
	}
	if l := c.Length; l != nil {
		fmt.Fprintf(w, "  for %s from %d to %d\n", l.Column, l.Min, l.Max)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	header := []string{"  " + cmp.Or(c.By, "rows"), "human", "machine", "smallest rate"}
	for _, fpr := range c.FPR {
		header = append(header, fmt.Sprintf("caught at %g %%", 100*fpr))
	}
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for i := range c.Groups {
		g := &c.Groups[i]
		row := []string{"  " + cmp.Or(g.Name, "all"), fmt.Sprint(len(g.Human)), fmt.Sprint(len(g.Machine)), fmt.Sprintf("%.2g %%", 100*calibration.SmallestFPR(len(g.Human), c.Direction))}
		for _, fpr := range c.FPR {
			row = append(row, caught(c, g, fpr))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// caught is the share of the group's machine references that a rate calls a
// machine's, with its exact interval.
func caught(c *calibration.Calibration, g *calibration.Group, fpr float64) string {
	if len(g.Machine) == 0 {
		return "no machine rows"
	}
	n := 0
	for _, x := range g.Machine {
		if c.Decide(g, x, fpr).Label == calibration.Machine {
			n++
		}
	}
	low, high, err := roc.ClopperPearson(n, len(g.Machine), 0.95)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.1f %% (%.1f–%.1f)", 100*float64(n)/float64(len(g.Machine)), 100*low, 100*high)
}
