package graphs

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"penstock.dev/specs"
	"penstock.dev/transforms"
	_ "penstock.dev/transforms/files" // registers WriteParquet
)

// rejectsOf names the implicit sink of a node's rejects. No user's node can
// have this name.
func rejectsOf(node string) string { return node + ".rejects" }

// newRejectKeeper makes the sink for rejects that the graph does not take: a
// Parquet file beside the first output, which is written only if there are any.
func newRejectKeeper(e *Execution, n *PlanNode) (*live, error) {
	path := RejectsPath(e.plan, n.Name, e.Work)
	config, err := json.Marshal(map[string]any{"path": path, "compression": "zstd", "rowsPerGroup": 10000})
	if err != nil {
		return nil, err
	}
	kind, _ := transforms.Lookup("WriteParquet")
	impl, err := kind.New(config)
	if err != nil {
		return nil, err
	}
	return newLive(e, &PlanNode{
		Node:    &specs.Node{Name: rejectsOf(n.Name), Kind: kind.Name, Config: config},
		Kind:    kind,
		Impl:    ifAny{impl.(transforms.Sink), path},
		Inputs:  []PlanInput{{Port: transforms.In, From: PortRef{Node: n.Name, Port: transforms.Rejects}, Schema: n.Outputs.Get(transforms.Rejects)}},
		Ordered: true,
	}), nil
}

// ifAny is a sink that leaves no file when there are no records, and takes away
// the one of an earlier run.
type ifAny struct {
	transforms.Sink
	path string
}

func (s ifAny) Commit(ctx context.Context, run transforms.Run, shards []transforms.Shard) error {
	if len(shards) > 0 {
		return s.Sink.Commit(ctx, run, shards)
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RejectsPath is where a run leaves the rejects of a node that the graph does
// not take: beside the graph's first output, or in the work folder if it has
// none.
func RejectsPath(p *Plan, node, work string) string {
	for i := range p.Graph.Nodes {
		n, ok := p.Node(p.Graph.Nodes[i].Name)
		if !ok || n.Role() != "sink" || n.Location() == "" {
			continue
		}
		path := strings.TrimSuffix(n.Location(), "/")
		base, _, _ := strings.Cut(filepath.Base(path), ".")
		return filepath.Join(filepath.Dir(path), base+"."+node+".rejects.parquet")
	}
	return filepath.Join(work, node+".rejects.parquet")
}
