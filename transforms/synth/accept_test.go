package synth

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/synth/endpoint"
)

// fates answers by what is written for a prompt and draw: "ok", "cut" or "failed". It
// notes what it is asked and how much of that at once.
type fates struct {
	of map[string]string

	mutex          sync.Mutex
	asked          []string
	underway, most int
}

func fateKey(prompt string, draw int) string { return fmt.Sprintf("%s %d", prompt, draw) }

func (f *fates) Complete(_ context.Context, r endpoint.Request) (endpoint.Response, []endpoint.Attempt, error) {
	key := fateKey(r.Prompt, r.Draw)
	f.mutex.Lock()
	f.asked = append(f.asked, key)
	f.underway++
	f.most = max(f.most, f.underway)
	f.mutex.Unlock()
	time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.underway--
	switch f.of[key] {
	case "cut":
		return endpoint.Response{Text: key, Finish: "length"}, nil, nil
	case "failed":
		return endpoint.Response{}, nil, transforms.Reject("failed", "no answer")
	case "fatal":
		return endpoint.Response{}, nil, transforms.Fatal(errors.New("no such model"))
	}
	return endpoint.Response{Text: key, Finish: "stop"}, nil, nil
}

func (*fates) Close() error { return nil }

// complete is the input of a Global, and what it rejects: "row class", or for a part
// of a row that passed "row class part".
type complete struct {
	rows    []*data.Record
	refused []string
}

func (c *complete) Rows(string) iter.Seq2[*data.Record, error] {
	return func(yield func(*data.Record, error) bool) {
		for _, r := range c.rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (c *complete) Count(string) int64 { return int64(len(c.rows)) }

func (c *complete) Reject(r *transforms.Rejected) {
	line := r.Record.ID.String() + " " + r.Class
	if r.Part {
		line += " part"
	}
	c.refused = append(c.refused, line)
}

// accepting makes a node that ends with a number of accepted completions, over fates.
func accepting(t *testing.T, f *fates, accept, n, concurrency int) *until {
	t.Helper()
	k, _ := transforms.Lookup("Generate")
	made, err := k.New(configure(t, "Generate", map[string]any{"api": "stub", "concurrency": concurrency}, map[string]any{"accept": accept, "n": n, "cut": "reject"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.Columns(transforms.Ports{{Name: transforms.In, Schema: texts}}); err != nil {
		t.Fatal(err)
	}
	u := made.(*until)
	if err := u.Open(t.Context(), transforms.Run{}); err != nil {
		t.Fatal(err)
	}
	u.drawing().backend = f
	return u
}

// numbered makes rows whose text is their number; those of nulls have none.
func numbered(rows int, nulls ...int) []*data.Record {
	all := make([]*data.Record, rows)
	for i := range all {
		text := data.StringValue(fmt.Sprint(i))
		if slices.Contains(nulls, i) {
			text = data.Value{}
		}
		all[i] = &data.Record{Schema: texts, ID: data.KeyID(fmt.Sprint("r", i)), Order: int64(i), Values: []data.Value{text, data.Int64Value(0)}}
	}
	return all
}

// What is asked for is the shortest sequence of draws, in order, that has enough
// accepted; the accounts add up; and none of it depends on timing or concurrency.
func TestAcceptAsksForTheShortestSequence(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for range 60 {
		rows, n, accept, concurrency := 1+random.IntN(30), 1+random.IntN(4), 1+random.IntN(40), 1+random.IntN(16)
		null := random.IntN(2 * rows)
		f := &fates{of: map[string]string{}}
		var asked, accepted, refused []string
		short := func() bool { return len(accepted) < accept }
		for i := 0; i < rows && short(); i++ {
			if i == null {
				refused = append(refused, fmt.Sprintf("r%d null", i))
				continue
			}
			var parts []string
			passed := false
			for d := 0; d < n && short(); d++ {
				key := fateKey(fmt.Sprintf("About %d:", i), d)
				asked = append(asked, key)
				switch fate := []string{"ok", "ok", "cut", "failed"}[random.IntN(4)]; fate {
				case "ok":
					accepted, passed = append(accepted, key), true
				default:
					f.of[key] = fate
					parts = append(parts, fmt.Sprintf("r%d/%d %s", i, d, map[string]string{"cut": "length", "failed": "failed"}[fate]))
				}
			}
			for j, part := range parts {
				if passed || j > 0 {
					part += " part"
				}
				refused = append(refused, part)
			}
		}
		u := accepting(t, f, accept, n, concurrency)
		in := &complete{rows: numbered(rows, null)}
		var got []string
		if err := u.Run(t.Context(), in, func(_ string, r *data.Record) { got = append(got, r.Get("completion").Text()) }); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%d rows, n %d, accept %d, concurrency %d", rows, n, accept, concurrency)
		if !slices.Equal(got, accepted) || !slices.Equal(in.refused, refused) {
			t.Errorf("%s: accepted %v, want %v; refused %v, want %v", name, got, accepted, in.refused, refused)
		}
		slices.Sort(asked)
		if slices.Sort(f.asked); !slices.Equal(f.asked, asked) {
			t.Errorf("%s: asked for %v, want %v", name, f.asked, asked)
		}
		if f.most > accept {
			t.Errorf("%s: %d under way", name, f.most)
		}
		d := u.drawing()
		total := rows * n
		if slices.Contains(refused, fmt.Sprintf("r%d null", null)) {
			total -= n
		}
		if sum := d.accepted.Load() + d.rejected.Load() + d.failed.Load() + d.spared.Load(); sum != int64(total) || d.accepted.Load() != int64(len(accepted)) {
			t.Errorf("%s: %s, want %d in all", name, u.Summary(), total)
		}
		if cautions := u.Cautions(); (len(cautions) == 1) != short() {
			t.Errorf("%s: cautions %v", name, cautions)
		}
	}
}

// A request that ends the run does so although others are under way.
func TestAcceptEndsWithAFatalError(t *testing.T) {
	f := &fates{of: map[string]string{fateKey("About 3:", 0): "fatal"}}
	u := accepting(t, f, 100, 2, 8)
	err := u.Run(t.Context(), &complete{rows: numbered(50)}, func(string, *data.Record) {})
	if !transforms.IsFatal(err) || !strings.Contains(err.Error(), "no such model") {
		t.Errorf("error %v", err)
	}
	if f.underway != 0 {
		t.Errorf("%d requests are still under way", f.underway)
	}
}

// A row that waits long holds up the rows behind it, not without bound.
func TestAcceptKeepsFewRows(t *testing.T) {
	u := accepting(t, &fates{}, 1_000_000, 1, 1)
	p := &pursuit{draws: u.drawing(), done: make(chan settled, 4), underway: 1}
	for range 4 {
		p.queue = append(p.queue, &turn{})
	}
	if p.full() {
		t.Error("full with 4 rows of 4")
	}
	if p.queue = append(p.queue, &turn{}); !p.full() {
		t.Error("not full with 5 rows of 4")
	}
}
