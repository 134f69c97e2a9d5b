package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"penstock.dev/graphs/draw"
	"penstock.dev/transforms"
)

var (
	update = flag.Bool("update", false, "rewrite the goldens under testdata")
	pages  = flag.String("pages", "", "folder to write the tests' pages to, for looking at")
)

func TestPageHoldsWhatTheRunHolds(t *testing.T) {
	p := render(t, "demo", demo())
	for section, want := range map[string][]string{
		"header":     {"detect-text", "succeeded", "Succeeded in 2 min 14 s: 12,480 rows read, 12,311 written, 138 filtered, 31 rejected.", "81 %", "92 %", "longer than the model's context"},
		"graph":      {"ReadParquet", "12,342 in · 31 rejected", "+ lastde, lastde_p", "rejects"},
		"quality":    {"Over all rows lastde is best: AUROC 0.942 [0.930, 0.954], TPR 67.7 % at 5 % FPR; it does worst in xsum / davinci, with 0.859.", "not reachable with n = 150", "65.2–70.2", "writing / gpt-3.5-turbo"},
		"rows":       {"Every row is accounted for", "12,342", "out/scored.parquet", "8.2 MB"},
		"time":       {"2 min 01 s", "1 min 49 s", "5,120", "256 to 512 tokens: 4,380 (35 %)"},
		"rejects":    {"too-short", "texts.parquet:9120", "column text is null"},
		"samples":    {"fast_detect", "Residents on both banks", "Short and to the point."},
		"provenance": {"embedded:pocket", "8c1f5e0a9d2b7c44", "15.2 M parameters", "go1.26.5", "linux/amd64, 16 CPUs", "-t data", `read: specs.#ReadParquet & {path: data}`},
	} {
		for _, s := range want {
			if !strings.Contains(p.sections[section], s) {
				t.Errorf("section %s lacks %q", section, s)
			}
		}
	}
}

func TestAccountsThatDoNotBalanceAreMarked(t *testing.T) {
	r := demo()
	r.State, r.Error = Failed, "score: accounts do not balance"
	r.Nodes[2].Out -= 5
	p := render(t, "failed", r)
	if !strings.Contains(p.sections["rows"], "do not balance") || strings.Count(p.html, `class="wrong"`) != 1 {
		t.Error("the page does not mark the one node whose rows do not add up")
	}
	if !strings.Contains(p.sections["header"], "Failed after 2 min 14 s") || !strings.Contains(p.sections["header"], r.Error) {
		t.Error("the header does not tell of the failure")
	}
	if strings.Contains(p.sections["header"], "written") {
		t.Error("the header of a failed run claims that rows were written")
	}
}

