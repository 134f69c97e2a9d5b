package spectest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"penstock.dev/data"
	"penstock.dev/graphs"
	"penstock.dev/runners"
	"penstock.dev/specs"
	"penstock.dev/transforms"
)

// recordedRows is how many rows of each source a recording reads, if not asked for more.
const recordedRows = 100

// Record makes a test of a run: n rows of each source, evenly from the first hundred,
// and one more that some node rejects, if there is one; the answers of models and
// servers for them as mocks; what comes out. Nothing is written.
func Record(ctx context.Context, path string, n int, o Options) (specs.FileEdit, error) {
	plan, ds := graphs.Load(path, specs.Options{Tags: o.Tags})
	switch {
	case ds.Failed():
		return specs.FileEdit{}, ds
	case plan.Stream():
		return specs.FileEdit{}, fmt.Errorf("graph %s takes events: a recording is made of a batch", plan.Graph.Name)
	}
	c, err := runners.Collect(ctx, plan, runners.Options{Limit: int64(max(n, recordedRows)), Log: o.Log})
	if err != nil {
		return specs.FileEdit{}, err
	}
	r := recorder{plan: plan, all: c.Records, chosen: map[data.ID]bool{}}
	if err := r.choose(n); err != nil {
		return specs.FileEdit{}, err
	}
	result := Result{Test: r.test(o.Tags)}
	result.run(ctx, plan.Graph, o)
	if result.got == nil {
		return specs.FileEdit{}, fmt.Errorf("the recorded test cannot run: %s", result.Failures[0].Message)
	}
	text, err := r.text(&result)
	if err != nil {
		return specs.FileEdit{}, err
	}
	return specs.AddTest(path, specs.Options{Tags: o.Tags}, "recorded", text)
}

// recorder makes a test of the records of a run.
type recorder struct {
	plan   *graphs.Plan
	all    map[graphs.PortRef][]*data.Record
	chosen map[data.ID]bool // rows of sources that the test is made of
}

// root is the row of a source that a record stems from.
func root(r *data.Record) data.ID { return data.ID{Source: r.ID.Source, Row: r.ID.Row} }

// choose picks the rows of the test.
func (r *recorder) choose(n int) error {
	for _, source := range r.sources() {
		for _, f := range source.Outputs.Get(transforms.Out).Fields() {
			if !readable(f.Type) {
				return fmt.Errorf("node %s: column %s is %s, which is not for a test's text: give such a graph a source of few rows", source.Name, f.Name, f.Type)
			}
		}
		records := r.records(source.Name, transforms.Out)
		for i := range min(n, len(records)) {
			r.chosen[root(records[i*len(records)/min(n, len(records))])] = true
		}
	}
	for _, node := range r.plan.Nodes {
		for _, rejected := range r.records(node.Name, transforms.Rejects) {
			if len(node.Inputs) > 0 {
				r.chosen[root(rejected)] = true
				return nil
			}
		}
	}
	return nil
}

func (r *recorder) sources() []*graphs.PlanNode {
	var sources []*graphs.PlanNode
	for _, n := range r.plan.Nodes {
		if len(n.Inputs) == 0 {
			sources = append(sources, n)
		}
	}
	return sources
}

func (r *recorder) records(node, port string) []*data.Record {
	return r.all[graphs.PortRef{Node: node, Port: port}]
}

// kept are the records of a port that stem from chosen rows.
func (r *recorder) kept(node, port string) []*data.Record {
	return slices.DeleteFunc(slices.Clone(r.records(node, port)), func(x *data.Record) bool { return !r.chosen[root(x)] })
}

// test is the test without its expectations, which are the rows at every sink and
// every port of rejects.
func (r *recorder) test(tags map[string]string) specs.Test {
	t := specs.Test{Name: "recorded", Parameters: tags}
	for _, n := range r.plan.Nodes {
		if len(n.Inputs) == 0 {
			ref := specs.Ref{Node: n.Name, Port: transforms.Out}
			t.Given = append(t.Given, specs.PortRows{Ref: ref, Key: n.Name, Rows: testRows(r.kept(n.Name, transforms.Out), nil)})
			continue
		}
		if answers := r.answers(n); answers != nil {
			t.Mocks = append(t.Mocks, specs.Mock{Node: n.Name, Answers: answers})
		}
		if n.Role() == "sink" {
			t.Expect = append(t.Expect, specs.PortRows{Ref: specs.Ref{Node: n.Name}, Key: n.Name})
		}
		if len(r.kept(n.Name, transforms.Rejects)) > 0 {
			ref := specs.Ref{Node: n.Name, Port: transforms.Rejects}
			t.Expect = append(t.Expect, specs.PortRows{Ref: ref, Key: ref.String()})
		}
	}
	return t
}

