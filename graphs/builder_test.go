package graphs_test

import (
	"strings"
	"testing"

	"penstock.dev/graphs"
	_ "penstock.dev/transforms/table"
)

func TestBuilderReportsAtTheCallersLine(t *testing.T) {
	b := graphs.NewBuilder("essays")
	read := b.Add("read", "ReadJSONL", graphs.Fields{"path": "testdata/none.jsonl"})
	b.Add("few", "Limit", graphs.Fields{"in": read.Out(), "rows": "ten"})
	b.Add("few", "Limit", graphs.Fields{"in": read.Out(), "rows": 1})
	b.Add("odd", "Limmit", graphs.Fields{"in": read.Port("nothing"), "rows": 1})
	p, ds := b.Plan()
	if p != nil {
		t.Error("a plan of an invalid graph")
	}
	got := ds.Error()
	for _, want := range []string{
		"builder_test.go:14:1: graph.nodes.few.rows: ",
		"builder_test.go:15:1: graph.nodes.few: a node of this name was added at builder_test.go:14:1",
		"builder_test.go:16:1: graph.nodes.odd",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no diagnostic %q in\n%s", want, got)
		}
	}
}
