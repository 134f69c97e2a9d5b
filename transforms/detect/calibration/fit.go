package calibration

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Reference is a row whose author is known.
type Reference struct {
	Key    uint64 // a hash of the row's id; it chooses the row's half and its place in a sample
	Group  string
	Human  bool
	Values []float64 // of the scores, all finite
	Tokens int64     // length, where Options.Length names a column
}

// Options say what a calibration is made for.
type Options struct {
	Scores    []Score // Column and Origin; weights are fitted
	Direction Direction
	FPR       []float64 // rates that every group must be able to promise
	By        string
	Length    string // column of the lengths, empty for none
}

// maxReferences bounds the references kept of a group and class. A sample of
// exchangeable rows is exchangeable, so the promise does not suffer; beyond this
// number the spread of the achieved rate at 1 % is below a tenth of it.
const maxReferences = 20_000

// Fit makes a calibration. The order of the references does not matter. It
// refuses references that cannot promise a rate asked for, and says which they
// can.
func Fit(references []Reference, o Options) (*Calibration, error) {
	if len(o.Scores) == 0 {
		return nil, errors.New("no score to calibrate")
	}
	c := &Calibration{Version: Version, Scores: slices.Clone(o.Scores), Direction: o.Direction, FPR: slices.Clone(o.FPR), By: o.By}
	slices.SortFunc(c.FPR, func(a, b float64) int { return cmp.Compare(b, a) })
	references = slices.Clone(references)
	slices.SortFunc(references, compareReferences)

	if len(o.Scores) == 1 {
		c.Scores[0].Weight = 1
		if err := c.direct(references); err != nil {
			return nil, err
		}
	} else {
		var err error
		if references, err = c.combine(references); err != nil {
			return nil, err
		}
	}
	c.addGroups(references)
	if len(c.Groups) == 0 {
		return nil, errors.New("there are no human references")
	}
	if o.Length != "" {
		c.Length = lengthsOf(references, o.Length)
	}
	for _, fpr := range c.FPR {
		if err := c.Reaches(fpr); err != nil {
			return nil, err
		}
	}
	var err error
	c.ID, err = c.sign()
	return c, err
}

// compareReferences puts references into an order that does not depend on how
// they arrived.
func compareReferences(a, b Reference) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Key, b.Key), slices.Compare(a.Values, b.Values), cmp.Compare(a.Tokens, b.Tokens))
}

// direct settles the direction of a single score.
func (c *Calibration) direct(references []Reference) error {
	if c.Direction != Auto {
		return nil
	}
	human, machine := classes(references, func(r Reference) float64 { return r.Values[0] })
	if len(machine) == 0 {
		return errors.New(`the direction cannot be found without machine references; state it, or "both"`)
	}
	c.Direction = Higher
	if superiority(machine, human) < 0.5 {
		c.Direction = Lower
	}
	return nil
}

// combine fits the combination on one half of the references and returns the
// other.
func (c *Calibration) combine(references []Reference) ([]Reference, error) {
	if c.Direction == Both {
		return nil, errors.New("a combination of scores has one direction, the one its machine references show")
	}
	var fit, rest []Reference
	for _, r := range references {
		if r.Key&1 == 0 {
			fit = append(fit, r)
		} else {
			rest = append(rest, r)
		}
	}
	weights, intercept, err := logistic(fit)
	if err != nil {
		return nil, err
	}
	c.Direction, c.Intercept = Higher, intercept
	for i := range c.Scores {
		c.Scores[i].Weight = weights[i]
	}
	return rest, nil
}

// addGroups sorts the statistics of the references into groups.
func (c *Calibration) addGroups(references []Reference) {
	byName := map[string][]Reference{}
	for _, r := range references {
		name := r.Group
		if c.By == "" {
			name = ""
		}
		byName[name] = append(byName[name], r)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		g := Group{Name: name}
		g.Human, g.Machine = classes(byName[name], func(r Reference) float64 { return c.Statistic(r.Values) })
		if len(g.Human) == 0 {
			continue // nothing can be promised there
		}
		slices.Sort(g.Human)
		slices.Sort(g.Machine)
		c.Groups = append(c.Groups, g)
	}
}

// classes are the statistics of a bounded number of references by class, those
// with the smallest keys.
func classes(references []Reference, statistic func(Reference) float64) (human, machine []float64) {
	byKey := slices.Clone(references)
	slices.SortStableFunc(byKey, func(a, b Reference) int { return cmp.Compare(a.Key, b.Key) })
	for _, r := range byKey {
		switch {
		case r.Human && len(human) < maxReferences:
			human = append(human, statistic(r))
		case !r.Human && len(machine) < maxReferences:
			machine = append(machine, statistic(r))
		}
	}
	return human, machine
}

// superiority is the probability that one of xs is above one of ys, ties counted
// half: the area under the ROC curve.
func superiority(xs, ys []float64) float64 {
	ascending := slices.Sorted(slices.Values(ys))
	sum := 0.0
	for _, x := range xs {
		sum += float64(len(ascending)-atLeast(ascending, x)) + float64(atMost(ascending, x))
	}
	return sum / 2 / float64(len(xs)) / float64(len(ys))
}

func lengthsOf(references []Reference, column string) *Length {
	l := &Length{Column: column, Min: math.MaxInt64, Max: math.MinInt64}
	for _, r := range references {
		if r.Human {
			l.Min, l.Max = min(l.Min, r.Tokens), max(l.Max, r.Tokens)
		}
	}
	return l
}

// Describe says in a line what the statistic is.
func (c *Calibration) Describe() string {
	if len(c.Scores) == 1 {
		return fmt.Sprintf("%s (%s means machine)", c.Scores[0].Column, c.Direction)
	}
	s := fmt.Sprintf("%.4g", c.Intercept)
	for _, score := range c.Scores {
		s += fmt.Sprintf(" %+.4g %s", score.Weight, score.Column)
	}
	return s
}
