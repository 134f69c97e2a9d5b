package files

import (
	"context"

	"penstock.dev/transforms"
)

// orEmpty are the shards of a sink, or one without rows if there are none, so
// that there is an output in any case.
func orEmpty(ctx context.Context, sink transforms.Sink, run transforms.Run, shards []transforms.Shard) ([]transforms.Shard, error) {
	if len(shards) > 0 {
		return shards, nil
	}
	w, err := sink.Create(ctx, run, "empty")
	if err != nil {
		return nil, err
	}
	empty, err := w.Close()
	return []transforms.Shard{empty}, err
}
