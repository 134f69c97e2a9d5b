package synth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/synth/endpoint"
)

// drawer is a node that asks for completions of its rows.
type drawer interface {
	transforms.Node
	transforms.Keeper
	transforms.Closer
	transforms.Metered
	transforms.Modelled
	transforms.Summarised
	transforms.Rehearsed
	transforms.Remote
	// ask makes the requests of a row, in the order of the draws, and what judges
	// their answers. An error rejects the row.
	ask(r *data.Record) ([]endpoint.Request, judge, error)
	drawing() *draws
}

func (d *draws) drawing() *draws { return d }

// upTo is the node itself, or for a number of completions above 0 the node that ends
// when so many are accepted.
func upTo(accept int, n drawer) transforms.Node {
	if accept <= 0 {
		return n
	}
	return &until{n}
}

// until asks for the completions of its rows by their order until enough are accepted.
// One is asked for only while those under way, were all of them accepted, would not be
// enough. So what is asked for is the shortest sequence that has as many, whatever the
// number of requests at once, and nothing is paid for in vain.
type until struct{ drawer }

var (
	_ transforms.Global    = (*until)(nil)
	_ transforms.Cautioned = (*until)(nil)
)

// Run implements transforms.Global.
func (u *until) Run(ctx context.Context, in transforms.Inputs, emit transforms.Emit) error {
	d := u.drawing()
	ctx, stop := context.WithCancel(ctx)
	p := &pursuit{draws: d, in: in, emit: emit, done: make(chan settled, d.Window())}
	defer p.wg.Wait()
	defer stop()
	d.spared.Store(in.Count(transforms.In) * int64(d.n))
	for r, err := range in.Rows(transforms.In) {
		if err != nil {
			return err
		}
		if needed, err := p.needsMore(); err != nil || !needed {
			return err
		}
		requests, judge, err := u.ask(r)
		switch {
		case transforms.IsFatal(err):
			return err
		case err != nil:
			d.spared.Add(-int64(d.n))
		case d.dry:
			d.rehearse(r, requests)
			continue
		}
		if err := p.pursue(ctx, &turn{row: r, err: err}, requests, judge); err != nil {
			return err
		}
	}
	for p.underway > 0 {
		if err := p.settle(); err != nil {
			return err
		}
	}
	return nil
}

// Cautions implements transforms.Cautioned.
func (u *until) Cautions() []string {
	d := u.drawing()
	if n := d.accepted.Load(); !d.dry && d.ledger != nil && n < int64(d.accept) {
		return []string{fmt.Sprintf("only %d completions of accept: %d were accepted before the rows ended; give more rows or a larger n", n, d.accept)}
	}
	return nil
}

// turn is a row whose completions are asked for.
type turn struct {
	row      *data.Record
	err      error    // that rejects the row
	results  []result // by draw
	underway int
	open     bool // more of its completions may be asked for
}

// settled is what became of a draw of a row.
type settled struct {
	*turn
	draw int
	result
}

// pursuit asks for completions until enough are accepted. Its fields belong to one
// goroutine; those of the requests send what they got to done.
type pursuit struct {
	draws    *draws
	in       transforms.Inputs
	emit     transforms.Emit
	wg       sync.WaitGroup
	done     chan settled // has room for everything under way
	queue    []*turn      // rows not yet handed on, in order
	accepted int
	underway int
}

// pursue asks for the completions of a row, as far as they are needed.
func (p *pursuit) pursue(ctx context.Context, t *turn, requests []endpoint.Request, accept judge) error {
	t.open = true
	p.queue = append(p.queue, t)
	for i, request := range requests {
		needed, err := p.needsMore()
		if err != nil {
			return err
		}
		if !needed {
			break
		}
		t.results = append(t.results, result{})
		t.underway++
		p.underway++
		p.draws.spared.Add(-1)
		p.wg.Go(func() { p.done <- settled{t, i, p.draws.draw(ctx, request, accept)} })
	}
	t.open = false
	return p.release()
}

// needsMore waits until the next completion is known to be needed, or not to be.
func (p *pursuit) needsMore() (bool, error) {
	for p.full() {
		if err := p.settle(); err != nil {
			return false, err
		}
	}
	return p.accepted < p.draws.accept, nil
}

// full reports whether the next completion must wait for one that is under way: it may
// not be needed, or too much is in memory.
func (p *pursuit) full() bool {
	most := cap(p.done)
	return p.underway > 0 && (p.accepted+p.underway >= p.draws.accept || p.underway == most || len(p.queue) > most)
}

// settle waits for a completion, and hands on the rows that have all of theirs.
func (p *pursuit) settle() error {
	s := <-p.done
	p.underway--
	s.turn.underway--
	s.results[s.draw] = s.result
	switch {
	case s.result.err == nil:
		p.accepted++
	case !isReject(s.result.err):
		return s.result.err
	}
	return p.release()
}

// release hands on the rows at the head of the queue that have all their completions.
func (p *pursuit) release() error {
	for len(p.queue) > 0 && !p.queue[0].open && p.queue[0].underway == 0 {
		t := p.queue[0]
		p.queue = p.queue[1:]
		if t.err != nil {
			p.in.Reject(transforms.AsRejected(t.row, t.err))
			continue
		}
		if err := p.hand(t); err != nil {
			return err
		}
	}
	return nil
}

// hand hands on a row's completions. The row itself is rejected if none is accepted.
func (p *pursuit) hand(t *turn) error {
	passed := false
	err := p.draws.deliver(t.row, t.results, func(port string, r *data.Record) {
		passed = true
		p.emit(port, r)
	})
	var parts transforms.PartsRejected
	if !errors.As(err, &parts) {
		return err
	}
	for _, part := range parts {
		part.Part = passed
		passed = true
		p.in.Reject(part)
	}
	return nil
}
