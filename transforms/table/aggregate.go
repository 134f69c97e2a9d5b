package table

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/transforms"
)

func init() {
	transforms.Register(transforms.Kind{
		Name:    "Aggregate",
		Inputs:  []string{transforms.In},
		Outputs: []string{transforms.Out},
		New:     newAggregate,
	})
}

// AggregateConfig computes one row for each group of rows with equal values in
// By, sorted by them; null is a value of its own. Without By all rows are one
// group, which is there even if they are none.
//
// Functions leave out nulls:
//
//	count()            rows, int64
//	count(x)           values that are not null, int64
//	sum(x)             of int64 exact, int64; of floats compensated, float64
//	mean(x)            float64
//	std(x)             of the sample (n-1), float64
//	min(x), max(x)     by data.Compare, so NaN is above every number; x's type
//	median(x)          quantile(x, 0.5)
//	quantile(x, q)     exact, linear between neighbours (type 7 of Hyndman and Fan 1996), float64
//	distinct(x)        different values, int64
//
// All but counts are null for a group that has no values; so is std of one.
// A group takes a few hundred bytes, but median and quantile keep 8 bytes for
// each value and distinct about 40 for each different one.
type AggregateConfig struct {
	By      []string `json:"by"`
	Columns pairs    `json:"columns"` // new column to function
}

type aggregate struct {
	config AggregateConfig
	plan   plan[aggregation]
}

// aggregation is where the groups' columns are and what is computed.
type aggregation struct {
	by        []int
	functions []function
	out       *data.Schema
}

var (
	_ transforms.Combiner    = (*aggregate)(nil)
	_ transforms.Accumulator = (*groups)(nil)
)

func newAggregate(config []byte) (transforms.Node, error) {
	n := &aggregate{}
	if err := transforms.Decode(config, &n.config); err != nil {
		return nil, err
	}
	if len(n.config.Columns) == 0 {
		return nil, &transforms.FieldError{Field: "columns", Message: "computes no column"}
	}
	return n, nil
}

