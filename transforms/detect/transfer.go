package detect

import (
	"penstock.dev/transforms"
	"penstock.dev/transforms/detect/roc"
)

// maxTransferGroups bounds the groups between which thresholds are tried: the work and
// the result grow with their square.
const maxTransferGroups = 64

// transfer tries the threshold of each group on every other. Groups that lack a class,
// or have too few negative rows for the rate, are left out.
func transfer(score string, fpr float64, names []string, groups []class) transforms.Transfer {
	t := transforms.Transfer{Score: score, FPR: fpr}
	var usable []*roc.Scores
	for i, c := range groups {
		s, err := roc.New(c.Positive, c.Negative)
		if err != nil {
			continue
		}
		if p, err := s.TPRAt(fpr); err == nil && p.Reachable {
			usable = append(usable, s)
			t.Groups = append(t.Groups, names[i])
			t.Thresholds = append(t.Thresholds, p.Threshold)
			t.Positives = append(t.Positives, len(c.Positive))
			t.Negatives = append(t.Negatives, len(c.Negative))
		}
	}
	for from := range usable {
		right, wrong := make([]int, len(usable)), make([]int, len(usable))
		for to, s := range usable {
			right[to], wrong[to] = s.Flagged(t.Thresholds[from])
		}
		t.TruePositives = append(t.TruePositives, right)
		t.FalsePositives = append(t.FalsePositives, wrong)
	}
	return t
}
