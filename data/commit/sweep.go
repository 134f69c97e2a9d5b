package commit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// deadAfter is how long a run of unknown fate is left alone.
const deadAfter = 7 * 24 * time.Hour

// principal is the mark that ActFor set.
var principal atomic.Pointer[string]

// ActFor makes this process work for another, of that [OwnerMark]: its temporary
// files are the other's, which will commit them, and outlive this one.
func ActFor(mark string) { principal.Store(&mark) }

// OwnerMark is the part of the name of a temporary file or folder that tells
// whose it is: "~host~pid".
func OwnerMark() string {
	if mark := principal.Load(); mark != nil {
		return *mark
	}
	host, _ := os.Hostname() // without a name the owner counts as unknown
	return "~" + escape(host) + "~" + strconv.Itoa(os.Getpid())
}

// sweep removes what dead runs left, and the temporary folders that are empty.
// It runs after the commit, so what it cannot remove is left for the next one.
func (o Output) sweep(run string) {
	root := o.tempRoot()
	runs, err := os.ReadDir(root)
	if err != nil {
		return
	}
	for _, r := range runs {
		dir := filepath.Join(root, r.Name())
		if r.Name() != escape(run) && isDead(dir, time.Now()) {
			os.RemoveAll(dir)
		}
	}
	// These fail, as they should, while another output or run needs the folder.
	os.Remove(filepath.Join(root, escape(run)))
	os.Remove(root)
}

// isDead reports whether the run that wrote to dir will never touch it again;
// see the package's documentation for the rule.
func isDead(dir string, now time.Time) bool {
	orphaned, files, newest, planned := true, 0, time.Time{}, false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		if !d.IsDir() {
			files++
			planned = planned || d.Name() == planName
			orphaned = orphaned && OwnerIsGone(d.Name())
		}
		return nil
	})
	if err != nil || planned {
		return false
	}
	return files > 0 && orphaned || now.Sub(newest) > deadAfter
}

// OwnerIsGone reports whether the name bears the [OwnerMark] of a process of this
// machine that no longer exists.
func OwnerIsGone(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	mark := strings.Split(stem, "~")
	if len(mark) != 3 {
		return false
	}
	host, err := os.Hostname()
	if err != nil || mark[1] != escape(host) {
		return false
	}
	pid, err := strconv.Atoi(mark[2])
	if err != nil || pid <= 0 {
		return false
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer process.Release()
	return errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
