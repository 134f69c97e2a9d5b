package serve

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock.dev/transforms"
)

// A stream is stuck when events wait and none is settled, by this process or
// another, for longer than the limit; or when nobody knows for as long.
func TestStuck(t *testing.T) {
	const limit = 10 * time.Second
	began := time.Now()
	away := errors.New("away")
	type look struct {
		at      int // seconds
		state   transforms.StreamState
		err     error
		settled int64
		stuck   bool
	}
	waits := transforms.StreamState{Waiting: 5, Floor: 7}
	for name, looks := range map[string][]look{
		"nothing waits":     {{0, transforms.StreamState{}, nil, 0, false}, {20, transforms.StreamState{}, nil, 0, false}},
		"nothing moves":     {{0, waits, nil, 0, false}, {10, waits, nil, 0, false}, {11, waits, nil, 0, true}, {12, waits, nil, 1, false}},
		"in flight":         {{0, transforms.StreamState{Pending: 1}, nil, 3, false}, {5, transforms.StreamState{Pending: 1}, nil, 3, false}, {16, transforms.StreamState{Pending: 1}, nil, 3, true}},
		"settled here":      {{0, waits, nil, 1, false}, {9, waits, nil, 2, false}, {18, waits, nil, 3, false}},
		"settled elsewhere": {{0, waits, nil, 0, false}, {9, transforms.StreamState{Waiting: 5, Floor: 8}, nil, 0, false}, {18, transforms.StreamState{Waiting: 5, Floor: 9}, nil, 0, false}},
		"the server is away, then the floor is where it was": {
			{0, waits, nil, 0, false}, {9, transforms.StreamState{}, away, 0, false}, {11, transforms.StreamState{}, away, 0, true}, {12, waits, nil, 0, true}, {13, transforms.StreamState{}, nil, 0, false}},
	} {
		w := watch{progress: began}
		for _, l := range looks {
			w.note(l.state, l.err, l.settled, began.Add(time.Duration(l.at)*time.Second), limit)
			if w.stuck != l.stuck {
				t.Errorf("%s, after %d s: stuck %v", name, l.at, w.stuck)
			}
		}
	}
}

// Counters go on where the pipeline before ended.
func TestCountersOutliveAPipeline(t *testing.T) {
	counter := series{desc: descRows, labels: [3]string{"g", "n", "passed"}, n: 3}
	bounds := []time.Duration{time.Second}
	one := figures{map[series]float64{counter: 3}, transforms.Latency{Bounds: bounds, Counts: []int64{1, 2}, Sum: 5 * time.Second}}
	var all figures
	all.add(figures{})
	all.add(one)
	all.add(one)
	if all.counts[counter] != 6 || !slices.Equal(all.latency.Counts, []int64{2, 4}) || all.latency.Sum != 10*time.Second {
		t.Errorf("%+v", all)
	}
	if !slices.Equal(one.latency.Counts, []int64{1, 2}) {
		t.Errorf("the counters of the pipeline were changed: %v", one.latency.Counts)
	}
}

// The page lists the metrics there are, with their labels.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, line := range strings.Split(string(page), "\n") {
		if m := regexp.MustCompile("^\\| `(penstock_[a-z_]+)` \\| ([^|]*)\\|").FindStringSubmatch(line); m != nil {
			documented[m[1]] = m[2]
		}
	}
	described := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for _, d := range descs {
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("not understood: %s", d)
		}
		labels, ok := documented[m[1]]
		if !ok {
			t.Errorf("%s is not in README.md", m[1])
		}
		for _, label := range strings.Split(m[2], ",") {
			if label != "graph" && !strings.Contains(labels, "`"+label+"`") {
				t.Errorf("%s: README.md lacks the label %s", m[1], label)
			}
		}
		delete(documented, m[1])
	}
	for name := range documented {
		t.Errorf("README.md has %s, which is no metric", name)
	}
}

// The dashboard asks for metrics that there are, by labels that they have, and shows
// all of them.
func TestDashboard(t *testing.T) {
	content, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{} // by metric
	described := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for _, d := range descs {
		m := described.FindStringSubmatch(d.String())
		labels[m[1]] = "," + m[2] + ",instance,"
	}
	shown := map[string]bool{}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`penstock_[a-z_]+`).FindAllString(target.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				shown[name] = true
				if labels[name] == "" {
					t.Errorf("%s: no metric %s", p.Title, name)
				}
				for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
					if !strings.Contains(labels[name], ","+l[1]+",") {
						t.Errorf("%s: %s has no label %s", p.Title, name, l[1])
					}
				}
			}
		}
	}
	for name := range labels {
		if !shown[name] {
			t.Errorf("%s is not shown", name)
		}
	}
}
