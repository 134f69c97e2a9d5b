package draw

import (
	"fmt"
	"math/rand/v2"
)

// examples are graphs of the shapes that people write.
func examples() []Graph {
	return []Graph{chain(), fanOut(), diamond(), twenty()}
}

var scores = []string{"lastde", "lastde_p", "fast_detect", "log_likelihood", "rank", "log_rank", "entropy", "lrr", "diversity", "text_tokens"}

func chain() Graph {
	in := []string{"id", "text", "label", "domain", "generator"}
	return Graph{
		Name: "chain",
		Nodes: []Node{
			{Name: "read", Kind: "ReadParquet", Role: Source},
			{Name: "score", Kind: "Lastde", Role: Model},
			{Name: "save", Kind: "WriteParquet", Role: Sink},
		},
		Edges: []Edge{
			{From: "read", To: "score", FromPort: "out", ToPort: "in", Columns: in, Records: -1},
			{From: "score", To: "save", FromPort: "out", ToPort: "in", Columns: append(in, scores...), Added: scores, Records: -1},
		},
	}
}

func fanOut() Graph {
	in := []string{"id", "text", "label", "domain"}
	all := append(in, scores...)
	return Graph{
		Name: "fan-out",
		Nodes: []Node{
			{Name: "read", Kind: "ReadParquet", Role: Source, Notes: []string{"12,480 rows read"}, State: OK},
			{Name: "clean", Kind: "Where", Role: Row, Notes: []string{"12,480 in · 138 filtered"}, State: OK},
			{Name: "score", Kind: "Lastde", Role: Model, Notes: []string{"12,342 in · 31 rejected", "device 81 % · fill 92 %"}, State: Warn},
			{Name: "evaluate", Kind: "Evaluate", Role: Combine, Notes: []string{"12,311 in"}, State: OK},
			{Name: "save", Kind: "WriteParquet", Role: Sink, Notes: []string{"12,311 rows"}, State: OK},
			{Name: "quality", Kind: "WriteJSONL", Role: Sink, Notes: []string{"1 row"}, State: OK},
			{Name: "refused", Kind: "WriteParquet", Role: Sink, Notes: []string{"disk full"}, State: Failed},
		},
		Edges: []Edge{
			{From: "read", To: "clean", FromPort: "out", ToPort: "in", Columns: in, Records: 12480},
			{From: "clean", To: "score", FromPort: "out", ToPort: "in", Columns: in, Added: []string{}, Records: 12342},
			{From: "score", To: "evaluate", FromPort: "out", ToPort: "in", Columns: all, Added: scores, Records: 12311},
			{From: "score", To: "save", FromPort: "out", ToPort: "in", Columns: all, Added: scores, Records: 12311},
			{From: "evaluate", To: "quality", FromPort: "out", ToPort: "in", Columns: []string{"group", "score", "auroc"}, Added: []string{"group", "score", "auroc"}, Records: 1},
			{From: "score", To: "refused", FromPort: "rejects", ToPort: "in", Columns: []string{"id", "reject_class"}, Added: []string{"reject_class"}, Records: 31, Rejects: true},
		},
	}
}

func diamond() Graph {
	return Graph{
		Name: "diamond",
		Nodes: []Node{
			{Name: "read", Kind: "ReadJSONL", Role: Source},
			{Name: "human", Kind: "Where", Role: Row},
			{Name: "machine", Kind: "Rewrite", Role: Model},
			{Name: "both", Kind: "Join", Role: Global},
			{Name: "save", Kind: "WriteParquet", Role: Sink},
		},
		Edges: []Edge{
			{From: "read", To: "human", FromPort: "out", ToPort: "in", Columns: []string{"id", "text"}, Records: -1},
			{From: "read", To: "machine", FromPort: "out", ToPort: "in", Columns: []string{"id", "text"}, Records: -1},
			{From: "human", To: "both", FromPort: "out", ToPort: "left", Columns: []string{"id", "text"}, Added: []string{}, Records: -1},
			{From: "machine", To: "both", FromPort: "out", ToPort: "right", Columns: []string{"id", "text", "rewritten"}, Added: []string{"rewritten"}, Records: -1},
			{From: "read", To: "both", FromPort: "out", ToPort: "lookup", Columns: []string{"id", "text"}, Records: -1},
			{From: "both", To: "save", FromPort: "out", ToPort: "in", Columns: []string{"id", "text", "rewritten", "text_right"}, Added: []string{"text_right"}, Records: -1},
		},
	}
}

// twenty is three sources through a shared model into several reports.
func twenty() Graph {
	g := Graph{Name: "twenty"}
	node := func(name, kind, role string) { g.Nodes = append(g.Nodes, Node{Name: name, Kind: kind, Role: role}) }
	edge := func(from, to string, added ...string) {
		g.Edges = append(g.Edges, Edge{From: from, To: to, FromPort: "out", ToPort: "in", Columns: append([]string{"id", "text"}, added...), Added: added, Records: -1})
	}
	for _, s := range []string{"essays", "news", "reviews"} {
		node(s, "ReadParquet", Source)
		node("trim_"+s, "Where", Row)
		edge(s, "trim_"+s, "id", "text", "label")
		edge("trim_"+s, "all", "source")
	}
	node("all", "Union", Row)
	node("unique", "Deduplicate", Global)
	node("score", "Lastde", Model)
	node("paraphrase", "Rewrite", Model)
	node("score_attacked", "Lastde", Model)
	node("join", "Join", Global)
	node("evaluate", "Evaluate", Combine)
	node("calibrate", "Calibrate", Combine)
	node("verdict", "Verdict", Row)
	node("save", "WriteParquet", Sink)
	node("quality", "WriteJSONL", Sink)
	node("thresholds", "WriteJSONL", Sink)
	node("sample", "Sample", Row)
	node("preview", "WriteJSONL", Sink)
	edge("all", "unique", "cluster")
	edge("unique", "score")
	edge("unique", "paraphrase")
	edge("paraphrase", "score_attacked", "attacked_text")
	edge("score", "join", scores...)
	edge("score_attacked", "join", scores...)
	edge("join", "evaluate", "delta")
	edge("join", "verdict", "delta")
	edge("score", "calibrate", scores...)
	edge("calibrate", "thresholds", "threshold")
	edge("evaluate", "quality", "auroc", "tpr")
	edge("verdict", "save", "verdict", "p_value")
	edge("verdict", "sample", "verdict", "p_value")
	edge("sample", "preview")
	for i, e := range g.Edges {
		if e.To == "join" {
			g.Edges[i].ToPort = map[string]string{"score": "left", "score_attacked": "right"}[e.From]
		}
	}
	return g
}

// random is a graph without cycles whose edges mostly join near nodes.
func random(nodes, edges int, seed uint64) Graph {
	r := rand.New(rand.NewPCG(seed, 0))
	g := Graph{Name: fmt.Sprint("random-", nodes)}
	for i := range nodes {
		g.Nodes = append(g.Nodes, Node{Name: fmt.Sprint("node_", i), Kind: "Kind", Role: []string{Source, Row, Model, Combine, Global, Sink}[r.IntN(6)]})
	}
	for range edges {
		to := 1 + r.IntN(nodes-1)
		from := max(0, to-1-r.IntN(8))
		g.Edges = append(g.Edges, Edge{From: g.Nodes[from].Name, To: g.Nodes[to].Name, Columns: scores[:r.IntN(len(scores))], Records: r.Int64N(1e6)})
	}
	return g
}
