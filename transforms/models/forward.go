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
	// moments is visit for those who need no logits, nil for others.
	moments func(pos int, at Moments)

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

// runAll runs sequences and leaves each one's error in it. It returns what was executed,
// padding included, in tokens. Those who need no logits have executions of their own
// where the device makes their moments.
func (m *model) runAll(sequences []*sequence) (executed int) {
	if m.moments == nil {
		return m.runAlike(sequences, m.execute)
	}
	var reduced, whole []*sequence
	for _, s := range sequences {
		if s.moments != nil {
			reduced = append(reduced, s)
		} else {
			whole = append(whole, s)
		}
	}
	return m.runAlike(reduced, m.executeMoments) + m.runAlike(whole, m.execute)
}

// execution runs rows padded to length, filled up to height with empty ones.
type execution func(rows []*sequence, height, length int) error

// runAlike runs sequences, as many parts at a time as suit the device.
func (m *model) runAlike(sequences []*sequence, execute execution) (executed int) {
	callers := m.traits.callers()
	lengths := make([]int, len(sequences))
	for i, s := range sequences {
		lengths[i] = s.tokens()
	}
	parts := m.traits.plan(lengths, m.config.Context, callers)
	slots := make(chan struct{}, callers)
	var wg sync.WaitGroup
	for _, p := range parts {
		executed += p.height * p.length
		rows := make([]*sequence, len(p.rows))
		for i, row := range p.rows {
			rows[i] = sequences[row]
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			runPart(execute, rows, p.height, p.length)
		})
	}
	wg.Wait()
	return executed
}

// runPart runs rows padded to one length. When the device fails, each row that nobody
// has seen logits of is tried again alone, so a bad row costs only itself.
func runPart(execute execution, rows []*sequence, height, length int) {
	err := execute(rows, height, length)
	if err == nil {
		return
	}
	for _, s := range rows {
		if len(rows) > 1 && !s.visited.Load() && s.err() == nil {
			if err := execute([]*sequence{s}, 1, length); err != nil {
				s.fail(err)
			}
			continue
		}
		s.fail(err)
	}
}

// execute hands logits to the visitors of rows.
func (m *model) execute(rows []*sequence, height, length int) error {
	if !live(rows) {
		return nil
	}
	var headErr error
	err := m.hidden.run(padded(rows, height, length), func(states []float32) {
		headErr = m.project(rows, length, states)
	})
	return errors.Join(err, headErr)
}

// executeMoments hands the device's moments to rows that need no more.
func (m *model) executeMoments(rows []*sequence, height, length int) error {
	if !live(rows) {
		return nil
	}
	return m.moments.run(padded(rows, height, length), func(flat []float32) {
		for i, s := range rows {
			for pos := range s.ids[1:] {
				at := flat[4*(i*length+pos):]
				s.guard(pos, func() {
					s.moments(pos, Moments{LogProb: float64(at[0]), Rank: int(at[1]), Mean: float64(at[2]), Square: float64(at[3])})
				})
			}
		}
	})
}

// live fails the rows whose context is done and reports whether any are left.
func live(rows []*sequence) bool {
	left := false
	for _, s := range rows {
		if err := s.ctx.Err(); err != nil {
			s.fail(err)
		}
		left = left || s.err() == nil
	}
	return left
}

// padded is the ids of rows [height, length]. Padding is token 0; nobody sees it.
func padded(rows []*sequence, height, length int) *tensors.Tensor {
	ids := make([]int32, height*length)
	for i, s := range rows {
		copy(ids[i*length:], s.ids)
	}
	return tensors.FromFlatDataAndDimensions(ids, height, length)
}
