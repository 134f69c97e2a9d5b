package table

import (
	"errors"
	"sync/atomic"

	"penstock.dev/transforms"
)

// plan is what a node works out in Columns and uses for every row.
type plan[T any] struct{ worked atomic.Pointer[T] }

func (p *plan[T]) set(t *T) { p.worked.Store(t) }

func (p *plan[T]) get() (*T, error) {
	t := p.worked.Load()
	if t == nil {
		return nil, transforms.Fatal(errors.New("used before its columns were worked out"))
	}
	return t, nil
}
