package synth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"penstock.dev/data"
	"penstock.dev/transforms"
	"penstock.dev/transforms/models"
	"penstock.dev/transforms/synth/endpoint"
)

// Columns that every kind of this package adds to a row for each completion.
var drawFields = []data.Field{
	{Name: "draw", Type: data.Int64Type},
	{Name: "finish_reason", Type: data.StringType, Nullable: true},
	{Name: "tokens_in", Type: data.Int64Type, Nullable: true},
	{Name: "tokens_out", Type: data.Int64Type, Nullable: true},
}

// failedFields are the columns that the rejects port has beyond those of the input:
// which completion, what every attempt met with ("ok" for an answer), and what the
// model said, if anything.
var failedFields = []data.Field{
	{Name: "draw", Type: data.Int64Type, Nullable: true},
	{Name: "attempts", Type: data.ListOf(data.StringType, false), Nullable: true},
	{Name: "finish_reason", Type: data.StringType, Nullable: true},
	{Name: "completion", Type: data.StringType, Nullable: true},
}

// draws makes the completions of a node's rows and keeps their accounts: every
// completion asked for is accepted, rejected for what it says, or failed; those that
// accept makes needless are spared.
type draws struct {
	completer
	n          int
	accept     int          // completions to be accepted, 0 for all that can be
	out, input *data.Schema // of the ports out and rejects

	accepted, rejected, failed, spared atomic.Int64

	mutex     sync.Mutex
	rehearsed []rehearsal // of a dry run, the first rows by order
	asked     bill        // what a dry run would ask for
	dry       bool
	cached    int64
}

// rehearsal is a prompt of a dry run.
type rehearsal struct {
	order  int64
	row    string
	prompt endpoint.Request
}

const rehearsals = 3

// Open implements transforms.Keeper.
func (d *draws) Open(ctx context.Context, run transforms.Run) error {
	d.dry = run.Dry
	return d.open(ctx, run)
}

// Close implements transforms.Closer.
func (d *draws) Close() error { return d.close() }

// Server implements transforms.Remote.
func (d *draws) Server() string {
	if d.config.remote() && !d.parseOnly {
		return d.config.URL
	}
	return ""
}

// Window implements transforms.Windowed: enough rows to keep every request busy while
// the oldest row waits for another attempt.
func (d *draws) Window() int {
	const most = 2048
	return min(most, max(64, 8*d.config.Concurrency*max(1, d.config.Batch)))
}

// ports are the schemas of a node that adds columns to its input.
func (d *draws) ports(in *data.Schema, add ...data.Field) (transforms.Ports, error) {
	out, err := transforms.AddColumns(in, "", add...)
	if err != nil {
		return nil, err
	}
	failed, err := transforms.AddColumns(in, "", failedFields...)
	if err != nil {
		return nil, err
	}
	d.out, d.input = out, failed
	return transforms.Ports{{Name: transforms.Out, Schema: out}, {Name: transforms.Rejects, Schema: transforms.RejectSchema(failed)}}, nil
}

// judge makes of a completion the values behind those of the row, or an error that
// rejects it. It may ask again (see structure.repair).
type judge func(ctx context.Context, a answer, r endpoint.Request) ([]data.Value, answer, error)

// result is what became of a completion: the values behind those of the row, or an
// error that rejects it or ends the run.
type result struct {
	values []data.Value
	answer answer
	err    error
}

// process asks for the completions of a row and hands on those that judge accepts.
func (d *draws) process(ctx context.Context, r *data.Record, requests []endpoint.Request, accept judge, emit transforms.Emit) error {
	if d.dry {
		d.rehearse(r, requests)
		return nil
	}
	results := make([]result, len(requests))
	var wg sync.WaitGroup
	for i, request := range requests {
		wg.Go(func() { results[i] = d.draw(ctx, request, accept) })
	}
	wg.Wait()
	return d.deliver(r, results, emit)
}

