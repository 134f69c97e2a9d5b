package report

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"penstock.dev/graphs/draw"
	"penstock.dev/transforms"
)

// Run is the account of a run.
type Run struct {
	Graph      string    `json:"graph"`
	Doc        string    `json:"doc,omitempty"` // what the graph is for, in its author's words
	ID         string    `json:"id"`
	Started    time.Time `json:"started"`
	Seconds    float64   `json:"seconds"` // wall time
	State      string    `json:"state"`   // one of the states below
	Error      string    `json:"error,omitempty"`
	Notes      []string  `json:"notes,omitempty"` // warnings
	Command    []string  `json:"command,omitempty"`
	Parameters []Setting `json:"parameters,omitempty"`
	Versions   []Setting `json:"versions,omitempty"`
	Machine    Machine   `json:"machine"`

	Models     []transforms.ModelUse `json:"models,omitempty"`
	SourcePath string                `json:"sourcePath,omitempty"`
	Source     string                `json:"source,omitempty"` // text of the graph
	Outputs    []Output              `json:"outputs,omitempty"`
	Report     string                `json:"report,omitempty"` // path of the page

	Picture     draw.Graph              `json:"picture"`
	Nodes       []Node                  `json:"nodes"`
	Evaluations []transforms.Evaluation `json:"evaluations,omitempty"`
}

// States of a run.
const (
	Succeeded   = "succeeded"
	Failed      = "failed"
	Interrupted = "interrupted"
)

// Setting is a name with its value.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Machine is where the run took place.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Device string `json:"device,omitempty"` // that models ran on, if not the CPU
}

// Output is a file or folder that the run wrote.
type Output struct {
	Node  string `json:"node"`
	Path  string `json:"path"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes,omitempty"` // 0 if unknown
}

// Node is the account of one node: In = Out + Filtered + Rejected.
type Node struct {
	Name     string              `json:"name"`
	Kind     string              `json:"kind"`
	Role     string              `json:"role"` // as package draw has them
	In       int64               `json:"in"`   // rows that reached it; those a source read
	Out      int64               `json:"out"`  // of these, rows for which it emitted or wrote something
	Filtered int64               `json:"filtered"`
	Rejected int64               `json:"rejected"`
	Emitted  []PortCount         `json:"emitted,omitempty"` // records; may be more or fewer than Out
	Busy     float64             `json:"busySeconds"`       // with a row or more in the node's own code
	Metrics  []transforms.Metric `json:"metrics,omitempty"`
	Rejects  []RejectClass       `json:"rejects,omitempty"`
	Samples  []Sample            `json:"samples,omitempty"`
}

// PortCount is the number of records that left an output port.
type PortCount struct {
	Port    string `json:"port"`
	Records int64  `json:"records"`
}

// RejectClass is a reason for which rows were rejected, with a few of them.
type RejectClass struct {
	Class    string          `json:"class"`
	Rows     int64           `json:"rows"`
	Examples []RejectExample `json:"examples,omitempty"`
}

// RejectExample is a rejected row.
type RejectExample struct {
	Row     string `json:"row"`
	Message string `json:"message"`
}

// Sample is a few records as they left a port (or reached a sink).
type Sample struct {
	Port    string     `json:"port"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Balanced tells whether the node's rows add up.
func (n Node) Balanced() bool { return n.In == n.Out+n.Filtered+n.Rejected }

// metric is the value of a metric, NaN if the node has none of that name.
func (n Node) metric(name string) float64 {
	for _, m := range n.Metrics {
		if m.Name == name && !math.IsInf(m.Value, 0) {
			return m.Value
		}
	}
	return math.NaN()
}

// Totals are a run's rows.
type Totals struct {
	In       int64 // read by sources
	Out      int64 // written by sinks, those of rejects left out
	Filtered int64
	Rejected int64
}

// Totals adds up the nodes.
func (r *Run) Totals() Totals {
	var t Totals
	for _, n := range r.Nodes {
		switch {
		case n.Role == draw.Source:
			t.In += n.In
		case n.Role == draw.Sink && !r.takesRejects(n.Name):
			t.Out += n.Out
		}
		t.Filtered += n.Filtered
		t.Rejected += n.Rejected
	}
	return t
}

func (r *Run) takesRejects(node string) bool {
	return slices.ContainsFunc(r.Picture.Edges, func(e draw.Edge) bool { return e.To == node && e.Rejects })
}

// DeviceShare is the part of the wall time in which a device worked, 0 to 1;
// NaN if no node measured it. Nodes that share a model report the same seconds,
// which count once.
func (r *Run) DeviceShare() float64 {
	var seen []float64
	sum := 0.0
	for _, n := range r.Nodes {
		if s := n.metric(transforms.DeviceSeconds); !math.IsNaN(s) && !slices.Contains(seen, s) {
			seen = append(seen, s)
			sum += s
		}
	}
	if len(seen) == 0 || r.Seconds <= 0 {
		return math.NaN()
	}
	return sum / r.Seconds
}

// BatchFill is that of the node which used its device most; NaN if no node
// measured it.
func (r *Run) BatchFill() float64 {
	fill, most := math.NaN(), -1.0
	for _, n := range r.Nodes {
		f, s := n.metric(transforms.BatchFill), n.metric(transforms.DeviceSeconds)
		if !math.IsNaN(f) && !(s <= most) {
			fill, most = f, s
		}
	}
	return fill
}

// MarshalJSON leaves out metrics that are no number, which JSON cannot say.
func (r *Run) MarshalJSON() ([]byte, error) {
	type plain Run // without this method
	c := plain(*r)
	c.Nodes = slices.Clone(r.Nodes)
	for i, n := range c.Nodes {
		c.Nodes[i].Metrics = slices.DeleteFunc(slices.Clone(n.Metrics), func(m transforms.Metric) bool {
			return math.IsNaN(m.Value) || math.IsInf(m.Value, 0)
		})
	}
	return json.Marshal(c)
}
