package detect

import "context"

// allowance bounds the memory that the rows under way hold together. A row takes
// its share before it allocates and waits while too little is free.
type allowance struct {
	entry chan struct{} // held by whoever is taking units, so that nobody overtakes or blocks half-served
	units chan struct{} // one element for each unit that is taken
}

func newAllowance(units int) *allowance {
	return &allowance{entry: make(chan struct{}, 1), units: make(chan struct{}, units)}
}

// take takes n units, or all there are if n is more, and returns what gives them
// back.
func (a *allowance) take(ctx context.Context, n int) (giveBack func(), err error) {
	select {
	case a.entry <- struct{}{}:
		defer func() { <-a.entry }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	taken := 0
	giveBack = func() {
		for range taken {
			<-a.units
		}
	}
	for range min(n, cap(a.units)) {
		select {
		case a.units <- struct{}{}:
			taken++
		case <-ctx.Done():
			giveBack()
			return nil, ctx.Err()
		}
	}
	return giveBack, nil
}
