package commit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const planName = "plan.json"

// plan is what a commit to a folder is going to do, written to the run's
// temporary folder before any of it is done.
type plan struct {
	Manifest *Manifest `json:"manifest"`
	From     []string  `json:"from"`   // base names of the temporary files, one for each of Manifest.Files
	Remove   []string  `json:"remove"` // files of the previous manifest that are not in the new one
}

// Pending returns the id of the run whose commit to the folder was begun and
// not completed, if there is one. The folder then holds a mixture of two
// outputs; the next commit to it completes the begun one.
func Pending(dir string) (run string, pending bool) {
	stages := Output{dir: filepath.Clean(dir)}.pendingStages()
	if len(stages) == 0 {
		return "", false
	}
	return filepath.Base(filepath.Dir(stages[0])), true
}

// pendingStages lists the temporary folders that hold a plan.
func (o Output) pendingStages() []string {
	// The pattern is applied below the folder, whose own name may hold brackets.
	found, err := fs.Glob(os.DirFS(o.dir), tempName+"/*/"+partsName+"/"+planName)
	if err != nil {
		return nil
	}
	for i, p := range found {
		found[i] = filepath.Dir(filepath.Join(o.dir, filepath.FromSlash(p)))
	}
	return found
}

func (o Output) commitFolder(ctx context.Context, run string, shards []Shard) error {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	if err := o.completePending(); err != nil {
		return err
	}
	previous, err := ReadManifest(o.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if previous != nil && previous.Run == run && noneLeft(shards) {
		return nil // repeated after it succeeded
	}
	p, err := o.plan(ctx, run, shards, previous)
	if err != nil {
		return err
	}
	stage := o.stage(run)
	if err := os.MkdirAll(stage, 0o755); err != nil { // there were no shards
		return err
	}
	o.step("synced")
	if err := writeJSON(filepath.Join(stage, planName), filepath.Join(stage, planName+".tmp"), p); err != nil {
		return err
	}
	o.step("planned")
	return o.carryOut(p, stage)
}

// completePending carries out the plans that killed processes left.
func (o Output) completePending() error {
	for _, stage := range o.pendingStages() {
		p := new(plan)
		if err := readJSON(filepath.Join(stage, planName), p); err != nil {
			return err
		}
		if p.Manifest == nil || len(p.From) != len(p.Manifest.Files) {
			return fmt.Errorf("%s: damaged", filepath.Join(stage, planName))
		}
		if err := o.carryOut(p, stage); err != nil {
			return fmt.Errorf("completing the commit of run %s (remove %s to give it up): %w", p.Manifest.Run, stage, err)
		}
	}
	return nil
}

// plan makes the shards durable and decides their names.
func (o Output) plan(ctx context.Context, run string, shards []Shard, previous *Manifest) (*plan, error) {
	p := &plan{Manifest: &Manifest{Run: run, Files: []File{}}}
	for i, s := range shards {
		name := fmt.Sprintf("part-%05d-of-%05d%s", i, len(shards), extension(s.Path))
		if exists(filepath.Join(o.dir, name)) && !previous.lists(name) {
			return nil, fmt.Errorf("%s exists and is not of an earlier run: move it away, or write to another folder", name)
		}
		if err := checkSize(s.Path, s.Bytes); err != nil {
			return nil, err
		}
		if err := Sync(s.Path); err != nil {
			return nil, err
		}
		sum, err := sumFile(ctx, s.Path)
		if err != nil {
			return nil, err
		}
		p.From = append(p.From, filepath.Base(s.Path))
		p.Manifest.Files = append(p.Manifest.Files, File{Name: name, Rows: s.Rows, Bytes: s.Bytes, SHA256: sum})
		p.Manifest.Rows += s.Rows
	}
	if previous != nil {
		for _, f := range previous.Files {
			if !p.Manifest.lists(f.Name) {
				p.Remove = append(p.Remove, f.Name)
			}
		}
	}
	return p, nil
}

// carryOut does what the plan says. Every step may have been done before.
func (o Output) carryOut(p *plan, stage string) error {
	manifest := filepath.Join(o.dir, ManifestName)
	if err := removeIfThere(manifest); err != nil {
		return err
	}
	o.step("manifest removed")
	for i, f := range p.Manifest.Files {
		from, to := filepath.Join(stage, p.From[i]), filepath.Join(o.dir, f.Name)
		err := os.Rename(from, to)
		if errors.Is(err, fs.ErrNotExist) {
			err = checkSize(to, f.Bytes)
		}
		if err != nil {
			return err
		}
		o.step(f.Name + " renamed")
	}
	for _, name := range p.Remove {
		if err := removeIfThere(filepath.Join(o.dir, name)); err != nil {
			return err
		}
		o.step(name + " removed")
	}
	if err := Sync(o.dir); err != nil {
		return err
	}
	if err := writeJSON(manifest, filepath.Join(stage, ManifestName), p.Manifest); err != nil {
		return err
	}
	o.step("manifest written")
	return removeIfThere(filepath.Join(stage, planName))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func noneLeft(shards []Shard) bool {
	for _, s := range shards {
		if exists(s.Path) {
			return false
		}
	}
	return true
}
