package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/cluster/kmeans"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Cluster",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out, transforms.Rejects},
		New:     newCluster,
	})
}

// Config configures the kind Cluster; see specs.#Cluster.
type Config struct {
	Column     string `json:"column"`
	K          count  `json:"k"`
	Candidates []int  `json:"candidates"`
	Iterations int    `json:"iterations"`
	Seed       int64  `json:"seed"`
	As         string `json:"as"`
}

// count is a number of clusters; 0 is that of the elbow.
type count int

// UnmarshalJSON reads a number, or "elbow".
func (c *count) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte(`"elbow"`)) {
		*c = 0
		return nil
	}
	return json.Unmarshal(b, (*int)(c))
}

// Cluster divides rows by their vectors.
type Cluster struct {
	config Config
	shape  atomic.Pointer[shape]
	mutex  sync.Mutex
	fitted *kmeans.Result
	took   time.Duration
}

// shape is where the vectors are and what comes out.
type shape struct {
	column int
	out    *data.Schema
}

var (
	_ transforms.Global  = (*Cluster)(nil)
	_ transforms.Metered = (*Cluster)(nil)
)

func newCluster(config []byte) (transforms.Node, error) {
	n := &Cluster{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	for i, k := range n.config.Candidates {
		if i > 0 && k <= n.config.Candidates[i-1] {
			return nil, &transforms.FieldError{Field: fmt.Sprintf("candidates.%d", i), Message: fmt.Sprintf("%d is not above the one before, %d", k, n.config.Candidates[i-1])}
		}
	}
	if n.config.K == 0 && len(n.config.Candidates) < 3 {
		return nil, &transforms.FieldError{Field: "candidates", Message: "an elbow takes three numbers of clusters or more"}
	}
	return n, nil
}

// Columns implements transforms.Node.
func (n *Cluster) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	column, err := needVectors(s, "column", n.config.Column)
	if err != nil {
		return nil, err
	}
	out, err := transforms.AddColumns(s, "as", data.Field{Name: n.config.As, Type: data.Int64Type})
	if err != nil {
		return nil, err
	}
	n.shape.Store(&shape{column, out})
	return transforms.OutPort(out), nil
}

// Run implements transforms.Global.
func (n *Cluster) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	p := n.shape.Load()
	v, err := read(ctx, in, p.column, func(*data.Record) error { return nil })
	if err != nil || v.n() == 0 {
		return err
	}
	began := time.Now()
	r, err := n.fit(ctx, v)
	if err != nil {
		return err
	}
	n.mutex.Lock()
	n.fitted, n.took = r, time.Since(began)
	n.mutex.Unlock()
	for row, err := range in.Rows(transforms.In) {
		if err != nil {
			return err
		}
		if i, ok := v.index[row.ID.String()]; ok {
			emit(transforms.Out, row.Append(p.out, data.Int64Value(int64(r.Labels[i]))))
		}
	}
	return nil
}

func (n *Cluster) fit(ctx context.Context, v *vectors) (*kmeans.Result, error) {
	o := kmeans.Options{K: min(int(n.config.K), v.n()), Iterations: n.config.Iterations, Seed: n.config.Seed}
	if n.config.K == 0 {
		return elbow(ctx, v, o, n.config.Candidates)
	}
	return kmeans.Fit(ctx, v.values, v.width, o)
}

// Metrics implements transforms.Metered.
func (n *Cluster) Metrics() []transforms.Metric {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.fitted == nil {
		return nil
	}
	sizes := map[int]int{}
	for _, label := range n.fitted.Labels {
		sizes[label]++
	}
	return []transforms.Metric{
		{Name: "clusters", Value: float64(len(sizes)), Unit: "1"},
		{Name: "inertia", Value: n.fitted.Inertia, Unit: "1"},
		{Name: "iterations", Value: float64(n.fitted.Iterations), Unit: "1"},
		{Name: "seconds", Value: n.took.Seconds(), Unit: "s"},
	}
}
