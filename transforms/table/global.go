package table

import (
	"context"
	"iter"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

// rowsOf are the rows at an input port, until the context ends.
func rowsOf(ctx context.Context, in transforms.Inputs, port string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		n := 0
		for r, err := range in.Rows(port) {
			if n++; err == nil && n%1024 == 0 {
				err = ctx.Err()
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
