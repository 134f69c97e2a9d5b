package runners_test

import (
	"log/slog"
	"testing"

	"penstock.dev/graphs"
	"penstock.dev/graphs/graphtest"
	"penstock.dev/runners"
)

// BenchmarkWindow runs a graph whose one working node burns processor time. With
// GOMAXPROCS 2 it should pass 1.7 times the rows it passes with 1.
func BenchmarkWindow(b *testing.B) {
	const rows = 400
	for b.Loop() {
		plan, ds := graphs.NewPlan(graphtest.Graph(
			graphtest.Node("read", "test.Numbers", conf{"N": rows}),
			graphtest.Node("burn", "test.Burn", conf{"Turns": 5_000_000, "Rows": 16}, ref("read", "out")),
			graphtest.Node("keep", "test.Keep", conf{"Name": b.Name()}, ref("burn", "out"))))
		if ds.Failed() {
			b.Fatal(ds)
		}
		r, err := runners.Run(b.Context(), plan, runners.Options{Work: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
		if err != nil || r.Err != nil {
			b.Fatal(err, r.Err)
		}
		graphtest.Kept(b.Name())
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
}