// draw asks for a completion and counts what becomes of it.
func (d *draws) draw(ctx context.Context, request endpoint.Request, accept judge) result {
	a, err := d.complete(ctx, request)
	if err != nil {
		if isReject(err) {
			d.failed.Add(1)
		}
		return result{answer: a, err: err}
	}
	values, a, err := accept(ctx, a, request)
	switch {
	case err == nil:
		d.accepted.Add(1)
	case isReject(err):
		d.rejected.Add(1)
	}
	return result{values, a, err}
}

// deliver hands on what became of a row's completions, in order.
func (d *draws) deliver(r *data.Record, results []result, emit transforms.Emit) error {
	var refused transforms.PartsRejected
	for i, res := range results {
		var reject *transforms.RejectError
		switch {
		case res.err == nil:
			values := append(slices.Clone(r.Values), res.values...)
			emit(transforms.Out, r.Child(i, d.out, values))
		case errors.As(res.err, &reject):
			part := r.Child(i, d.input, append(slices.Clone(r.Values), account(i, res.answer)...))
			refused = append(refused, &transforms.Rejected{Record: part, Class: reject.Class, Err: reject.Message})
		default:
			return res.err
		}
	}
	if len(refused) > 0 {
		return refused
	}
	return nil
}

func isReject(err error) bool {
	var reject *transforms.RejectError
	return errors.As(err, &reject)
}

// account are the values of failedFields.
func account(draw int, a answer) []data.Value {
	attempts := make([]data.Value, len(a.Attempts))
	answered := false
	for i, t := range a.Attempts {
		attempts[i] = data.StringValue(t.Error)
		if answered = t.Error == ""; answered {
			attempts[i] = data.StringValue("ok")
		}
	}
	values := []data.Value{data.Int64Value(int64(draw)), data.ListValue(attempts), {}, {}}
	if a.Finish != "" {
		values[2] = data.StringValue(a.Finish)
	}
	if a.Text != "" || answered {
		values[3] = data.StringValue(strings.ToValidUTF8(a.Text, "\uFFFD"))
	}
	return values
}

// drawValues are the values of drawFields.
func drawValues(draw int, a answer) []data.Value {
	values := []data.Value{data.Int64Value(int64(draw)), {}, {}, {}}
	if a.Finish != "" {
		values[1] = data.StringValue(a.Finish)
	}
	for i, n := range []int{a.Usage.In, a.Usage.Out} {
		if n >= 0 {
			values[2+i] = data.Int64Value(int64(n))
		}
	}
	return values
}

// requests are those of a row's draws.
func (d *draws) requests(s Sampling, system, prompt string, schema []byte) []endpoint.Request {
	all := make([]endpoint.Request, d.n)
	for i := range all {
		all[i] = s.request(system, prompt, i, schema)
	}
	return all
}

// rehearse notes what would be asked.
func (d *draws) rehearse(r *data.Record, requests []endpoint.Request) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, q := range requests {
		if d.has(q) {
			d.cached++
			continue
		}
		d.asked = d.asked.plus(likely([]endpoint.Request{q}))
	}
	d.rehearsed = append(d.rehearsed, rehearsal{r.Order, r.ID.String(), requests[0]})
	slices.SortStableFunc(d.rehearsed, func(a, b rehearsal) int { return int(a.order - b.order) })
	d.rehearsed = d.rehearsed[:min(rehearsals, len(d.rehearsed))]
}

