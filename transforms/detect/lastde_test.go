package detect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"penstock.dev/data"
	"penstock.dev/transforms"
)

var textSchema = data.MustSchema(data.Field{Name: "text", Type: data.StringType, Nullable: true})

// allScores are the scores in an order of their own.
var allScores = slices.Sorted(maps.Keys(statistics))

// lastdeConfig is the default configuration with some fields set otherwise.
func lastdeConfig(set map[string]any) []byte {
	config := map[string]any{
		"column": "text", "model": "pocket", "scores": allScores,
		"lastde":   map[string]any{"s": 3, "epsilon": 10, "scales": 5, "aggregate": "ExpStd"},
		"lastdePP": map[string]any{"s": 4, "epsilon": 8, "scales": 15, "aggregate": "ExpStd", "samples": 20},
		"window":   0, "minTokens": 20, "maxTokens": 32768, "seed": 0, "batchTokens": 4096, "maxWait": "20ms",
	}
	maps.Copy(config, set)
	b, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	return b
}

// openLastde makes a node, ready for rows of textSchema.
func openLastde(t *testing.T, set map[string]any) *Lastde {
	t.Helper()
	n, err := newLastde(lastdeConfig(set))
	if err != nil {
		t.Fatal(err)
	}
	l := n.(*Lastde)
	if _, err := l.Columns(transforms.Ports{{Name: transforms.In, Schema: textSchema}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func textRecord(id, text string) *data.Record {
	return &data.Record{Schema: textSchema, ID: data.KeyID(id), Values: []data.Value{data.StringValue(text)}}
}

// process scores a row and returns the one record it gives.
func process(ctx context.Context, l *Lastde, r *data.Record) (*data.Record, error) {
	var out []*data.Record
	err := l.Process(ctx, r, func(port string, r *data.Record) { out = append(out, r) })
	if err != nil {
		return nil, err
	}
	if len(out) != 1 {
		return nil, fmt.Errorf("%d records for one", len(out))
	}
	return out[0], nil
}

// lastdeGolden is testdata/lastde.json, made by make_golden.py beside it.
type lastdeGolden struct {
	Weights string `json:"weights"`
	Cases   []struct {
		Name   string             `json:"name"`
		Text   string             `json:"text"`
		Window int                `json:"window"`
		Tokens int64              `json:"tokens"`
		Scores map[string]float64 `json:"scores"`
	} `json:"cases"`
}

func readLastdeGolden(t *testing.T) lastdeGolden {
	t.Helper()
	var golden lastdeGolden
	readGolden(t, "lastde.json", &golden)
	weights, err := os.ReadFile("../models/pocket/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(weights); hex.EncodeToString(sum[:]) != golden.Weights {
		t.Fatal("the pocket model has other weights than testdata/lastde.json was made with: run testdata/make_golden.py")
	}
	return golden
}

func readGolden(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// Differences that float32 arithmetic may leave. The multiscale scores count
// cosines in bins, and a cosine at the edge of a bin may fall on either side.
func within(score string, got, want float64) bool {
	tolerance := 1e-4 * max(1, math.Abs(want))
	switch score {
	case "rank": // two tokens of nearly one probability may change places
		tolerance = 0.05
	case scoreLastde:
		tolerance = 0.005 * math.Abs(want)
	case scoreLastdePP:
		// Both sides estimate mean and deviation from 2,000 sequences: five
		// standard errors of the difference.
		tolerance = 0.16 + 0.11*math.Abs(want)
	}
	return math.Abs(got-want) <= tolerance
}

func TestLastdeEqualsPyTorch(t *testing.T) {
	samples := map[string]any{"s": 4, "epsilon": 8, "scales": 15, "aggregate": "ExpStd", "samples": 2000}
	for _, c := range readLastdeGolden(t).Cases {
		t.Run(fmt.Sprintf("%s, window %d", c.Name, c.Window), func(t *testing.T) {
			l := openLastde(t, map[string]any{"window": c.Window, "lastdePP": samples})
			r, err := process(t.Context(), l, textRecord(c.Name, c.Text))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Get("tokens").Int64(); got != c.Tokens {
				t.Errorf("%d tokens, want %d", got, c.Tokens)
			}
			for _, score := range allScores {
				if got, want := r.Get(score).Float64(), c.Scores[score]; !within(score, got, want) {
					t.Errorf("%s is %v, want %v", score, got, want)
				}
			}
		})
	}
}

// passages cuts the golden texts into rows of many lengths.
func passages(t *testing.T) []*data.Record {
	t.Helper()
	var rows []*data.Record
	for _, c := range readLastdeGolden(t).Cases {
		if c.Window != 0 {
			continue // a text that occurs without a window too
		}
		words := strings.Fields(c.Text)
		for n := 20; n < len(words); n = n*3/2 + 1 {
			rows = append(rows, textRecord(fmt.Sprintf("%s/%d", c.Name, n), strings.Join(words[:n], " ")))
		}
	}
	return rows
}

func TestScoresDoNotDependOnCompany(t *testing.T) {
	rows := passages(t)
	alone := openLastde(t, map[string]any{"window": 100})
	want := map[data.ID]*data.Record{}
	for _, r := range rows {
		out, err := process(t.Context(), alone, r)
		if err != nil {
			t.Fatal(r.ID, err)
		}
		want[r.ID] = out
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}

	together := openLastde(t, map[string]any{"window": 100, "batchTokens": 700})
	slices.Reverse(rows)
	var wg sync.WaitGroup
	for _, r := range rows {
		wg.Go(func() {
			out, err := process(t.Context(), together, r)
			if err != nil {
				t.Error(r.ID, err)
				return
			}
			for _, score := range allScores {
				got, want := out.Get(score), want[r.ID].Get(score)
				if !got.Equal(want) {
					t.Errorf("%s: %s is %v among others and %v alone", r.ID, score, got.Float64(), want.Float64())
				}
			}
		})
	}
	wg.Wait()
}

func TestSamplesAreKeyedByRowAndSeed(t *testing.T) {
	text := readLastdeGolden(t).Cases[0].Text
	score := func(seed int, id string) float64 {
		l := openLastde(t, map[string]any{"seed": seed, "scores": []string{scoreLastdePP}})
		r, err := process(t.Context(), l, textRecord(id, text))
		if err != nil {
			t.Fatal(err)
		}
		return r.Get(scoreLastdePP).Float64()
	}
	first := score(0, "a")
	if again := score(0, "a"); again != first {
		t.Errorf("the same row scored %v, then %v", first, again)
	}
	if score(1, "a") == first || score(0, "b") == first {
		t.Error("another seed or row draws the same samples")
	}
}

func TestLastdeRejects(t *testing.T) {
	l := openLastde(t, map[string]any{"maxTokens": 100})
	for _, test := range []struct {
		name  string
		value data.Value
		class string
	}{
		{"null", data.Value{}, "null"},
		{"empty", data.StringValue(""), "too-short"},
		{"one word", data.StringValue("word"), "too-short"},
		{"broken UTF-8", data.StringValue(strings.Repeat("words and ", 20) + "\xff"), "utf8"},
		{"lone surrogate", data.StringValue(strings.Repeat("words and ", 20) + "\xed\xa0\x80"), "utf8"},
		{"too many tokens", data.StringValue(strings.Repeat("words and ", 60)), "too-long"},
		{"too many bytes", data.StringValue(strings.Repeat(" ", 1<<20)), "too-long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := process(t.Context(), l, &data.Record{Schema: textSchema, ID: data.KeyID("x"), Values: []data.Value{test.value}})
			var reject *transforms.RejectError
			if !errors.As(err, &reject) || reject.Class != test.class {
				t.Errorf("error %v, want class %s", err, test.class)
			}
			if transforms.IsFatal(err) || err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
		})
	}
}

// A text has the scores that it defines: the deviation of equal entropies is 0,
// and nothing can be divided by it.
func TestUndefinedScoreIsNull(t *testing.T) {
	l := openLastde(t, map[string]any{
		"scores":    []string{"log_likelihood", scoreLastde},
		"minTokens": 0,
		"lastde":    map[string]any{"s": 2, "epsilon": 1, "scales": 2, "aggregate": "Std"},
	})
	words := strings.Repeat(" the", 30)
	for n := 4; n < len(words); n += 4 {
		r, err := process(t.Context(), l, textRecord("x", words[:n]))
		if err != nil {
			continue // too short
		}
		if r.Get("log_likelihood").IsNull() {
			t.Error("no log-likelihood")
		}
		if r.Get(scoreLastde).IsNull() {
			return
		}
	}
	t.Error("no text left Lastde undefined")
}

func TestLastdeRefusesConfigurations(t *testing.T) {
	lastdePP := func(samples int) map[string]any {
		return map[string]any{"s": 4, "epsilon": 8, "scales": 15, "aggregate": "ExpStd", "samples": samples}
	}
	for _, test := range []struct {
		set   map[string]any
		field string
	}{
		{map[string]any{"scores": []string{"lrr", "perplexity"}}, "scores.1"},
		{map[string]any{"scores": []string{"lrr", "lrr"}}, "scores.1"},
		{map[string]any{"lastde": map[string]any{"s": 3, "epsilon": 10, "scales": 5, "aggregate": "Median"}}, "lastde"},
		{map[string]any{"lastde": map[string]any{"s": 1, "epsilon": 10, "scales": 5, "aggregate": "Std"}}, "lastde"},
		{map[string]any{"lastdePP": lastdePP(1)}, "lastdePP.samples"},
		{map[string]any{"lastdePP": lastdePP(10_000)}, "maxTokens"},
		{map[string]any{"maxTokens": 19}, "maxTokens"},
		{map[string]any{"window": 1}, "window"},
		{map[string]any{"window": -1}, "window"},
	} {
		_, err := newLastde(lastdeConfig(test.set))
		var field *transforms.FieldError
		if !errors.As(err, &field) || field.Field != test.field {
			t.Errorf("%v: error %v, want one at %s", test.set, err, test.field)
		}
	}
}

func TestLastdeColumns(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields []data.Field
		code   string
		at     string
	}{
		{"missing", []data.Field{{Name: "txt", Type: data.StringType}}, transforms.MissingColumn, "column"},
		{"number", []data.Field{{Name: "text", Type: data.Int64Type}}, transforms.ColumnType, "column"},
		{"twice", []data.Field{{Name: "text", Type: data.StringType}, {Name: "tokens", Type: data.Int64Type}}, transforms.ColumnTwice, "scores"},
	} {
		n, err := newLastde(lastdeConfig(nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = n.Columns(transforms.Ports{{Name: transforms.In, Schema: data.MustSchema(test.fields...)}})
		var field *transforms.FieldError
		if !errors.As(err, &field) || field.Code != test.code || field.Field != test.at {
			t.Errorf("%s: error %v", test.name, err)
		}
	}
}

func TestWindowBeyondContext(t *testing.T) {
	n, err := newLastde(lastdeConfig(map[string]any{"window": 1 << 20}))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.(*Lastde).Open(t.Context()); err == nil || !strings.Contains(err.Error(), "context of model pocket is 512") {
		t.Errorf("error %v", err)
	}
}

func TestCancelledRowIsNotScored(t *testing.T) {
	l := openLastde(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := process(ctx, l, textRecord("x", strings.Repeat("words and ", 60))); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestLastdeTellsOfItsModel(t *testing.T) {
	l := openLastde(t, nil)
	if _, err := process(t.Context(), l, textRecord("x", strings.Repeat("words and ", 60))); err != nil {
		t.Fatal(err)
	}
	metrics := map[string]transforms.Metric{}
	for _, m := range l.Metrics() {
		metrics[m.Name] = m
	}
	if m := metrics["text length"]; len(m.Edges) != len(m.Counts)+1 || m.Value == 0 {
		t.Errorf("lengths %+v", m)
	}
	if metrics[transforms.DeviceSeconds].Value <= 0 || metrics[transforms.BatchFill].Value <= 0 || metrics["tokens"].Value <= 0 {
		t.Errorf("metrics %+v", metrics)
	}
	if m := l.Models(); len(m) != 1 || m[0].Ref != "pocket" || len(m[0].Hash) != 64 {
		t.Errorf("models %+v", m)
	}
}
