package spectest

import (
	"context"
	"encoding/json"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// given is a source of rows that a test gives.
type given struct {
	schema  *data.Schema
	records []*data.Record
}

var _ transforms.Source = (*given)(nil)

// newGiven reads the rows given at a port of a node. The columns are those of the
// port if they are known; otherwise those that the node declares, and what the rows
// show beyond them.
func newGiven(p specs.PortRows, n *specs.Node, known *data.Schema) (*given, error) {
	var config struct {
		Columns json.RawMessage `json:"columns"`
		Key     string          `json:"key"`
	}
	if json.Unmarshal(n.Config, &config) != nil {
		config.Key = ""
	}
	g := &given{schema: known}
	if known == nil {
		var declared transforms.Columns
		if declared.UnmarshalJSON(config.Columns) != nil {
			declared = nil
		}
		var err error
		if g.schema, err = withKeys(declared, keysOf(p.Rows)); err != nil {
			return nil, mistaken(p.Pos, "%v", err)
		}
	}
	decoder := jsonl.NewDecoder(g.schema)
	for i, row := range p.Rows {
		values, err := decoder.Decode(row.JSON)
		if err != nil {
			return nil, mistaken(row.Pos, "given %s: %v", p.Key, err)
		}
		r := &data.Record{Schema: g.schema, ID: data.ID{Source: p.String(), Row: int64(i)}, Order: int64(i), Values: values}
		if key := g.schema.Index(config.Key); key >= 0 && !values[key].IsNull() {
			r.ID = data.KeyID(string(data.AppendText(nil, values[key], g.schema.Field(key).Type)))
		}
		g.records = append(g.records, r)
	}
	return g, nil
}

// withKeys is the schema of declared columns with those behind them that only rows
// show.
func withKeys(declared, shown []data.Field) (*data.Schema, error) {
	s, err := data.NewSchema(declared...)
	if err != nil {
		return nil, err
	}
	for _, f := range shown {
		if s.Index(f.Name) < 0 {
			if s, err = s.Append(f); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (g *given) kind() transforms.Kind {
	return transforms.Kind{
		Name: "Given", Outputs: []string{transforms.Out, transforms.Rejects},
		New: func([]byte) (transforms.Node, error) { return g, nil },
	}
}

// Columns implements transforms.Node.
func (g *given) Columns(transforms.Ports) (transforms.Ports, error) {
	return transforms.OutPort(g.schema), nil
}

// Splits implements transforms.Source.
func (g *given) Splits(context.Context) ([]transforms.Split, error) {
	return []transforms.Split{{Rows: int64(len(g.records))}}, nil
}

// Read implements transforms.Source.
func (g *given) Read(_ context.Context, s transforms.Split, emit func(*data.Record) error, _ func(*transforms.Rejected)) error {
	for _, r := range g.records {
		placed := *r
		placed.Order += s.Order
		if err := emit(&placed); err != nil {
			return err
		}
	}
	return nil
}