// Rehearsal implements transforms.Rehearsed: the first prompts as they would be sent,
// and an estimate of what all would cost.
func (d *draws) Rehearsal() string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	var b strings.Builder
	for _, r := range d.rehearsed {
		fmt.Fprintf(&b, "--- %s\n", r.row)
		if r.prompt.System != "" {
			fmt.Fprintf(&b, "[system] %s\n", r.prompt.System)
		}
		fmt.Fprintf(&b, "%s\n", r.prompt.Prompt)
	}
	fmt.Fprintf(&b, "---\n%d completions", d.asked.requests)
	if d.cached > 0 {
		fmt.Fprintf(&b, " (and %d that are kept already)", d.cached)
	}
	fmt.Fprintf(&b, ": about %d tokens of prompts at %d bytes each, at most %d tokens of completions", d.asked.in, 4, d.asked.out)
	if d.config.Price != (Price{}) {
		fmt.Fprintf(&b, ", at most about $%.4f", d.config.Price.of(d.asked))
	}
	b.WriteString("\n")
	return b.String()
}

// Summary implements transforms.Summarised.
func (d *draws) Summary() []string {
	if d.ledger == nil || d.dry {
		return nil
	}
	paid, recalled, lost := d.ledger.figures()
	line := fmt.Sprintf("%d completions accepted, %d rejected, %d failed", d.accepted.Load(), d.rejected.Load(), d.failed.Load())
	if d.accept > 0 {
		line += fmt.Sprintf(", %d not asked for", d.spared.Load())
	}
	if d.config.costs() {
		line += fmt.Sprintf("; %d requests, %d tokens in, %d out", paid.requests, paid.in, paid.out)
		if d.config.Price != (Price{}) {
			line += fmt.Sprintf(", $%.4f", d.config.Price.of(paid))
		}
		if n := d.hits.Load(); n > 0 {
			line += fmt.Sprintf("; %d taken from the memo", n)
			if d.config.Price != (Price{}) {
				line += fmt.Sprintf(" ($%.4f earlier)", d.config.Price.of(recalled))
			}
		}
		if lost > 0 {
			line += fmt.Sprintf("; %d requests got no answer and count by estimate", lost)
		}
	}
	lines := []string{line}
	if d.memory != nil {
		if n, where := d.memory.Damage(); n > 0 {
			lines = append(lines, fmt.Sprintf("the memo is damaged: %d lines, the first in %s; what they held was asked for again", n, where))
		}
	}
	return lines
}

// Metrics implements transforms.Metered.
func (d *draws) Metrics() []transforms.Metric {
	if d.ledger == nil {
		return nil
	}
	paid, _, _ := d.ledger.figures()
	metrics := []transforms.Metric{
		{Name: "completions accepted", Value: float64(d.accepted.Load())},
		{Name: "completions rejected", Value: float64(d.rejected.Load())},
		{Name: "completions failed", Value: float64(d.failed.Load())},
		{Name: "memo hits", Value: float64(d.hits.Load())},
		{Name: "tokens in", Value: float64(paid.in), Unit: "tokens"},
		{Name: "tokens out", Value: float64(paid.out), Unit: "tokens"},
		{Name: "cost", Value: d.config.Price.of(paid), Unit: "USD"},
	}
	if d.client != nil {
		s := d.client.Stats()
		metrics = append(metrics,
			transforms.Metric{Name: "requests", Value: float64(s.Requests)},
			transforms.Metric{Name: "retries", Value: float64(s.Retries)},
			transforms.Metric{Name: "busy answers", Value: float64(s.Busy)},
			transforms.Metric{Name: "requests at once", Value: float64(s.Limit)})
	}
	return metrics
}

// Models implements transforms.Modelled: a server does not tell what its model is
// beyond its name.
func (d *draws) Models() []transforms.ModelUse {
	use := transforms.ModelUse{Ref: d.config.Model, Description: "api " + d.config.API, Backend: d.config.API}
	switch {
	case d.config.API == apiRecorded:
		use.Ref = d.config.File
	case d.local != nil:
		i := d.local.lm.Info()
		use.Hash, use.Backend = d.local.lm.Hash(), models.Device()
		use.Description = fmt.Sprintf("%s, %.1f M parameters, context %d", i.Architecture, float64(i.Parameters)/1e6, d.local.lm.Context())
	}
	return []transforms.ModelUse{use}
}
