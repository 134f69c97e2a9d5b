package detect

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Every token but the first is predicted once, within the window that says so,
// and in all windows but the first from half a window of context or more.
func TestWindowsMeasureEveryTokenOnce(t *testing.T) {
	for size := 2; size <= 40; size++ {
		for n := 2; n <= 5*size+3; n++ {
			measured := make([]int, n) // by token predicted
			for k, w := range windows(n, size) {
				if w.begin < 0 || w.end > n || w.end-w.begin > size || w.begin >= w.end {
					t.Fatalf("n %d, size %d: window %+v", n, size, w)
				}
				for i := w.fresh; i+1 < w.end; i++ {
					measured[i+1]++
					if context := i + 1 - w.begin; k > 0 && 2*context < size {
						t.Fatalf("n %d, size %d: token %d has %d tokens of context in %+v", n, size, i+1, context, w)
					}
				}
			}
			for token, times := range measured {
				if token > 0 && times != 1 || token == 0 && times != 0 {
					t.Fatalf("n %d, size %d: token %d measured %d times", n, size, token, times)
				}
			}
		}
	}
}

func TestShortTextIsOneWindow(t *testing.T) {
	for n := 2; n <= 10; n++ {
		if got := windows(n, 10); len(got) != 1 {
			t.Errorf("%d tokens go through %d windows of 10", n, len(got))
		}
	}
}

func TestAllowance(t *testing.T) {
	a := newAllowance(3)
	giveBack, err := a.take(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.take(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("took 2 of the 1 that is left: %v", err)
	}
	giveBack()
	all, err := a.take(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	waited := make(chan error)
	go func() {
		_, err := a.take(t.Context(), 1)
		waited <- err
	}()
	select {
	case <-waited:
		t.Error("took more than there is")
	case <-time.After(10 * time.Millisecond):
	}
	all()
	if err := <-waited; err != nil {
		t.Error(err)
	}
}
