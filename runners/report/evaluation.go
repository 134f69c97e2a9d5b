package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"penstock.dev/transforms"
)

// ranking is an evaluation put in order: all rows first, then the groups in
// which the scores do worst; scores as the node has them.
type ranking struct {
	transforms.Evaluation
	Groups []string
	Names  []string // of the scores
	FPRs   []float64
	cells  map[[2]string]*transforms.ScoreEvaluation
}

func rank(e transforms.Evaluation) *ranking {
	r := &ranking{Evaluation: e, cells: map[[2]string]*transforms.ScoreEvaluation{}}
	sum, n := map[string]float64{}, map[string]float64{}
	for i := range e.Scores {
		s := &e.Scores[i]
		r.cells[[2]string{s.Group, s.Score}] = s
		if !slices.Contains(r.Groups, s.Group) {
			r.Groups = append(r.Groups, s.Group)
		}
		if !slices.Contains(r.Names, s.Score) {
			r.Names = append(r.Names, s.Score)
		}
		for _, at := range s.At {
			if !slices.Contains(r.FPRs, at.FPR) {
				r.FPRs = append(r.FPRs, at.FPR)
			}
		}
		if defined(*s) {
			sum[s.Group] += s.AUROC
			n[s.Group]++
		}
	}
	mean := func(group string) float64 {
		switch {
		case group == "":
			return math.Inf(-1) // all rows
		case n[group] == 0:
			return math.Inf(1) // nothing to say
		}
		return sum[group] / n[group]
	}
	slices.SortStableFunc(r.Groups, func(a, b string) int { return cmp.Compare(mean(a), mean(b)) })
	slices.SortFunc(r.FPRs, func(a, b float64) int { return cmp.Compare(b, a) })
	return r
}

func (r *ranking) at(group, score string) (transforms.ScoreEvaluation, bool) {
	if s := r.cells[[2]string{group, score}]; s != nil {
		return *s, true
	}
	return transforms.ScoreEvaluation{}, false
}

// defined tells whether both classes are there.
func defined(e transforms.ScoreEvaluation) bool {
	return e.Positives > 0 && e.Negatives > 0 && !math.IsNaN(e.AUROC)
}

func operating(e transforms.ScoreEvaluation, fpr float64) (transforms.Operating, bool) {
	for _, at := range e.At {
		if at.FPR == fpr {
			return at, true
		}
	}
	return transforms.Operating{}, false
}

func auroc(e transforms.ScoreEvaluation) string {
	if !defined(e) {
		return "–"
	}
	return fmt.Sprintf("%.3f", e.AUROC)
}

func groupName(g string) string {
	if g == "" {
		return "all rows"
	}
	return g
}

// notReachable says why there is no rate: the false-positive rate asked for is
// finer than so many negative rows can show.
func notReachable(e transforms.ScoreEvaluation) string {
	return fmt.Sprintf("not reachable with n = %s", grouped(int64(e.Negatives)))
}

// evaluationView is an evaluation as the page shows it.
type evaluationView struct {
	*ranking
	Title    string
	Lead     string
	Matrices []matrix
	Details  []detail
	Legend   []legend
	Overall  []figureView
	ByGroup  []groupFigures
	ROC      []figureView
	// Trivial is the table of what needs no model, Banded the scores by band.
	Trivial     []confoundView
	TrivialLead string
	Banded      *matrix
	Transferred []*transferView
}

// matrix is one figure for every group and score.
type matrix struct {
	Title string
	Rows  []matrixRow
}

type matrixRow struct {
	Group string
	Cells []matrixCell
}

type matrixCell struct {
	Text, Tip string
	Shade     int  // 0 to 10, of the background; -1 for none
	Best      bool // of its row
	value     float64
}

// detail is a row of the full table.
type detail struct {
	Group, Score         string
	Positives, Negatives int
	AUROC, Interval      string
	Value                float64
	Whisker              template.HTML
	Precision            string
	PrecisionValue       float64
	At                   []rate
	Note                 string
}