func testRows(records []*data.Record, columns []string) []specs.TestRow {
	rows := []specs.TestRow{}
	for _, record := range records {
		of := columns
		if of == nil {
			of = record.Schema.Names()
		}
		rows = append(rows, specs.TestRow{JSON: asObject(record, of)})
	}
	return rows
}

// answers are the mock's of a node that uses a model or a server; nil for others.
func (r *recorder) answers(n *graphs.PlanNode) []specs.TestRow {
	remote, ok := n.Impl.(transforms.Remote)
	_, model := n.Impl.(transforms.Modelled)
	if _, row := n.Impl.(transforms.Row); !row || !model && (!ok || remote.Server() == "") {
		return nil
	}
	in := n.Inputs[0]
	rows := r.kept(in.From.Node, in.From.Port)
	when := telling(in.Schema, rows)
	answers := []specs.TestRow{}
	for _, row := range rows {
		question := asObject(row, when)
		for _, port := range []string{transforms.Out, transforms.Rejects} {
			for _, result := range r.records(n.Name, port) {
				if stems(result, row) {
					answers = append(answers, specs.TestRow{JSON: joined(question, asObject(result, answerColumns(result.Schema, in.Schema, port)))})
				}
			}
		}
	}
	return answers
}

// stems reports whether a node made one record of the other, or passed it on.
func stems(result, from *data.Record) bool {
	part := from.ID.Part
	return root(result) == root(from) && (part == "" || result.ID.Part == part || strings.HasPrefix(result.ID.Part, part+"."))
}

// answerColumns are the columns of a result that are the node's own; of a reject, its
// class and message.
func answerColumns(result, in *data.Schema, port string) []string {
	if port == transforms.Rejects {
		return []string{rejectClass, rejectMessage}
	}
	return slices.DeleteFunc(result.Names(), func(name string) bool { return in.Index(name) >= 0 })
}

// telling is the first column of texts or integers that tells rows apart, or all columns.
func telling(schema *data.Schema, rows []*data.Record) []string {
	for i, f := range schema.Fields() {
		seen := map[string]bool{}
		for _, row := range rows {
			seen[string(data.AppendText(nil, row.Values[i], f.Type))] = true
		}
		if (f.Type.Kind == data.String || f.Type.Kind == data.Int64) && len(seen) == len(rows) {
			return []string{f.Name}
		}
	}
	return schema.Names()
}

// joined is the object with the keys of both.
func joined(a, b json.RawMessage) json.RawMessage {
	first, second := strings.TrimSuffix(string(a), "}"), strings.TrimPrefix(string(b), "{")
	if first == "{" || second == "}" {
		return json.RawMessage(first + second)
	}
	return json.RawMessage(first + "," + second)
}

// text writes the test with what came out. Of the columns that the given rows have,
// the expectations name the one that tells rows apart.
func (r *recorder) text(result *Result) (string, error) {
	var b strings.Builder
	b.WriteString("{\n")
	if len(result.Test.Parameters) > 0 {
		parameters, err := json.Marshal(result.Test.Parameters)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "parameters: %s\n", parameters)
	}
	given := map[string]bool{}
	for _, p := range result.Test.Given {
		for _, f := range keysOf(p.Rows) {
			given[f.Name] = true
		}
	}
	write := func(field, key, inner string, rows []json.RawMessage) error {
		text, err := specs.Rows(rows)
		fmt.Fprintf(&b, "%s: %s: %s%s\n", field, specs.Label(key), inner, text)
		return err
	}
	for _, p := range result.Test.Given {
		if err := write("given", p.Key, "", texts(p.Rows)); err != nil {
			return "", err
		}
	}
	for _, m := range result.Test.Mocks {
		if err := write("mocks", m.Node, "answers: ", texts(m.Answers)); err != nil {
			return "", err
		}
	}
	for _, p := range result.Test.Expect {
		got := result.got[p.Ref]
		columns := telling(got.schema, got.records)
		for _, name := range got.schema.Names() {
			if !given[name] && !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
		if err := write("expect", p.Key, "", objects(got, columns)); err != nil {
			return "", err
		}
	}
	b.WriteString("}")
	return b.String(), nil
}

func texts(rows []specs.TestRow) []json.RawMessage {
	all := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		all[i] = row.JSON
	}
	return all
}
