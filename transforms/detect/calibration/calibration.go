package calibration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// Version names the form of the artefact.
const Version = "penstock.dev/calibration/v1"

// Direction says which scores are a machine's.
type Direction string

// Directions. Both calls a row machine when its score is unusual on either side;
// Auto takes the side on which the machine references lie.
const (
	Higher Direction = "higher"
	Lower  Direction = "lower"
	Both   Direction = "both"
	Auto   Direction = "auto"
)

// Calibration is the artefact.
type Calibration struct {
	Version   string    `json:"version"`
	ID        string    `json:"id"` // SHA-256 over all the rest, in hexadecimal
	Scores    []Score   `json:"scores"`
	Intercept float64   `json:"intercept,omitempty"` // of a combination
	Direction Direction `json:"direction"`           // never Auto; Higher for a combination
	FPR       []float64 `json:"fpr"`                 // rates it was asked for, the largest first
	By        string    `json:"by,omitempty"`        // column that names a row's group
	Length    *Length   `json:"length,omitempty"`
	Groups    []Group   `json:"groups"` // by name; one without a name if By is empty
}

// Score is a column that the statistic is made of.
type Score struct {
	Column string `json:"column"`
	// Origin says what made the column: kind, model and parameters. Empty if
	// that was not known.
	Origin string  `json:"origin,omitempty"`
	Weight float64 `json:"weight"` // of a combination; 1 for a single score
}

// Length is the range of the references' lengths: a longer or shorter row is not
// judged.
type Length struct {
	Column string `json:"column"`
	Min    int64  `json:"min"`
	Max    int64  `json:"max"`
}

// Group is the references of one domain: their statistics in ascending order.
type Group struct {
	Name    string    `json:"name"`
	Human   []float64 `json:"human"`
	Machine []float64 `json:"machine,omitempty"`
}

// Label of a verdict.
type Label string

// The labels.
const (
	Machine Label = "machine"
	Human   Label = "human"
	Unsure  Label = "unsure"
)

// humanFrom is the p-value from which a row is called human where there are no
// machine references: at least half of the humans look more like machines.
const humanFrom = 0.5

// missRate is the share of machine references that may look as human as a row
// that is called human.
const missRate = 0.05

// Verdict is what a calibration says of a row.
type Verdict struct {
	Label  Label
	PValue float64 // conformal, of the hypothesis that the row is a human's
	Rank   int     // human references with a statistic at least as high
}

// ErrUnknownGroup is the error of a row whose group has no references.
var ErrUnknownGroup = errors.New("no references")

// Group finds the references of a group.
func (c *Calibration) Group(name string) (*Group, error) {
	i, ok := slices.BinarySearchFunc(c.Groups, name, func(g Group, name string) int { return strings.Compare(g.Name, name) })
	if !ok {
		return nil, fmt.Errorf("group %q: %w in the calibration", name, ErrUnknownGroup)
	}
	return &c.Groups[i], nil
}

// Statistic joins the values of the Scores' columns, in their order. Higher means
// machine unless Direction is Both.
func (c *Calibration) Statistic(values []float64) float64 {
	s := c.Intercept
	for i, score := range c.Scores {
		s += score.Weight * values[i]
	}
	if c.Direction == Lower {
		return -s
	}
	return s
}

// Decide judges a statistic at a false-positive rate in (0, 1).
//
// The row is a machine's if its p-value is at most fpr. It is a human's if it is
// not, and at most one in twenty machine references looks as human (p-value of the
// hypothesis that it is a machine's; without such references, if the p-value is at
// least 0.5). It is unsure otherwise.
func (c *Calibration) Decide(g *Group, statistic, fpr float64) Verdict {
	v := Verdict{Label: Unsure, Rank: atLeast(g.Human, statistic)}
	v.PValue = conformal(v.Rank, len(g.Human))
	if c.Direction == Both {
		below := atMost(g.Human, statistic)
		v.PValue = min(1, 2*min(v.PValue, conformal(below, len(g.Human))))
	}
	switch {
	case v.PValue <= fpr*(1+slack):
		v.Label = Machine
	case c.Direction != Both && len(g.Machine) > 0:
		if conformal(atMost(g.Machine, statistic), len(g.Machine)) <= missRate*(1+slack) {
			v.Label = Human
		}
	case v.PValue >= humanFrom:
		v.Label = Human
	}
	return v
}

