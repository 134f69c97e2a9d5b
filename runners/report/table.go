package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"penstock.dev/transforms"
)

// maxRows is how long a table with a line for each group and score may get;
// beyond, there is a table for each figure, with a column for each score.
const maxRows = 24

// terminalFPR is the false-positive rate whose operating point the tables show.
const terminalFPR = 0.05

// EvaluationTable writes AUROC and the true-positive rate at 5 % false
// positives of each score in each group, for a terminal: all rows first, then
// the groups, hardest first.
func EvaluationTable(w io.Writer, evaluations []transforms.Evaluation) error {
	var b strings.Builder
	for _, e := range evaluations {
		if len(e.Scores) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		r := rank(e)
		if e.Node != "" {
			fmt.Fprintf(&b, "%s: %s = %s\n", printable(e.Node), printable(e.Label), printable(e.Positive))
		}
		switch {
		case len(e.Scores) <= maxRows:
			align(&b, r.long())
		default:
			b.WriteString("AUROC\n")
			align(&b, r.wide(auroc))
			if slices.Contains(r.FPRs, terminalFPR) {
				fmt.Fprintf(&b, "TPR at %s FPR\n", tidyPercent(terminalFPR))
				align(&b, r.wide(tpr))
			}
		}
		if line := audited(e); line != "" {
			b.WriteString(printable(line) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// long has a line for each group and score. Columns that say nothing are left out.
func (r *ranking) long() [][]string {
	grouped, rates := len(r.Groups) > 1 || r.Groups[0] != "", slices.Contains(r.FPRs, terminalFPR)
	line := func(group, score, positives, negatives, auroc, auroc95, tpr, tpr95 string) []string {
		var out []string
		if grouped {
			out = append(out, group)
		}
		out = append(out, score, positives, negatives, auroc, auroc95)
		if rates {
			out = append(out, tpr, tpr95)
		}
		return out
	}
	at := tidyPercent(terminalFPR)
	rows := [][]string{line("group", "score", "positive", "negative", "AUROC", "95 %", "TPR @ "+at+" FPR", "95 %")}
	for _, group := range r.Groups {
		for _, name := range r.Names {
			s, ok := r.at(group, name)
			if !ok {
				continue
			}
			low, tprLow := "", ""
			if defined(s) {
				low = fmt.Sprintf("%.3f–%.3f", s.AUROCLow, s.AUROCHigh)
				if at, ok := operating(s, terminalFPR); ok && at.Reachable {
					tprLow = fmt.Sprintf("%.1f–%.1f", 100*at.TPRLow, 100*at.TPRHigh)
				}
			}
			rows = append(rows, line(groupName(group), name, fmt.Sprint(s.Positives), fmt.Sprint(s.Negatives), auroc(s), low, tpr(s), tprLow))
		}
	}
	return rows
}

// wide has a line for each group and a column for each score.
func (r *ranking) wide(figure func(transforms.ScoreEvaluation) string) [][]string {
	rows := [][]string{append([]string{"group"}, r.Names...)}
	for _, group := range r.Groups {
		row := []string{groupName(group)}
		for _, name := range r.Names {
			if s, ok := r.at(group, name); ok {
				row = append(row, figure(s))
			} else {
				row = append(row, "–")
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func tpr(s transforms.ScoreEvaluation) string {
	at, ok := operating(s, terminalFPR)
	switch {
	case !ok || !defined(s):
		return "–"
	case !at.Reachable:
		return "n too small"
	}
	return oneDecimal(at.TPR)
}

// align writes rows in columns, names to the left and figures to the right.
func align(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		line := "  "
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0:
				line += cell + pad
			case rows[0][i] == "score":
				line += "  " + cell + pad
			default:
				line += "  " + pad + cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
