package roc

import (
	"encoding/json"
	"math"
	"os"
	"sort"
	"testing"
)

const tolerance = 1e-9

// golden is written by testdata/make_golden.py with scikit-learn and SciPy.
type golden struct {
	Sets []struct {
		Name             string    `json:"name"`
		Positive         []float64 `json:"positive"`
		Negative         []float64 `json:"negative"`
		AUROC            float64   `json:"auroc"`
		AveragePrecision float64   `json:"average_precision"`
		Variance         float64   `json:"delong_variance"`
		Interval         []float64 `json:"interval"`
		FPR              []float64 `json:"fpr"`
		TPR              []float64 `json:"tpr"`
		Points           []struct {
			Target         float64   `json:"target"`
			Threshold      float64   `json:"threshold"`
			FalsePositives int       `json:"false_positives"`
			TruePositives  int       `json:"true_positives"`
			Reachable      bool      `json:"reachable"`
			FPRInterval    []float64 `json:"fpr_interval"`
			TPRInterval    []float64 `json:"tpr_interval"`
		} `json:"points"`
	} `json:"sets"`
	Binomial []struct {
		K          int       `json:"k"`
		N          int       `json:"n"`
		Confidence float64   `json:"confidence"`
		Interval   []float64 `json:"interval"`
	} `json:"binomial"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func newScores(t testing.TB, pos, neg []float64) *Scores {
	t.Helper()
	s, err := New(pos, neg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

func interval(t *testing.T, what string, low, high float64, want []float64) {
	t.Helper()
	near(t, what+" low", low, want[0])
	near(t, what+" high", high, want[1])
}

func TestGoldenSets(t *testing.T) {
	for _, c := range readGolden(t).Sets {
		t.Run(c.Name, func(t *testing.T) {
			s := newScores(t, c.Positive, c.Negative)
			near(t, "AUROC", s.AUROC(), c.AUROC)
			near(t, "average precision", s.AveragePrecision(), c.AveragePrecision)
			area := s.DeLong()
			near(t, "DeLong's AUROC", area.AUROC, c.AUROC)
			near(t, "DeLong's variance", area.Variance, c.Variance)
			interval(t, "AUROC", area.Low, area.High, c.Interval)

			for _, want := range c.Points {
				got, err := s.TPRAt(want.Target)
				if err != nil {
					t.Fatal(err)
				}
				if got.Target != want.Target || got.Threshold != want.Threshold || got.Reachable != want.Reachable ||
					got.FPR.Count != want.FalsePositives || got.TPR.Count != want.TruePositives {
					t.Errorf("at %g: %+v, want %+v", want.Target, got, want)
				}
				interval(t, "FPR", got.FPR.Low, got.FPR.High, want.FPRInterval)
				interval(t, "TPR", got.TPR.Low, got.TPR.High, want.TPRInterval)
			}
		})
	}
}

// Every point of the full curve lies on the drawn one, and every drawn point is
// one of the full curve's.
func TestGoldenCurves(t *testing.T) {
	for _, c := range readGolden(t).Sets {
		points := newScores(t, c.Positive, c.Negative).Curve()
		full := map[Point]bool{}
		for i := range c.FPR {
			full[Point{c.FPR[i], c.TPR[i]}] = true
			if d := distance(points, Point{c.FPR[i], c.TPR[i]}); d > tolerance {
				t.Errorf("%s: (%g, %g) is %g away from the curve", c.Name, c.FPR[i], c.TPR[i], d)
			}
		}
		for _, p := range points {
			if !full[p] {
				t.Errorf("%s: %v is not a point of the curve", c.Name, p)
			}
		}
	}
}

// distance is that of p from the curve through points.
func distance(points []Point, p Point) float64 {
	least := math.Inf(1)
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		dx, dy := b.FPR-a.FPR, b.TPR-a.TPR
		along := ((p.FPR-a.FPR)*dx + (p.TPR-a.TPR)*dy) / (dx*dx + dy*dy)
		along = min(max(along, 0), 1)
		least = min(least, math.Hypot(a.FPR+along*dx-p.FPR, a.TPR+along*dy-p.TPR))
	}
	return least
}

func TestGoldenClopperPearson(t *testing.T) {
	for _, c := range readGolden(t).Binomial {
		low, high, err := ClopperPearson(c.K, c.N, c.Confidence)
		if err != nil {
			t.Fatal(err)
		}
		interval(t, "interval", low, high, c.Interval)
	}
}

// TestPublishedAUROCs recomputes the areas published with 103 sets of detection
// scores (github.com/TrustMedia-zju/Lastde_Detector, experiment_results).
func TestPublishedAUROCs(t *testing.T) {
	const path = "../../../../shared/data/detection/scores/lastde/predictions.json"
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("the published score sets are not beside the repository, in ../shared/data")
	} else if err != nil {
		t.Fatal(err)
	}
	var sets map[string]struct {
		AUROC float64   `json:"roc_auc"`
		Human []float64 `json:"human"`
		LLM   []float64 `json:"llm"`
	}
	if err := json.Unmarshal(text, &sets); err != nil {
		t.Fatal(err)
	}
	if len(sets) != 103 {
		t.Errorf("%d sets, want 103", len(sets))
	}
	var names []string
	for name := range sets {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		got, err := AUROC(sets[name].LLM, sets[name].Human)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		near(t, name, got, sets[name].AUROC)
	}
}