func TestEmptyRunHasAPage(t *testing.T) {
	p := render(t, "empty", &Run{})
	if p.elements["table"] != 0 || p.elements["section"] != 1 {
		t.Errorf("an empty run has %d tables and %d sections, want none and provenance", p.elements["table"], p.elements["section"])
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	r := demo()
	r.Source, r.Nodes[2].Samples = "", nil
	p := render(t, "", r)
	outside := regexp.MustCompile(`(?i)(src|href|action|data|poster)="[^#]|url\(|@import|https?://|//[a-z]+\.`)
	text := strings.ReplaceAll(p.html, `xmlns="http://www.w3.org/2000/svg"`, "")
	if found := outside.FindString(text); found != "" {
		t.Errorf("the page refers to something outside: %q", found)
	}
	if !strings.Contains(p.html, "default-src &#39;none&#39;") {
		t.Error("the page's policy does not forbid loading")
	}
}

func TestPageIsSmallAndAlwaysTheSame(t *testing.T) {
	a, b := render(t, "", demo()), render(t, "", demo())
	if a.html != b.html {
		t.Error("two pages of one run differ")
	}
	if n := len(a.html); n > 2_000_000 {
		t.Errorf("10 groups by 8 scores make %d bytes", n)
	}
}

// TestEveryValueIsText puts a hostile string into every string of a run: the
// page must have the elements and attributes it has with a harmless one.
func TestEveryValueIsText(t *testing.T) {
	for _, bad := range []string{
		`</title></style></script><script>alert(1)</script><img src=x onerror=alert(1)>`,
		`"><b onmouseover="alert(1)">'>` + "`${alert(1)}`{{.Run}}<!--",
		"]]>&lt;b&gt;&#60;b\x00\x1b[2J\xff\u202e\u2028javascript:alert(1)",
	} {
		hostile, tame := demo(), demo()
		fillStrings(hostile, bad)
		fillStrings(tame, strings.Repeat("x", len(bad)))
		h, w := render(t, "", hostile), render(t, "", tame)
		if d := cmp.Diff(w.elements, h.elements); d != "" {
			t.Errorf("%.30q adds elements: %s", bad, d)
		}
		if d := cmp.Diff(w.attributes, h.attributes); d != "" {
			t.Errorf("%.30q adds attributes: %s", bad, d)
		}
		if strings.Contains(h.html, "ZgotmplZ") || strings.Contains(h.html, "\x00") {
			t.Errorf("%.30q: the template refused a value", bad)
		}
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	r := demo()
	r.Seconds = math.NaN()
	r.Nodes[2].Metrics[0].Value = math.NaN()
	r.Nodes[2].Metrics[1].Value = math.Inf(1)
	e := &r.Evaluations[0].Scores[3]
	r.Evaluations[0].Scores[5].HistEdges[40] = math.Inf(1)
	r.Evaluations[0].Scores[6].At[0].Threshold = math.Inf(1)
	e.AUROC, e.HistEdges, e.ROC = math.NaN(), []float64{math.Inf(-1), 0, math.NaN()}, []transforms.Point{{FPR: math.NaN()}}
	r.Evaluations[0].Scores[4].Positives = 0
	p := render(t, "", r)
	if text := strings.Join([]string{p.sections["header"], p.sections["quality"], p.sections["time"]}, ""); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Error("the page shows a number that is none")
	}
}

func TestRunGoesToJSONAndBack(t *testing.T) {
	r := demo()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Run
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, &back); d != "" {
		t.Error(d)
	}
	r.Nodes[2].Metrics[1].Value = math.NaN()
	if _, err := json.Marshal(r); err != nil {
		t.Errorf("a metric without value: %v", err)
	}
	if !math.IsNaN(r.Nodes[2].Metrics[1].Value) {
		t.Error("marshalling changed the run")
	}
}

func TestSharedModelCountsOnce(t *testing.T) {
	device := func(s float64) []transforms.Metric {
		return []transforms.Metric{{Name: transforms.DeviceSeconds, Value: s}}
	}
	r := &Run{Seconds: 100, Nodes: []Node{{Metrics: device(40)}, {Metrics: device(40)}, {Metrics: device(20)}, {}}}
	if got := r.DeviceShare(); got != 0.6 {
		t.Errorf("device share %v, want 0.6: two nodes share a model", got)
	}
	if got := (&Run{Seconds: 1, Nodes: []Node{{}}}).DeviceShare(); !math.IsNaN(got) {
		t.Errorf("device share %v of a run without device", got)
	}
}

func TestCurvesKeepTheirShape(t *testing.T) {
	var curve []transforms.Point
	for i := range 20001 {
		x := float64(i) / 20000
		curve = append(curve, transforms.Point{FPR: x, TPR: math.Sqrt(x)})
	}
	path := rocPath(curve, func(v float64) float64 { return v * 200 }, func(v float64) float64 { return v * 200 })
	points := strings.FieldsFunc(path, func(r rune) bool { return r == 'M' || r == 'L' })
	if len(points) > 200 {
		t.Errorf("%d points are left of %d", len(points), len(curve))
	}
	for _, p := range points {
		var x, y float64
		if _, err := fmt.Sscan(p, &x, &y); err != nil {
			t.Fatal(err)
		}
		if want := y * y / 200; math.Abs(x-want) > 0.5 && math.Abs(y-math.Sqrt(x*200)) > 0.5 {
			t.Errorf("the curve passes %.1f %.1f, should pass %.1f %.1f", x, y, want, y)
		}
	}
	if first, last := points[0], points[len(points)-1]; first != "0 0" || last != "200 200" {
		t.Errorf("the curve runs from %s to %s", first, last)
	}
}

