// Package history finds the runs that a work folder keeps and compares them. A run is a
// folder runs/GRAPH/ID: graph.json is the graph as it was evaluated, written before
// anything runs; run.json and report.html follow when the run has ended.
package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"penstock.dev/runners"
	"penstock.dev/runners/report"
)

// Unfinished is the state of a run that goes on, or was killed.
const Unfinished = "unfinished"

// Run is a run that a work folder keeps.
type Run struct {
	*report.Run
	Folder string
}

// List are the runs of a work folder, the newest first.
func List(work string) ([]Run, error) {
	folders, err := filepath.Glob(filepath.Join(escaped(work), "runs", "*", "*"))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, folder := range folders {
		r, err := open(folder)
		if err != nil {
			return nil, err
		}
		runs = append(runs, *r)
	}
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(b.Started.Compare(a.Started), strings.Compare(b.ID, a.ID))
	})
	return runs, nil
}

// escaped keeps the characters of a folder's name from being a pattern.
func escaped(folder string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(folder)
}

// open reads what a run left.
func open(folder string) (*Run, error) {
	r := &Run{Folder: folder, Run: &report.Run{ID: filepath.Base(folder), Graph: filepath.Base(filepath.Dir(folder)), State: Unfinished}}
	path := filepath.Join(folder, runners.AccountFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.Started, _ = time.Parse(runners.IDTime, r.ID[:min(len(runners.IDTime), len(r.ID))]) // or long ago
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r.Run)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Last is what Find takes for the newest run.
const Last = "last"

// Find finds a run by a part of its id that no other has, or the newest.
func Find(work, id string) (*Run, error) {
	runs, err := List(work)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		return nil, fmt.Errorf("%s keeps no runs", work)
	}
	if id == Last {
		return &runs[0], nil
	}
	var found []Run
	for _, r := range runs {
		if r.ID == id {
			return &r, nil
		}
		if strings.Contains(r.ID, id) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%s keeps no run %s (penstock runs lists them)", work, id)
	case 1:
		return &found[0], nil
	}
	return nil, fmt.Errorf("%d runs have %s in their ids, such as %s and %s", len(found), id, found[0].ID, found[1].ID)
}

// Evaluated is the text of the graph as the run evaluated it.
func (r *Run) Evaluated() ([]byte, error) {
	return os.ReadFile(filepath.Join(r.Folder, runners.GraphFile))
}

// Difference is something that is not the same in two runs.
type Difference struct{ What, A, B string }

// Compare lists what differs between two runs: how they ended, parameters, versions,
// models, and the rows at every node. Graphs are left to a comparison of their texts.
func Compare(a, b *Run) []Difference {
	var all []Difference
	add := func(what, x, y string) {
		if x != y {
			all = append(all, Difference{what, x, y})
		}
	}
	add("state", a.State, b.State)
	add("error", a.Error, b.Error)
	both(a.settings(), b.settings(), add)
	both(a.rows(), b.rows(), add)
	return all
}

// entry is a name with a value.
type entry struct{ name, value string }

// both calls add with the values of each name, in the order of the first list and then
// of the second.
func both(a, b []entry, add func(name, x, y string)) {
	value := func(list []entry, name string) string {
		if i := slices.IndexFunc(list, func(e entry) bool { return e.name == name }); i >= 0 {
			return list[i].value
		}
		return "none"
	}
	seen := map[string]bool{}
	for _, e := range slices.Concat(a, b) {
		if !seen[e.name] {
			seen[e.name] = true
			add(e.name, value(a, e.name), value(b, e.name))
		}
	}
}

func (r *Run) settings() []entry {
	var all []entry
	for _, s := range r.Parameters {
		all = append(all, entry{"parameter " + s.Name, s.Value})
	}
	for _, s := range r.Versions {
		all = append(all, entry{s.Name, s.Value})
	}
	for _, m := range r.Models {
		all = append(all, entry{"model " + m.Ref, m.Hash})
	}
	return all
}

func (r *Run) rows() []entry {
	var all []entry
	for _, n := range r.Nodes {
		all = append(all, entry{"node " + n.Name, fmt.Sprintf("%d in, %d out, %d filtered, %d rejected", n.In, n.Out, n.Filtered, n.Rejected)})
	}
	return all
}
