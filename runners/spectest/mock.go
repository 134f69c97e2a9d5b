package spectest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// Columns of an answer that rejects its row.
const (
	rejectClass   = "reject_class"
	rejectMessage = "reject_message"
)

// mock stands in for a node that makes rows of a row. Its columns are those of the
// node, if it can tell them without its model.
type mock struct {
	specs.Mock
	real    transforms.Node // nil if its files are not there
	in, out *data.Schema
	answers []answer
}

// answer is what the node makes of the rows whose columns are when.
type answer struct {
	when   []cell
	then   []cell
	reject error
}

// cell is a value of a column.
type cell struct {
	column int
	value  data.Value
}

var _ transforms.Row = (*mock)(nil)

// mockKind is a kind with the ports of another.
func mockKind(kind transforms.Kind, m specs.Mock) (transforms.Kind, error) {
	if m.File != "" {
		text, err := os.ReadFile(m.File)
		if err != nil {
			return kind, mistaken(m.Pos, "mock of %s: %v", m.Node, err)
		}
		for line := range bytes.Lines(text) {
			m.Answers = append(m.Answers, specs.TestRow{Pos: m.Pos, JSON: line})
		}
	}
	mocked := kind
	mocked.New = func(config []byte) (transforms.Node, error) {
		real, err := kind.New(config)
		if err != nil && !lacksResource(err) {
			return nil, err
		}
		return &mock{Mock: m, real: real}, nil
	}
	return mocked, nil
}

// lacksResource reports whether a node complains of nothing but files that are not
// there.
func lacksResource(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !lacksResource(e) {
				return false
			}
		}
		return true
	}
	var field *transforms.FieldError
	return errors.As(err, &field) && field.Code == transforms.NoResource
}

// Columns implements transforms.Node.
func (m *mock) Columns(in transforms.Ports) (transforms.Ports, error) {
	m.in = in.Get(transforms.In)
	out, err := m.columns(in)
	if err != nil {
		return nil, err
	}
	m.out = out.Get(transforms.Out)
	m.answers = nil
	for _, row := range m.Answers {
		a, err := m.read(row.JSON)
		if err != nil {
			return nil, fmt.Errorf("mock: answer %d: %w", len(m.answers)+1, err)
		}
		m.answers = append(m.answers, a)
	}
	return out, nil
}

// columns are those of the node, or else of its input and the answers.
func (m *mock) columns(in transforms.Ports) (transforms.Ports, error) {
	if m.real != nil {
		out, err := m.real.Columns(in)
		if err == nil || !lacksResource(err) {
			return out, err
		}
	}
	if m.Stub {
		return nil, errors.New("mock: what a stub should make up is unknown without the node's files: give answers")
	}
	var added []data.Field
	for _, f := range keysOf(m.Answers) {
		if f.Name != rejectClass && f.Name != rejectMessage {
			added = append(added, f)
		}
	}
	out, err := withKeys(m.in.Fields(), added)
	return transforms.OutPort(out), err
}

// read reads an answer: columns of the input say which rows it is for.
func (m *mock) read(text []byte) (answer, error) {
	var a answer
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return a, err
	}
	if class, rejects := keys[rejectClass]; rejects {
		var c, message string
		if err := errors.Join(json.Unmarshal(class, &c), json.Unmarshal(keys[rejectMessage], &message)); err != nil {
			return a, fmt.Errorf("want reject_class and reject_message, texts both")
		}
		a.reject = transforms.Reject(c, "%s", message)
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		text := keys[name]
		if name == rejectClass || name == rejectMessage {
			continue
		}
		schema, cells := m.out, &a.then
		if m.in.Index(name) >= 0 {
			schema, cells = m.in, &a.when
		}
		i := schema.Index(name)
		if i < 0 {
			near, _ := schema.Nearest(name)
			return a, fmt.Errorf("the node gives no column %q (the nearest is %q)", name, near)
		}
		v, ok := jsonl.ParseValue(text, schema.Field(i).Type)
		if !ok {
			return a, fmt.Errorf("column %q is %s, the value is %s", name, schema.Field(i).Type, text)
		}
		*cells = append(*cells, cell{i, v})
	}
	return a, nil
}

// Process implements transforms.Row.
func (m *mock) Process(_ context.Context, r *data.Record, emit transforms.Emit) error {
	if m.Stub {
		emit(transforms.Out, r.With(m.out, m.madeUp(r)))
		return nil
	}
	var found []answer
	for _, a := range m.answers {
		if a.isFor(r) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return transforms.Reject("unmocked", "the mock has no answer for this row")
	}
	for i, a := range found {
		if a.reject != nil {
			return a.reject
		}
		values := m.carried(r)
		for _, c := range a.then {
			values[c.column] = c.value
		}
		if len(found) == 1 {
			emit(transforms.Out, r.With(m.out, values))
		} else {
			emit(transforms.Out, r.Child(i, m.out, values))
		}
	}
	return nil
}

func (a *answer) isFor(r *data.Record) bool {
	for _, c := range a.when {
		if !r.Values[c.column].Equal(c.value) {
			return false
		}
	}
	return true
}

// carried are the values of the columns that the output has of the input.
func (m *mock) carried(r *data.Record) []data.Value {
	values := make([]data.Value, m.out.Len())
	for i, f := range m.out.Fields() {
		values[i] = r.Get(f.Name)
	}
	return values
}

// madeUp are values for a row whose own are kept: the same whenever it comes.
func (m *mock) madeUp(r *data.Record) []data.Value {
	values := m.carried(r)
	for i, f := range m.out.Fields() {
		if m.in.Index(f.Name) >= 0 {
			continue
		}
		draw := data.Draw(r.ID, 0, i)
		switch f.Type.Kind {
		case data.Bool:
			values[i] = data.BoolValue(draw.IntN(2) == 1)
		case data.Int64:
			values[i] = data.Int64Value(draw.Int64N(100))
		case data.Float32:
			values[i] = data.Float32Value(draw.Float32())
		case data.Float64:
			values[i] = data.Float64Value(draw.Float64())
		case data.String:
			values[i] = data.StringValue(fmt.Sprintf("%s %x", f.Name, draw.Uint32()))
		}
	}
	return values
}
