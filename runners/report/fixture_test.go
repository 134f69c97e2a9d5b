package report

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"penstock.dev/graphs/draw"
	"penstock.dev/transforms"
)

var (
	demoScores = []string{"lastde", "lastde_p", "fast_detect", "log_likelihood", "log_rank", "rank", "entropy", "lrr"}
	demoGroups = []string{"", "xsum / gpt-4", "xsum / davinci", "xsum / gpt-3.5-turbo", "writing / gpt-4", "writing / davinci", "writing / gpt-3.5-turbo", "pubmed / gpt-4", "pubmed / davinci", "pubmed / gpt-3.5-turbo"}
)

// demo is a detection run: read, score, evaluate and save, with made-up scores.
func demo() *Run {
	return &Run{
		Graph: "detect-text", Doc: "Scores every text with eight zero-shot detectors and measures how well they tell machine-made text from human text, by domain and generator.",
		ID: "20261123-221405-k3vq7a", Started: time.Date(2026, 11, 23, 22, 14, 5, 0, time.UTC), Seconds: 134.2, State: Succeeded,
		Notes:      []string{"score: 12 texts were longer than the model's context and were scored in windows"},
		Command:    []string{"penstock", "run", "graphs/examples/detect-text.cue", "-t", "data=texts.parquet"},
		Parameters: []Setting{{"data", "texts.parquet"}, {"model", "embedded:pocket"}},
		Versions:   []Setting{{"penstock", "v0.4.0 (3f2c1d9)"}, {"go", "go1.26.5"}, {"beam", "v2.77.0"}, {"gomlx", "v0.28.1"}},
		Machine:    Machine{OS: "linux", Arch: "amd64", CPUs: 16},
		Models:     []transforms.ModelUse{{Ref: "embedded:pocket", Hash: "sha256:8c1f5e0a9d2b7c4466f0e3a1b5d89c2e7f41a6b3c0d5e8f9127a4b6c8d0e2f35", Description: "llama, 15.2 M parameters, context 1024"}},
		SourcePath: "graphs/examples/detect-text.cue", Source: demoSource,
		Outputs: []Output{{"save", "out/scored.parquet", 12311, 8_214_552}, {"refused", "out/refused.parquet", 31, 41_210}},
		Report:  "out/runs/detect-text/20261123-221405-k3vq7a/report.html",
		Picture: draw.Graph{Name: "detect-text",
			Nodes: []draw.Node{
				{Name: "read", Kind: "ReadParquet", Role: draw.Source, Notes: []string{"12,480 rows"}, State: draw.OK},
				{Name: "clean", Kind: "Where", Role: draw.Row, Notes: []string{"12,480 in · 138 filtered"}, State: draw.OK},
				{Name: "score", Kind: "Lastde", Role: draw.Model, Notes: []string{"12,342 in · 31 rejected", "device 81 % · fill 92 %"}, State: draw.Warn},
				{Name: "evaluate", Kind: "Evaluate", Role: draw.Combine, Notes: []string{"12,311 in"}, State: draw.OK},
				{Name: "save", Kind: "WriteParquet", Role: draw.Sink, Notes: []string{"12,311 rows"}, State: draw.OK},
				{Name: "refused", Kind: "WriteParquet", Role: draw.Sink, Notes: []string{"31 rows"}, State: draw.OK},
			},
			Edges: []draw.Edge{
				{From: "read", To: "clean", FromPort: "out", ToPort: "in", Columns: demoColumns()[:5], Records: 12480},
				{From: "clean", To: "score", FromPort: "out", ToPort: "in", Columns: demoColumns()[:5], Added: []string{}, Records: 12342},
				{From: "score", To: "evaluate", FromPort: "out", ToPort: "in", Columns: demoColumns(), Added: slices.Clone(demoScores), Records: 12311},
				{From: "score", To: "save", FromPort: "out", ToPort: "in", Columns: demoColumns(), Added: slices.Clone(demoScores), Records: 12311},
				{From: "score", To: "refused", FromPort: "rejects", ToPort: "in", Columns: []string{"id", "reject_class", "reject_message"}, Added: []string{"reject_class", "reject_message"}, Records: 31, Rejects: true},
			}},
		Nodes: []Node{
			{Name: "read", Kind: "ReadParquet", Role: draw.Source, In: 12480, Out: 12480, Emitted: []PortCount{{"out", 12480}}, Busy: 1.9},
			{Name: "clean", Kind: "Where", Role: draw.Row, In: 12480, Out: 12342, Filtered: 138, Emitted: []PortCount{{"out", 12342}}, Busy: 0.31},
			{Name: "score", Kind: "Lastde", Role: draw.Model, In: 12342, Out: 12311, Rejected: 31, Emitted: []PortCount{{"out", 12311}, {"rejects", 31}}, Busy: 121.4,
				Metrics: []transforms.Metric{
					{Name: transforms.DeviceSeconds, Value: 108.7, Unit: "s"},
					{Name: transforms.BatchFill, Value: 0.918, Unit: "1", Edges: []float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}, Counts: []int64{0, 0, 1, 0, 2, 3, 9, 21, 118, 631}},
					{Name: "batches", Value: 785},
					{Name: "tokens", Value: 3_214_889, Unit: "tokens"},
					{Name: "text length", Value: 261.1, Unit: "tokens", Edges: []float64{0, 16, 32, 64, 128, 256, 512, 1024, 2048}, Counts: []int64{3, 21, 340, 1804, 5120, 4380, 662, 12}},
				},
				Rejects: []RejectClass{
					{Class: "too-short", Rows: 21, Examples: []RejectExample{{"texts.parquet:118", "9 tokens, the scores need 16"}, {"texts.parquet:442", "3 tokens, the scores need 16"}, {"texts.parquet:9120", "15 tokens, the scores need 16"}}},
					{Class: "null", Rows: 10, Examples: []RejectExample{{"texts.parquet:77", "column text is null"}}},
				},
				Samples: []Sample{{Port: "out", Columns: demoColumns(), Rows: demoRows()}},
			},
			{Name: "evaluate", Kind: "Evaluate", Role: draw.Combine, In: 12311, Out: 12311, Emitted: []PortCount{{"out", 80}}, Busy: 0.84},
			{Name: "save", Kind: "WriteParquet", Role: draw.Sink, In: 12311, Out: 12311, Busy: 2.6},
			{Name: "refused", Kind: "WriteParquet", Role: draw.Sink, In: 31, Out: 31, Busy: 0.004},
		},
		Evaluations: []transforms.Evaluation{demoEvaluation()},
	}
}

