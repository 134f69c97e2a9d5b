package models

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gomlx/gomlx/core/tensors"
)

// sequence is one row on its way through the model.
type sequence struct {
	ctx   context.Context
	ids   []int32
	visit func(pos int, logits []float32)

	visited atomic.Bool // some position has been handed over
	failure atomic.Pointer[error]
}

func (s *sequence) context() context.Context { return s.ctx }

func (s *sequence) tokens() int { return len(s.ids) }

// fail records the sequence's first error.
func (s *sequence) fail(err error) { s.failure.CompareAndSwap(nil, &err) }

// err is the sequence's first error.
func (s *sequence) err() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Forward runs rows of token ids and calls visit once for each row and position with
// the logits [vocabulary] that predict the next token; the last position predicts what
// follows the row. visit is called from several goroutines, in no order, and must not
// keep logits after it returns.
//
// An id outside the vocabulary or a row longer than [model.Context] is an error before
// anything runs. Rows may differ in length; their grouping does not change results.
func (m *model) Forward(ctx context.Context, batch [][]int32, visit func(row, pos int, logits []float32)) error {
	sequences := make([]*sequence, len(batch))
	for row, tokens := range batch {
		if err := m.checkTokens(tokens); err != nil {
			return fmt.Errorf("row %d: %w", row, err)
		}
		sequences[row] = &sequence{ctx: ctx, ids: tokens, visit: func(pos int, logits []float32) { visit(row, pos, logits) }}
	}
	m.runAll(sequences)
	var errs []error
	for row, s := range sequences {
		if s.err() != nil && ctx.Err() == nil {
			errs = append(errs, fmt.Errorf("row %d: %w", row, s.err()))
		}
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// checkTokens validates on the host what the device would silently clamp.
func (m *model) checkTokens(tokens []int32) error {
	if len(tokens) > m.config.Context {
		return fmt.Errorf("%d tokens are over the model's context of %d", len(tokens), m.config.Context)
	}
	for i, id := range tokens {
		if id < 0 || int(id) >= m.config.Vocab {
			return fmt.Errorf("token %d is %d, outside the vocabulary of %d", i, id, m.config.Vocab)
		}
	}
	return nil
}

// runAll runs sequences, as many parts at a time as suit the device, and leaves each
// sequence's error in it. It returns what was executed, padding included, in tokens.
func (m *model) runAll(sequences []*sequence) (executed int) {
	callers := m.traits.callers()
	lengths := make([]int, len(sequences))
	for i, s := range sequences {
		lengths[i] = s.tokens()
	}
	parts := m.traits.plan(lengths, m.config.Context, callers)
	slots := make(chan struct{}, callers)
	var wg sync.WaitGroup
	for _, p := range parts {
		executed += len(p.rows) * p.length
		rows := make([]*sequence, len(p.rows))
		for i, row := range p.rows {
			rows[i] = sequences[row]
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m.runPart(rows, p.length)
		})
	}
	wg.Wait()
	return executed
}

// runPart runs rows padded to one length. When the device fails, each row that nobody
// has seen logits of is tried again alone, so a bad row costs only itself.
func (m *model) runPart(rows []*sequence, length int) {
	err := m.execute(rows, length)
	if err == nil {
		return
	}
	for _, s := range rows {
		if len(rows) > 1 && !s.visited.Load() && s.err() == nil {
			if err := m.execute([]*sequence{s}, length); err != nil {
				s.fail(err)
			}
			continue
		}
		s.fail(err)
	}
}

func (m *model) execute(rows []*sequence, length int) error {
	live := false
	for _, s := range rows {
		if err := s.ctx.Err(); err != nil {
			s.fail(err)
		}
		live = live || s.err() == nil
	}
	if !live {
		return nil
	}
	ids := make([]int32, len(rows)*length) // padding is token 0; nobody sees it
	for i, s := range rows {
		copy(ids[i*length:], s.ids)
	}
	var headErr error
	err := m.hidden.run(tensors.FromFlatDataAndDimensions(ids, len(rows), length), func(states []float32) {
		headErr = m.project(rows, length, states)
	})
	return errors.Join(err, headErr)
}