// slack keeps a rate such as 0.05 of 19+1 rows, which binary numbers miss by a
// hair, reachable.
const slack = 1e-12

// conformal is the p-value of a row of which rank of n references are at least
// as extreme.
func conformal(rank, n int) float64 { return float64(1+rank) / float64(1+n) }

func atLeast(ascending []float64, x float64) int {
	i, _ := slices.BinarySearch(ascending, x)
	return len(ascending) - i
}

func atMost(ascending []float64, x float64) int {
	i, found := slices.BinarySearch(ascending, x)
	for found && i < len(ascending) && ascending[i] == x {
		i++
	}
	return i
}

// Threshold is the conformal threshold of ascending references: a row above it,
// and no other, has a one-sided p-value of at most fpr. ok is false when fpr is
// less than [SmallestFPR]: then no row has.
func Threshold(ascending []float64, fpr float64) (threshold float64, ok bool) {
	n := len(ascending)
	k := int(math.Floor(fpr * float64(n+1) * (1 + slack)))
	if k < 1 {
		return math.Inf(1), false
	}
	return ascending[n-min(k, n)], true
}

// SmallestFPR is the lowest rate that n references can promise.
func SmallestFPR(n int, d Direction) float64 {
	if d == Both {
		return 2 * conformal(0, n)
	}
	return conformal(0, n)
}

// Reaches tells whether every group can promise a rate; the error names the first
// that cannot, and what it can.
func (c *Calibration) Reaches(fpr float64) error {
	for _, g := range c.Groups {
		if least := SmallestFPR(len(g.Human), c.Direction); least > fpr*(1+slack) {
			of := ""
			if c.By != "" {
				of = fmt.Sprintf(" of group %q", g.Name)
			}
			need := int(math.Ceil(SmallestFPR(0, c.Direction)/fpr*(1-slack))) - 1
			return fmt.Errorf("%d human references%s cannot promise a false-positive rate of %g: the smallest they reach is %.3g, and %g takes %d", len(g.Human), of, fpr, least, fpr, need)
		}
	}
	return nil
}

// sign computes the ID.
func (c *Calibration) sign() (string, error) {
	unsigned := *c
	unsigned.ID = ""
	b, err := json.Marshal(&unsigned)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// ShortID is the beginning of the ID, for columns and messages.
func (c *Calibration) ShortID() string { return c.ID[:min(12, len(c.ID))] }

// Marshal signs the calibration and writes it as indented JSON.
func (c *Calibration) Marshal() ([]byte, error) {
	var err error
	if c.ID, err = c.sign(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(c, "", " ")
	return append(b, '\n'), err
}

// maxFile bounds the size of an artefact: two million references have less.
const maxFile = 64 << 20

// Read reads an artefact and checks that it is as it was signed.
func Read(path string) (*Calibration, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.New("no such calibration; make one with Calibrate or penstock calibrate")
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%d bytes are too many for a calibration", info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Parse is Read for the content of a file.
func Parse(b []byte) (*Calibration, error) {
	c := &Calibration{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("not a calibration: %v", err)
	}
	if c.Version != Version {
		return nil, fmt.Errorf("not a calibration of version %s (version is %q)", Version, c.Version)
	}
	id, err := c.sign()
	if err != nil {
		return nil, fmt.Errorf("not a calibration: %v", err)
	}
	if id != c.ID {
		return nil, errors.New("the calibration was changed after it was made: its content does not have the hash it is signed with; make it again")
	}
	return c, c.check()
}

// check refuses what Decide could not work with; a signed file may still have
// been written by another program.
func (c *Calibration) check() error {
	switch {
	case len(c.Scores) == 0:
		return errors.New("the calibration has no score")
	case !slices.Contains([]Direction{Higher, Lower, Both}, c.Direction):
		return fmt.Errorf("the calibration has direction %q", c.Direction)
	case len(c.Groups) == 0:
		return errors.New("the calibration has no references")
	}
	for i, g := range c.Groups {
		switch {
		case len(g.Human) == 0:
			return fmt.Errorf("group %q of the calibration has no human references", g.Name)
		case !slices.IsSorted(g.Human) || !slices.IsSorted(g.Machine):
			return fmt.Errorf("the references of group %q are not in order", g.Name)
		case i > 0 && c.Groups[i-1].Name >= g.Name:
			return errors.New("the groups of the calibration are not in order")
		}
	}
	return nil
}
