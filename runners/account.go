package runners

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"penstock.dev/data"
	"penstock.dev/graphs"
	"penstock.dev/graphs/draw"
	"penstock.dev/runners/progress"
	"penstock.dev/runners/report"
	"penstock.dev/transforms"
)

// Account is all that there is to tell of a run, for the report.
func (r *Result) Account() *report.Run {
	g := r.Plan.Graph
	a := &report.Run{
		Graph: g.Name, Doc: g.Doc, ID: r.ID,
		Started: r.Started, Seconds: r.Duration.Seconds(),
		State:      report.Succeeded,
		Command:    r.Options.Command,
		Versions:   []report.Setting{{Name: "penstock", Value: r.Options.Version}, {Name: "go", Value: runtime.Version()}, {Name: "graph sha256", Value: r.Provenance[keyHash]}},
		Machine:    report.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()},
		Models:     r.Models(),
		SourcePath: g.File,
		Source:     string(g.Source),
		Picture:    graphs.Drawing(r.Plan, r.Counts),
	}
	for name, value := range r.Options.Parameters {
		a.Parameters = append(a.Parameters, report.Setting{Name: name, Value: value})
	}
	slices.SortFunc(a.Parameters, func(x, y report.Setting) int { return strings.Compare(x.Name, y.Name) })
	switch {
	case r.Err == ErrInterrupted:
		a.State, a.Error = report.Interrupted, r.Err.Error()
	case r.Err != nil:
		a.State, a.Error = report.Failed, r.Err.Error()
	}
	for i, n := range r.Plan.Nodes {
		a.Nodes = append(a.Nodes, r.accountNode(n, r.Counts[i]))
		if found := r.Execution.Evaluation(n.Name); found != nil {
			evaluation := *found
			evaluation.Node = n.Name
			a.Evaluations = append(a.Evaluations, evaluation)
		}
		a.Outputs = append(a.Outputs, r.accountOutputs(n, r.Counts[i])...)
	}
	a.Notes = r.notes()
	return a
}

func (r *Result) accountNode(n *graphs.PlanNode, c graphs.NodeCounts) report.Node {
	a := report.Node{
		Name: n.Name, Kind: c.Kind, Role: c.Role,
		In: c.In, Out: c.Passed, Filtered: c.Filtered, Rejected: c.Rejected,
		Busy: c.Busy.Seconds(),
	}
	for _, port := range n.Kind.Outputs {
		a.Emitted = append(a.Emitted, report.PortCount{Port: port, Records: c.Emitted[port]})
		if records := r.Execution.Samples(graphs.PortRef{Node: n.Name, Port: port}); len(records) > 0 {
			a.Samples = append(a.Samples, sample(port, records))
		}
	}
	a.Metrics = r.Execution.Metrics(n.Name)
	for _, class := range c.Rejects {
		rc := report.RejectClass{Class: class.Class, Rows: class.Rows}
		for _, e := range class.Examples {
			rc.Examples = append(rc.Examples, report.RejectExample(e))
		}
		a.Rejects = append(a.Rejects, rc)
	}
	return a
}

// sampleChars bounds a value of a sample row in the report.
const sampleChars = 2000

func sample(port string, records []*data.Record) report.Sample {
	s := report.Sample{Port: port, Columns: records[0].Schema.Names()}
	for _, r := range records {
		row := make([]string, len(r.Values))
		for i, v := range r.Values {
			row[i] = data.Format(v, r.Schema.Field(i).Type, sampleChars)
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// accountOutputs lists what a node has left on disk: a sink its output, any node
// the rejects that the graph does not take.
func (r *Result) accountOutputs(n *graphs.PlanNode, c graphs.NodeCounts) []report.Output {
	if r.Options.DryRun {
		return nil
	}
	var outputs []report.Output
	if c.Role == "sink" && r.Err == nil {
		outputs = append(outputs, report.Output{Node: n.Name, Path: n.Destination(), Rows: c.Passed, Bytes: size(n.Location())})
	}
	if path := graphs.RejectsPath(r.Plan, n.Name, r.Folder); n.KeepsRejects() && c.Rejected > 0 && size(path) > 0 {
		outputs = append(outputs, report.Output{Node: n.Name, Path: path, Rows: c.Emitted[transforms.Rejects], Bytes: size(path)})
	}
	return outputs
}

// size is the number of bytes in a file or folder, 0 if it is not there.
func size(path string) (total int64) {
	filepath.WalkDir(path, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

// notes are what a reader of the report should be warned of.
func (r *Result) notes() []string {
	var notes []string
	if r.Options.DryRun {
		notes = append(notes, "dry run: nothing was written")
	}
	if r.Options.Limit > 0 {
		notes = append(notes, "only the first rows of each source were read (--limit)")
	}
	if c := r.Execution.Events(); r.Plan.Stream() {
		notes = append(notes, fmt.Sprintf("events: %d received, %d of them again; %d acknowledged, %d made dead letters", c.Received, c.Redelivered, c.Acknowledged, c.DeadLetters))
	}
	if workers := r.Execution.Workers(); len(workers) > 0 {
		notes = append(notes, fmt.Sprintf("the work was done by %d processes on %d machines", len(workers), machines(workers)))
	}
	for _, n := range r.Plan.Nodes {
		notes = append(notes, r.Execution.Cautions(n.Name)...)
		for _, line := range r.Execution.Summary(n.Name) {
			notes = append(notes, n.Name+": "+line)
		}
	}
	return notes
}

// machines is the number of hosts of worker processes (host~pid).
func machines(workers map[string]int64) int {
	hosts := map[string]bool{}
	for name := range workers {
		host, _, _ := strings.Cut(name, "~")
		hosts[host] = true
	}
	return len(hosts)
}

// Snapshot says how a run stands while it goes.
func Snapshot(e *graphs.Execution, began time.Time) progress.Snapshot {
	s := progress.Snapshot{Elapsed: time.Since(began), BatchFill: math.NaN()}
	var busiest graphs.NodeCounts
	for _, c := range e.Counts() {
		s.Nodes = append(s.Nodes, progress.Node{Name: c.Node, Rows: c.In})
		s.Expected += c.Expected
		s.Rejected += c.Rejected
		if busier(c, busiest) {
			busiest = c
		}
	}
	s.Busiest, s.Rows = busiest.Node, max(busiest.In, busiest.Worked)
	for _, m := range e.Metrics(busiest.Node) {
		if m.Name == transforms.BatchFill && m.Value > 0 {
			s.BatchFill = m.Value
		}
	}
	return s
}

// busier reports whether a node holds up a run more than another: a model does
// more than anything else, even before its first rows are through.
func busier(c, than graphs.NodeCounts) bool {
	if model := c.Role == draw.Model; model != (than.Role == draw.Model) {
		return model
	}
	return c.Busy >= than.Busy
}
