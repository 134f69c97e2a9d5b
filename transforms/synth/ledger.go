package synth

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"penstock.dev/transforms/synth/endpoint"
	"penstock.dev/transforms/synth/memo"
)

// Price is what a server charges, in US dollars.
type Price struct {
	Input   float64 `json:"input"`   // for a million tokens of prompts
	Output  float64 `json:"output"`  // for a million tokens of completions
	Request float64 `json:"request"` // for a request
}

// Budget bounds what completions may cost; 0 is no bound. What the memo has counts.
type Budget struct {
	USD      float64 `json:"usd"`
	Tokens   int64   `json:"tokens"` // of prompts and completions
	Requests int64   `json:"requests"`
}

// bill is an amount of work.
type bill struct{ requests, in, out int64 }

func (b bill) plus(o bill) bill { return bill{b.requests + o.requests, b.in + o.in, b.out + o.out} }

func (b bill) minus(o bill) bill { return bill{b.requests - o.requests, b.in - o.in, b.out - o.out} }

func (p Price) of(b bill) float64 {
	return (p.Input*float64(b.in)+p.Output*float64(b.out))/1e6 + p.Request*float64(b.requests)
}

var errBudget = errors.New("the budget is spent")

// exceeded names the bound that a bill is over.
func (b Budget) exceeded(p Price, of bill) error {
	switch {
	case b.USD > 0 && p.of(of) > b.USD:
		return fmt.Errorf("%w: the next request could pass generator.budget.usd of $%g", errBudget, b.USD)
	case b.Tokens > 0 && of.in+of.out > b.Tokens:
		return fmt.Errorf("%w: the next request could pass generator.budget.tokens of %d", errBudget, b.Tokens)
	case b.Requests > 0 && of.requests > b.Requests:
		return fmt.Errorf("%w: generator.budget.requests allows %d", errBudget, b.Requests)
	}
	return nil
}

// ledger keeps the accounts of a node's completions. A request is entered before it is
// made, by the most it may cost, and corrected when it is over, so that the budget is
// never passed.
type ledger struct {
	price  Price
	budget Budget

	mutex    sync.Mutex
	paid     bill // in this run
	recalled bill // from the memo
	reserved bill // by requests under way
	under    int
	lost     int64             // requests whose answer never arrived
	seen     map[memo.Key]bool // answers that are counted
	changed  chan struct{}
}

func newLedger(p Price, b Budget) *ledger {
	return &ledger{price: p, budget: b, seen: map[memo.Key]bool{}, changed: make(chan struct{})}
}

// most bounds the tokens of a request from above: a token is a byte or more, and the
// marks around a prompt are few.
func most(prompts []endpoint.Request) bill {
	const marks = 16
	b := bill{requests: 1}
	for _, p := range prompts {
		b.in += int64(len(p.System) + len(p.Prompt) + marks)
		b.out += int64(p.MaxTokens)
	}
	return b
}

// likely estimates what a request costs whose tokens nobody counted.
func likely(prompts []endpoint.Request) bill {
	b := bill{requests: 1}
	for _, p := range prompts {
		b.in += int64(p.Tokens())
		b.out += int64(p.MaxTokens)
	}
	return b
}

// reserve enters a request. Where the budget leaves no room it waits for those under
// way, which may cost less than they could.
func (l *ledger) reserve(ctx context.Context, prompts []endpoint.Request) (settle func(endpoint.Usage, bool), err error) {
	need := most(prompts)
	for {
		l.mutex.Lock()
		err := l.budget.exceeded(l.price, l.paid.plus(l.recalled).plus(l.reserved).plus(need))
		if err == nil {
			l.reserved = l.reserved.plus(need)
			l.under++
			l.mutex.Unlock()
			return func(u endpoint.Usage, known bool) { l.settle(prompts, need, u, known) }, nil
		}
		alone, changed := l.under == 0, l.changed
		l.mutex.Unlock()
		if alone {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (l *ledger) settle(prompts []endpoint.Request, need bill, u endpoint.Usage, known bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	cost := bill{requests: 1, in: int64(u.In), out: int64(u.Out)}
	if !known {
		l.lost++
	}
	if guess := likely(prompts); !known || u.In < 0 || u.Out < 0 {
		cost = guess
	}
	l.reserved, l.paid = l.reserved.minus(need), l.paid.plus(cost)
	l.under--
	close(l.changed)
	l.changed = make(chan struct{})
}

// recall counts an answer of the memo, once.
func (l *ledger) recall(key memo.Key, r endpoint.Request, u endpoint.Usage) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.seen[key] {
		return nil
	}
	l.seen[key] = true
	cost := bill{requests: 1, in: int64(u.In), out: int64(u.Out)}
	if u.In < 0 || u.Out < 0 {
		cost = likely([]endpoint.Request{r})
	}
	l.recalled = l.recalled.plus(cost)
	return nil
}

// remember notes that an answer is counted already.
func (l *ledger) remember(key memo.Key) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.seen[key] = true
}

// figures are the accounts so far.
func (l *ledger) figures() (paid, recalled bill, lost int64) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.paid, l.recalled, l.lost
}