func demoColumns() []string {
	return append([]string{"id", "text", "label", "domain", "generator"}, demoScores...)
}

const demoSource = `package main

import "penstock.dev/specs"

data:  string @tag(data)
model: string | *"embedded:pocket" @tag(model)

graph: specs.#Graph & {
	name: "detect-text"
	nodes: {
		read: specs.#ReadParquet & {path: data}
		clean: specs.#Where & {in: read.out, where: "size(text) > 0"}
		score: specs.#Lastde & {in: clean.out, text: "text", model: model}
		evaluate: specs.#Evaluate & {in: score.out, label: "label", positive: "machine", by: ["domain", "generator"]}
		save: specs.#WriteParquet & {in: score.out, path: "out/scored.parquet"}
		refused: specs.#WriteParquet & {in: score.rejects, path: "out/refused.parquet"}
	}
}
`

func demoRows() [][]string {
	long := "The committee met again on Thursday to consider whether the bridge, closed since the flood of last spring, might be opened to pedestrians before the works are complete. Engineers had warned that the second pier, though sound, had not been surveyed below the waterline.\nResidents on both banks have complained of a detour of eleven kilometres."
	var rows [][]string
	for i, text := range []string{long, "Short and to the point.", long[40:] + " " + long} {
		row := []string{fmt.Sprint(100 + i), text, []string{"human", "machine", "human"}[i], "xsum", "gpt-4"}
		for k := range demoScores {
			row = append(row, fmt.Sprintf("%.6f", 0.3*float64(i)+0.71*float64(k)))
		}
		rows = append(rows, row)
	}
	return rows
}

// demoEvaluation draws normal scores whose classes lie apart by a distance of
// their own in each group and score.
func demoEvaluation() transforms.Evaluation {
	e := transforms.Evaluation{Node: "evaluate", Label: "label", Positive: "machine", By: []string{"domain", "generator"}}
	r := rand.New(rand.NewPCG(7, 7))
	for g, group := range demoGroups {
		for s, score := range demoScores {
			n := 150
			if g == 0 {
				n = 1350
			}
			apart := 2.4 - 0.22*float64(s) - 0.15*float64((g*7)%5)
			e.Scores = append(e.Scores, demoScore(r, score, group, n, apart))
		}
	}
	return e
}

type labelled struct {
	score    float64
	positive bool
}

func demoScore(r *rand.Rand, score, group string, n int, apart float64) transforms.ScoreEvaluation {
	var rows []labelled
	for range n {
		rows = append(rows, labelled{r.NormFloat64() + apart, true}, labelled{r.NormFloat64() * 1.1, false})
	}
	slices.SortFunc(rows, func(a, b labelled) int { return cmp.Compare(b.score, a.score) })
	e := transforms.ScoreEvaluation{Score: score, Group: group, Positives: n, Negatives: n, ROC: []transforms.Point{{}}}
	tp, fp := 0, 0
	for _, row := range rows {
		if row.positive {
			tp++
		} else {
			fp++
			e.AUROC += float64(tp) / float64(n) / float64(n)
		}
		e.ROC = append(e.ROC, transforms.Point{FPR: float64(fp) / float64(n), TPR: float64(tp) / float64(n)})
	}
	half := 1.96 * math.Sqrt(e.AUROC*(1-e.AUROC)/float64(n))
	e.AUROCLow, e.AUROCHigh, e.AveragePrecision = e.AUROC-half, min(1, e.AUROC+half), e.AUROC-0.01
	for _, fpr := range []float64{0.05, 0.01, 0.001} {
		at := transforms.Operating{FPR: fpr, Reachable: fpr*float64(n) >= 1}
		if at.Reachable {
			at.AchievedFPR = math.Floor(fpr*float64(n)) / float64(n)
			k := slices.IndexFunc(e.ROC, func(p transforms.Point) bool { return p.FPR > at.AchievedFPR })
			at.TPR, at.Threshold = e.ROC[k-1].TPR, rows[k-2].score
			half := 1.96 * math.Sqrt(at.TPR*(1-at.TPR)/float64(n))
			at.TPRLow, at.TPRHigh = max(0, at.TPR-half), min(1, at.TPR+half)
		}
		e.At = append(e.At, at)
	}
	const bins = 40
	low, high := rows[len(rows)-1].score, rows[0].score
	e.HistPositive, e.HistNegative = make([]int64, bins), make([]int64, bins)
	for i := range bins + 1 {
		e.HistEdges = append(e.HistEdges, low+(high-low)*float64(i)/bins)
	}
	for _, row := range rows {
		k := min(bins-1, int((row.score-low)/(high-low)*bins))
		if row.positive {
			e.HistPositive[k]++
		} else {
			e.HistNegative[k]++
		}
	}
	return e
}
