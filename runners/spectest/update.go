package spectest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"penstock.dev/data"
	"penstock.dev/data/jsonl"
	"penstock.dev/specs"
)

// Update gives the expectations of failed tests what came out instead: rows at ports,
// with the columns that the test names, and counts. Nothing is written. What the
// tests cannot say, such as a run that fails, stays.
func Update(path string, o Options, results []Result) ([]specs.FileEdit, error) {
	var edits []specs.TestEdit
	for _, r := range results {
		for _, want := range r.Test.Expect {
			if !slices.Contains(r.wrong, want.Key) {
				continue
			}
			text, err := specs.Rows(objects(r.got[want.Ref], namedColumns(want.Rows, r.got[want.Ref].schema)))
			if err != nil {
				return nil, err
			}
			edits = append(edits, specs.TestEdit{Path: []string{r.Test.Name, "expect", want.Key}, Text: text})
		}
		for _, c := range r.miscounted {
			edits = append(edits, specs.TestEdit{Path: []string{r.Test.Name, "counts", c.node, c.field}, Text: fmt.Sprint(c.have)})
		}
	}
	return specs.EditTests(path, specs.Options{Tags: o.Tags}, edits)
}

// namedColumns are the columns of a port that rows name; if there are no rows, all but
// those that are not for people to read.
func namedColumns(wanted []specs.TestRow, schema *data.Schema) []string {
	var names []string
	if len(wanted) == 0 {
		for _, f := range schema.Fields() {
			if readable(f.Type) {
				names = append(names, f.Name)
			}
		}
		return names
	}
	for _, f := range keysOf(wanted) {
		if schema.Index(f.Name) >= 0 {
			names = append(names, f.Name)
		}
	}
	return names
}

// readable reports whether values of the type may stand in a test.
func readable(t data.Type) bool { return t.Kind != data.Bytes && t.Kind != data.Tensor }

// objects are rows as JSON, of some of their columns.
func objects(r *rows, columns []string) []json.RawMessage {
	all := make([]json.RawMessage, len(r.records))
	for i, record := range r.records {
		all[i] = asObject(record, columns)
	}
	return all
}

func asObject(r *data.Record, columns []string) json.RawMessage {
	fields := make([]data.Field, len(columns))
	values := make([]data.Value, len(columns))
	for i, name := range columns {
		fields[i], _ = r.Schema.Lookup(name)
		values[i] = r.Get(name)
	}
	return bytes.TrimSpace(jsonl.AppendRow(nil, data.MustSchema(fields...), values))
}