func TestTicksAreRoundAndInside(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{-3.65, 5.62, "[-2 0 2 4]"}, {0, 1, "[0 0.2 0.4 0.6000000000000001 0.8 1]"}, {120, 870, "[200 400 600 800]"}, {-0.003, 0.004, "[-0.002 0 0.002 0.004]"},
	} {
		if got := fmt.Sprint(ticks(c.low, c.high)); got != c.want {
			t.Errorf("ticks of %g to %g: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

func TestClosingLines(t *testing.T) {
	failed := demo()
	failed.State, failed.Error = Failed, "score: model embedded:pocket:\nrow 4117: \x1b[31mthe device ran out of memory while it computed the logits"
	failed.Outputs = nil
	for name, c := range map[string]struct {
		run   *Run
		width int
	}{"closing": {demo(), 80}, "closing-narrow": {demo(), 40}, "closing-failed": {failed, 80}} {
		var b bytes.Buffer
		if err := Text(&b, c.run, c.width); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
		if strings.Contains(b.String(), "\x1b") {
			t.Errorf("%s could steer the terminal", name)
		}
	}
}

func TestEvaluationTables(t *testing.T) {
	e := demoEvaluation()
	few, one := e, e
	few.Scores = slices.Clone(e.Scores[:16])
	few.Scores[9].Positives = 0
	one.Scores = slices.Clone(e.Scores[:3])
	for name, evaluations := range map[string][]transforms.Evaluation{
		"table-matrix": {e}, "table-few": {few}, "table-one-group": {one}, "table-none": {{Node: "evaluate"}},
	} {
		var b bytes.Buffer
		if err := EvaluationTable(&b, evaluations); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
	}
}

func TestFiguresReadWell(t *testing.T) {
	for got, want := range map[string]string{
		duration(0.0042): "4 ms", duration(8.44): "8.4 s", duration(59.7): "1 min 00 s", duration(134.2): "2 min 14 s", duration(3725): "1 h 02 min",
		percent(0): "0 %", percent(1): "100 %", percent(0.0025): "0.25 %", percent(0.00001): "< 0.01 %", percent(0.998): "99.80 %", percent(0.31): "31 %",
		tidyPercent(0.001): "0.1 %", tidyPercent(0.05): "5 %", tidyPercent(0.07): "7 %",
		fileSize(999): "999 B", fileSize(41210): "41 kB", fileSize(8214552): "8.2 MB", fileSize(999_999): "1.0 MB",
		grouped(-1234567): "-1,234,567", grouped(-123): "-123", number(3214889): "3,214,889", number(0.00001): "1.00e-05", number(0): "0", number(261.13): "261.1",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// rendered is a page, taken apart.
type rendered struct {
	html       string
	sections   map[string]string // text by the section's id; "header" for the header
	elements   map[string]int
	attributes map[string]int
}

var scripts = regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>`)

// render makes the page and reads it back. Script and style sheet, in which
// there are no values, are left out of the reading.
func render(t *testing.T, name string, r *Run) *rendered {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, r); err != nil {
		t.Fatal(err)
	}
	if *pages != "" && name != "" {
		if err := os.WriteFile(filepath.Join(*pages, name+".html"), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &rendered{html: b.String(), sections: map[string]string{}, elements: map[string]int{}, attributes: map[string]int{}}
	if n := strings.Count(p.html, "<script"); n != 1 {
		t.Fatalf("%d scripts", n)
	}
	d := xml.NewDecoder(strings.NewReader(scripts.ReplaceAllString(p.html, "")))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	section := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatalf("the page cannot be read: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			p.elements[token.Name.Local]++
			for _, a := range token.Attr {
				p.attributes[token.Name.Local+" "+a.Name.Local]++
				if a.Name.Local == "id" && token.Name.Local == "section" {
					section = a.Value
				}
			}
			if token.Name.Local == "header" {
				section = "header"
			}
		case xml.CharData:
			p.sections[section] += string(token)
		}
	}
}

// fillStrings sets every string in the run, but keeps what the demo's structure
// hangs on: roles, and names that tell nodes and scores apart, which get s
// behind them.
func fillStrings(r *Run, s string) {
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			fill(v.Elem())
		case reflect.Struct:
			if v.Type() == reflect.TypeOf(r.Started) {
				return
			}
			for i := range v.NumField() {
				if v.Type().Field(i).Name != "Role" {
					fill(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				fill(v.Index(i))
			}
		case reflect.String:
			if v.String() != "" {
				v.SetString(v.String() + s)
			}
		}
	}
	fill(reflect.ValueOf(r))
	for i := range r.Picture.Nodes {
		r.Picture.Nodes[i].State = draw.OK
	}
	r.State = s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("differs from %s (run with -update if that is meant):\n%s", file, d)
	}
}
