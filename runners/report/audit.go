package report

import (
	"fmt"
	"slices"
	"strings"

	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/roc"
)

// worrying is the AUROC from which a trivial feature is marked.
const worrying = 0.65

// confoundView is a row of the table of trivial features.
type confoundView struct {
	Column, Feature  string
	AUROC, Interval  string
	Value            float64
	Direction        string
	Group, GroupArea string
	Worrying         bool
}

func viewConfounds(e transforms.Evaluation) (all []confoundView) {
	for _, c := range e.Confounds {
		v := confoundView{Column: c.Column, Feature: c.Feature, AUROC: fmt.Sprintf("%.3f", c.AUROC), Value: c.AUROC,
			Interval: fmt.Sprintf("%.3f–%.3f", c.Low, c.High), Direction: "more", Worrying: c.AUROC >= worrying}
		if c.Less {
			v.Direction = "less"
		}
		if c.Group != "" {
			v.Group, v.GroupArea = c.Group, fmt.Sprintf("%.3f", c.GroupAUROC)
		}
		all = append(all, v)
	}
	return all
}

// confoundLead is the audit in a sentence.
func (v *evaluationView) confoundLead() string {
	if len(v.Evaluation.Confounds) == 0 {
		return ""
	}
	c := v.Evaluation.Confounds[0]
	lead := fmt.Sprintf("Without any model, %s of %s tells the classes apart with AUROC %.3f", c.Feature, c.Column, c.AUROC)
	if c.AUROC >= worrying {
		return lead + ": part of what a score achieves here may be that."
	}
	return lead + "."
}

// viewBands is the AUROC of every score in every band.
func viewBands(e transforms.Evaluation, names []string) *matrix {
	if len(e.Bands) == 0 {
		return nil
	}
	r := &ranking{Names: names, cells: map[[2]string]*transforms.ScoreEvaluation{}}
	for i := range e.Bands {
		s := &e.Bands[i]
		r.cells[[2]string{s.Group, s.Score}] = s
		if n := len(r.Groups); n == 0 || r.Groups[n-1] != s.Group {
			r.Groups = append(r.Groups, s.Group)
		}
	}
	m := r.matrix("AUROC by "+e.BandColumn, func(s transforms.ScoreEvaluation) matrixCell {
		c := aurocCell(s)
		if c.Tip == "" || defined(s) {
			c.Tip = interval(s)
		}
		return c
	})
	return &m
}

// transferView are the matrices of a rate, one for each score.
type transferView struct {
	Rate     string
	Lead     string
	Matrices []transferMatrix
}

type transferMatrix struct {
	Score  string
	Groups []string
	Rows   []transferRow
}

type transferRow struct {
	From  string
	Cells []transferCell
}

type transferCell struct {
	FPR, TPR, Tip string
	Own           bool // the group the threshold is from
	Broken        bool // the rate is surely above the one asked for
}

func viewTransfers(e transforms.Evaluation) (all []*transferView) {
	for _, t := range e.Transfers {
		rate := tidyPercent(t.FPR)
		i := slices.IndexFunc(all, func(v *transferView) bool { return v.Rate == rate })
		if i < 0 {
			i = len(all)
			all = append(all, &transferView{Rate: rate, Lead: transferLead(e, rate)})
		}
		all[i].Matrices = append(all[i].Matrices, viewTransfer(t))
	}
	return all
}

func viewTransfer(t transforms.Transfer) transferMatrix {
	m := transferMatrix{Score: t.Score, Groups: t.Groups}
	for from, name := range t.Groups {
		row := transferRow{From: name}
		for to := range t.Groups {
			row.Cells = append(row.Cells, viewTransferCell(t, from, to))
		}
		m.Rows = append(m.Rows, row)
	}
	return m
}

func viewTransferCell(t transforms.Transfer, from, to int) transferCell {
	wrong, right := t.FalsePositives[from][to], t.TruePositives[from][to]
	low, high, err := roc.ClopperPearson(wrong, t.Negatives[to], 0.95)
	if err != nil {
		return transferCell{FPR: "–", Tip: err.Error()}
	}
	fpr, tpr := float64(wrong)/float64(t.Negatives[to]), float64(right)/float64(t.Positives[to])
	return transferCell{
		FPR: oneDecimal(fpr), TPR: oneDecimal(tpr),
		Tip: fmt.Sprintf("threshold %s from %s, on %s: FPR %s (95 %% interval %s to %s), TPR %s", number(t.Thresholds[from]), t.Groups[from], t.Groups[to],
			percent(fpr), percent(low), percent(high), percent(tpr)),
		Own: from == to, Broken: from != to && low > t.FPR,
	}
}

// transferLead names the score and pair that keep a rate worst, and counts those that
// surely break it.
func transferLead(e transforms.Evaluation, rate string) string {
	worst, broken, pairs := "", 0, 0
	most := -1.0
	for _, t := range e.Transfers {
		if tidyPercent(t.FPR) != rate {
			continue
		}
		for from := range t.Groups {
			for to := range t.Groups {
				if from == to {
					continue
				}
				pairs++
				if viewTransferCell(t, from, to).Broken {
					broken++
				}
				if fpr := float64(t.FalsePositives[from][to]) / float64(t.Negatives[to]); fpr > most {
					most = fpr
					worst = fmt.Sprintf("%s calibrated on %s flags %s of the others in %s", t.Score, t.Groups[from], percent(fpr), t.Groups[to])
				}
			}
		}
	}
	return fmt.Sprintf("At worst, %s; %d of %d pairs of groups and scores surely exceed the rate.", worst, broken, pairs)
}

// audited is the audit in a line of a terminal, "" if there is none: the features that
// separate best.
func audited(e transforms.Evaluation) string {
	var parts []string
	for _, c := range e.Confounds[:min(3, len(e.Confounds))] {
		parts = append(parts, fmt.Sprintf("%s of %s %.3f", c.Feature, c.Column, c.AUROC))
	}
	if len(parts) == 0 {
		return ""
	}
	return "AUROC without any model: " + strings.Join(parts, ", ")
}
