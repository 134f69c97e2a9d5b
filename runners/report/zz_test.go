package report

import (
	"os"
	"testing"
)

func TestZZ(t *testing.T) {
	f, _ := os.Create("/tmp/report/demo.html")
	defer f.Close()
	r := demo()
	if err := HTML(f, r); err != nil {
		t.Fatal(err)
	}
	Text(os.Stdout, r, 80)
	EvaluationTable(os.Stdout, r.Evaluations)
	r.Evaluations[0].Scores = r.Evaluations[0].Scores[:16]
	EvaluationTable(os.Stdout, r.Evaluations)
	g, _ := os.Create("/tmp/report/failed.html")
	defer g.Close()
	r.State, r.Error = Failed, "score: model embedded:pocket: row 4117: the device ran out of memory"
	r.Nodes[2].Out -= 5
	r.Evaluations = nil
	HTML(g, r)
}