// rate is what is detected at a false-positive rate.
type rate struct {
	Text, Interval, Tip string
	Value               float64 // for sorting; -1 if not reachable
}

type legend struct {
	Name, Class string
	Index       int
}

type figureView struct {
	Title, Detail string
	SVG           template.HTML
}

type groupFigures struct {
	Score   string
	Figures []figureView
}

func viewEvaluation(e transforms.Evaluation) *evaluationView {
	v := &evaluationView{ranking: rank(e)}
	v.Title = "Quality"
	if e.Node != "" {
		v.Title = "Quality: " + e.Node
	}
	v.Lead = v.lead()
	v.Matrices = append(v.Matrices, v.matrix("AUROC", aurocCell))
	for _, fpr := range v.FPRs[:min(7, len(v.FPRs))] {
		v.Matrices = append(v.Matrices, v.matrix("TPR at "+tidyPercent(fpr)+" FPR", func(s transforms.ScoreEvaluation) matrixCell { return tprCell(s, fpr) }))
	}
	lowest := 0.5
	for _, s := range e.Scores {
		if defined(s) {
			lowest = min(lowest, math.Floor(s.AUROCLow*10)/10)
		}
	}
	for _, group := range v.Groups {
		for _, name := range v.Names {
			if s, ok := v.at(group, name); ok {
				v.Details = append(v.Details, v.detail(s, max(0, lowest)))
			}
		}
	}
	v.figures()
	v.Trivial, v.TrivialLead = viewConfounds(e), v.confoundLead()
	v.Banded = viewBands(e, v.Names)
	v.Transferred = viewTransfers(e)
	return v
}

// lead is the evaluation in a sentence.
func (r *ranking) lead() string {
	var best transforms.ScoreEvaluation
	for _, name := range r.Names {
		if s, ok := r.at(r.Groups[0], name); ok && defined(s) && (!defined(best) || s.AUROC > best.AUROC) {
			best = s
		}
	}
	if !defined(best) {
		return "No score has rows of both classes."
	}
	lead := fmt.Sprintf("Over %s %s is best: AUROC %.3f [%.3f, %.3f]", groupName(best.Group), best.Score, best.AUROC, best.AUROCLow, best.AUROCHigh)
	for _, at := range best.At {
		if at.Reachable {
			lead += fmt.Sprintf(", TPR %s at %s FPR", oneDecimal(at.TPR), tidyPercent(at.FPR))
			break
		}
	}
	worst := best
	for _, group := range r.Groups {
		if s, ok := r.at(group, best.Score); ok && defined(s) && s.AUROC < worst.AUROC {
			worst = s
		}
	}
	if worst.Group != best.Group {
		lead += fmt.Sprintf("; it does worst in %s, with %s", groupName(worst.Group), auroc(worst))
	}
	return lead + "."
}

