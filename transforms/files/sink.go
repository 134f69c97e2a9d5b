package files

import (
	"context"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// sinkInput is the schema of the rows that a sink writes.
func sinkInput(in transforms.Ports) (*data.Schema, error) {
	if s := in.Get(transforms.In); s != nil {
		return s, nil
	}
	return nil, &transforms.FieldError{Field: transforms.In, Message: "takes rows, but nothing is connected"}
}

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