func (n *aggregate) Columns(in transforms.Ports) (transforms.Ports, error) {
	s, err := transforms.Input(in)
	if err != nil {
		return nil, err
	}
	p := &aggregation{}
	var errs []error
	if len(n.config.By) > 0 {
		var err error
		if p.by, err = indices(s, "by", n.config.By); err != nil {
			return nil, err
		}
	}
	var fields []data.Field
	for _, i := range p.by {
		fields = append(fields, s.Field(i))
	}
	for _, c := range n.config.Columns {
		field := "columns." + c.name
		f, err := parseFunction(s, field, c.value)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(n.config.By, c.name) {
			errs = append(errs, &transforms.FieldError{Field: field, Code: transforms.ColumnTwice,
				Message: fmt.Sprintf("%q is a column of by", c.name), Hint: "choose another name"})
			continue
		}
		p.functions = append(p.functions, f)
		fields = append(fields, data.Field{Name: c.name, Type: f.result, Nullable: f.nullable})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if p.out, err = data.NewSchema(fields...); err != nil {
		return nil, err
	}
	n.plan.set(p)
	return transforms.OutPort(p.out), nil
}

// NewAccumulator makes groups to add rows to.
func (n *aggregate) NewAccumulator() transforms.Accumulator {
	p, err := n.plan.get()
	return &groups{plan: p, err: err, byKey: map[string]*group{}}
}

// groups collects the rows of a bundle by group.
type groups struct {
	plan  *aggregation
	err   error
	byKey map[string]*group
	key   []byte
}

type group struct {
	by     []data.Value
	states []state
}

func (g *groups) Add(r *data.Record) error {
	if g.err != nil {
		return g.err
	}
	in := g.group(pick(r.Values, g.plan.by))
	for i, f := range g.plan.functions {
		var v data.Value
		if f.column >= 0 {
			if v = r.Values[f.column]; v.IsNull() {
				continue
			}
		}
		in.states[i].add(v)
	}
	return nil
}

// group finds the group with these values, or makes it.
func (g *groups) group(by []data.Value) *group {
	g.key = g.key[:0]
	for _, v := range by {
		g.key = appendKey(g.key, v)
	}
	if in, ok := g.byKey[string(g.key)]; ok {
		return in
	}
	in := &group{by: by, states: make([]state, len(g.plan.functions))}
	for i, v := range by {
		by[i] = canonical(v)
	}
	for i, f := range g.plan.functions {
		in.states[i] = f.state()
	}
	g.byKey[string(g.key)] = in
	return in
}

// canonical is the value that stands for those equal to it, so that it does not
// matter which came first.
func canonical(v data.Value) data.Value {
	f := v.Float64()
	isFloat := v.Kind() == data.Float32 || v.Kind() == data.Float64
	switch {
	case isFloat && math.IsNaN(f):
		f = math.NaN()
	case isFloat && f == 0:
		f = 0
	default:
		return v
	}
	if v.Kind() == data.Float32 {
		return data.Float32Value(float32(f))
	}
	return data.Float64Value(f)
}

// Marshal encodes each group's values and states.
func (g *groups) Marshal() ([]byte, error) {
	if g.err != nil {
		return nil, g.err
	}
	b := binary.AppendUvarint(nil, uint64(len(g.byKey)))
	for _, in := range g.sorted() {
		for _, v := range in.by {
			b = data.AppendValue(b, v)
		}
		for _, s := range in.states {
			b = s.append(b)
		}
	}
	return b, nil
}

// Merge adds what another accumulator collected.
func (g *groups) Merge(other []byte) error {
	if g.err != nil {
		return g.err
	}
	d := &stateDecoder{b: bytes.Clone(other)} // its values go on living in the groups
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		by := make([]data.Value, len(g.plan.by))
		for i := range by {
			by[i] = d.value()
		}
		if d.err != nil {
			break
		}
		in := g.group(by)
		for _, s := range in.states {
			s.merge(d)
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("bytes too many")
	}
	if d.err != nil {
		return fmt.Errorf("aggregate: damaged accumulator: %w", d.err)
	}
	return nil
}

// absorb adds what other groups of the same plan collected.
func (g *groups) absorb(other *groups) error {
	b, err := other.Marshal()
	return errors.Join(err, g.Merge(b))
}

// sorted are the groups by their values.
func (g *groups) sorted() []*group {
	keys := make([]string, 0, len(g.byKey))
	for key := range g.byKey {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		x, y := g.byKey[a].by, g.byKey[b].by
		for i := range x {
			if c := data.Compare(x[i], y[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b) // of kinds without order
	})
	sorted := make([]*group, len(keys))
	for i, key := range keys {
		sorted[i] = g.byKey[key]
	}
	return sorted
}

// Emit emits a row for each group, identified by its values.
func (g *groups) Emit(ctx context.Context, emit transforms.Emit) error {
	if g.err != nil {
		return g.err
	}
	if len(g.plan.by) == 0 {
		g.group(nil)
	}
	for order, in := range g.sorted() {
		if err := ctx.Err(); err != nil {
			return err
		}
		values := slices.Clone(in.by)
		for i, s := range in.states {
			v, err := s.result()
			if err != nil {
				column := g.plan.out.Field(len(in.by) + i).Name
				return transforms.Fatal(fmt.Errorf("column %q of group %s: %w", column, g.name(in), err))
			}
			values = append(values, v)
		}
		emit(transforms.Out, &data.Record{Schema: g.plan.out, ID: data.KeyID(g.name(in)), Order: int64(order), Values: values})
	}
	return nil
}

// name spells the group's values: ["human",3].
func (g *groups) name(in *group) string {
	parts := make([]string, len(in.by))
	for i, v := range in.by {
		parts[i] = string(jsonl.AppendValue(nil, v, g.plan.out.Field(i).Type))
	}
	return "[" + strings.Join(parts, ",") + "]"
}