func (r *ranking) matrix(title string, cell func(transforms.ScoreEvaluation) matrixCell) matrix {
	m := matrix{Title: title}
	for _, group := range r.Groups {
		row := matrixRow{Group: groupName(group)}
		best := 0.0
		for _, name := range r.Names {
			c := matrixCell{Text: "–", Shade: -1, value: -1}
			if s, ok := r.at(group, name); ok {
				c = cell(s)
			}
			best = max(best, c.value)
			row.Cells = append(row.Cells, c)
		}
		for i, c := range row.Cells {
			row.Cells[i].Best = len(r.Names) > 1 && c.value == best && best > 0
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func aurocCell(s transforms.ScoreEvaluation) matrixCell {
	if !defined(s) {
		return matrixCell{Text: "–", Tip: s.Note, Shade: -1, value: -1}
	}
	return matrixCell{Text: auroc(s), Tip: interval(s), Shade: shade((s.AUROC - 0.5) * 2), value: s.AUROC}
}

func tprCell(s transforms.ScoreEvaluation, fpr float64) matrixCell {
	at, ok := operating(s, fpr)
	if !ok || !defined(s) {
		return matrixCell{Text: "–", Tip: s.Note, Shade: -1, value: -1}
	}
	if !at.Reachable {
		return matrixCell{Text: "n/r", Tip: notReachable(s), Shade: -1, value: -1}
	}
	tip := fmt.Sprintf("95 %% interval %s to %s; threshold %s", oneDecimal(at.TPRLow), oneDecimal(at.TPRHigh), number(at.Threshold))
	return matrixCell{Text: oneDecimal(at.TPR), Tip: tip, Shade: shade(at.TPR), value: at.TPR}
}

func shade(v float64) int { return int(math.Round(10 * min(1, max(0, v)))) }

func interval(s transforms.ScoreEvaluation) string {
	return fmt.Sprintf("95 %% interval %.3f to %.3f; %s positive, %s negative rows", s.AUROCLow, s.AUROCHigh,
		grouped(int64(s.Positives)), grouped(int64(s.Negatives)))
}

func (r *ranking) detail(s transforms.ScoreEvaluation, lowest float64) detail {
	d := detail{Group: groupName(s.Group), Score: s.Score, Positives: s.Positives, Negatives: s.Negatives, AUROC: "–", Value: -1, Precision: "–", PrecisionValue: -1, Note: s.Note}
	if s.Missing > 0 {
		d.Note = fmt.Sprintf("%s without score or label. %s", counted(int64(s.Missing), "row"), s.Note)
	}
	if defined(s) {
		d.AUROC, d.Value = auroc(s), s.AUROC
		d.Interval = fmt.Sprintf("%.3f–%.3f", s.AUROCLow, s.AUROCHigh)
		d.Whisker = whisker(s, lowest)
		d.Precision, d.PrecisionValue = fmt.Sprintf("%.3f", s.AveragePrecision), s.AveragePrecision
	}
	for _, fpr := range r.FPRs {
		at, ok := operating(s, fpr)
		switch {
		case !ok || !defined(s):
			d.At = append(d.At, rate{Text: "–", Value: -1})
		case !at.Reachable:
			d.At = append(d.At, rate{Interval: notReachable(s), Tip: at.Note, Value: -1})
		default:
			d.At = append(d.At, rate{
				Text:     oneDecimal(at.TPR),
				Interval: fmt.Sprintf("%.1f–%.1f", 100*at.TPRLow, 100*at.TPRHigh),
				Tip: fmt.Sprintf("threshold %s, FPR achieved %s (95 %% interval %s to %s) %s", number(at.Threshold),
					percent(at.AchievedFPR), percent(at.FPRLow), percent(at.FPRHigh), at.Note),
				Value: at.TPR,
			})
		}
	}
	return d
}

// figures draws the charts: distributions over the first group (all rows) and
// by group, ROC curves of all groups.
func (v *evaluationView) figures() {
	for k, g := range v.Groups {
		v.Legend = append(v.Legend, legend{groupName(g), swatch(v.Groups, k), k})
	}
	for _, name := range v.Names {
		var curves []transforms.ScoreEvaluation
		figures := groupFigures{Score: name}
		for k, group := range v.Groups {
			s, ok := v.at(group, name)
			if !ok {
				continue
			}
			curves = append(curves, s)
			if k > 0 {
				figures.Figures = append(figures.Figures, distributionView(s, groupName(group)))
			} else {
				v.Overall = append(v.Overall, distributionView(s, name))
			}
		}
		if len(figures.Figures) > 0 {
			v.ByGroup = append(v.ByGroup, figures)
		}
		v.ROC = append(v.ROC, figureView{Title: name, SVG: rocPlot(curves, v.Groups, "ROC curves of "+name)})
	}
}

func distributionView(s transforms.ScoreEvaluation, title string) figureView {
	threshold := math.NaN()
	for _, at := range s.At {
		if at.Reachable {
			threshold = at.Threshold
			break
		}
	}
	label := fmt.Sprintf("distribution of %s by label, %s", s.Score, groupName(s.Group))
	return figureView{Title: title, Detail: auroc(s), SVG: distribution(s, threshold, label)}
}
